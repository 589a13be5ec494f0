"""Images that cannot be read: what nobody could look at is not given to CRIU.  Asked last, after all else."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.checkpoint.criu.images import by_file_name
from cryoscope.engines.port import HARD
from cryoscope.engines.vetting.case import Case
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.checks.members import AGAIN
from cryoscope.engines.vetting.records import Found

PAGEMAPS = "PAGEMAP"
"""Left to what reads memory: they have no names, paths or rights, and can be hundreds of megabytes."""


def look(case: Case) -> Iterator[Found]:
    """Every image but page maps, decoded."""
    for name in case.images.names:
        kind = by_file_name(name)
        if kind is not None and kind.name != PAGEMAPS:
            case.images.image(name)
    for damage in case.images.damaged:
        yield case.found("criu.damaged", damage.problem, damage.part, weight=HARD, cure=AGAIN)


CHECK = Check("whether CRIU's images can be read", look)
