"""Indicators of compromise: what to look for elsewhere after this container, each with where it was seen.

    result = find_iocs(checkpoint, findings=findings)
    for ioc in result.iocs: ...                          # the surest first (`records.Ioc`)

`sources` are where they come from (sockets, changed files, memfds, command lines, memory, findings), one a
file; `noise` is what stands in the memory of every program and is left out.  How sure an indicator is says
how it was seen: bytes in memory alone are `low`.
"""

from cryoscope.examine.iocs.find import find_iocs
from cryoscope.examine.iocs.records import CONFIDENCES, KINDS, Ioc, IocsResult, Sighting

__all__ = ["CONFIDENCES", "KINDS", "Ioc", "IocsResult", "Sighting", "find_iocs"]
