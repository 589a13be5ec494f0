"""YARA rules over a checkpoint: which match, where, in whose memory.  The home of yara-x.

    rules = compile_rules(["rules/"], {"customer": "acme"})   # imports yara-x; UsageError says where
    result = scan(checkpoint, rules, Options())
    for hit in result.hits: ...                               # one a rule and unit (`records.YaraHit`)

    rules    files -> compiled rules          units    regions of `examine.search` -> what is scanned at once
    records  what comes out                   matching one unit: what yara-x says, and where that is
    scan     all units, by several processes  workers  the processes

A unit is one mapping, shared object, queue or file, so that a condition over several strings sees them all:
mappings with pages missing or zero in between count as one, with zeros in place of these.  yara-x holds the
interpreter's lock while it scans, which is why there are processes and no threads.
"""

from cryoscope.examine.yara.records import YaraHit, YaraMatch, YaraResult, YaraString
from cryoscope.examine.yara.rules import RuleSet, compile_rules
from cryoscope.examine.yara.scan import Options, scan

__all__ = [
    "Options",
    "RuleSet",
    "YaraHit",
    "YaraMatch",
    "YaraResult",
    "YaraString",
    "compile_rules",
    "scan",
]
