"""Indicators in memory: URLs, IP addresses, e-mail addresses, domain names; how often, and who has them.

    result = find_indicators(checkpoint, kinds=("url", "ip"))
    for found in result.indicators: ...                 # the most frequent first (`records.Indicator`)

`kinds` says what is one; `collect` goes through memory once, scans it with the engine of `search` and does
work in Python only where that engine saw the beginning of one.
"""

from cryoscope.examine.indicators.collect import find_indicators, indicator_scan
from cryoscope.examine.indicators.records import KINDS, Indicator, IndicatorsResult, Seen

__all__ = ["KINDS", "Indicator", "IndicatorsResult", "Seen", "find_indicators", "indicator_scan"]
