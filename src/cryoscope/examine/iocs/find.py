"""All sources, one after the other."""

from __future__ import annotations

from typing import Any

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.iocs.asked import Asked
from cryoscope.examine.iocs.records import IocsResult
from cryoscope.examine.iocs.sources import SOURCES


def find_iocs(checkpoint: Checkpoint, **how: Any) -> IocsResult:
    """The indicators of a checkpoint; `how` is what `Asked` takes.

    What could not be read is appended to `damaged`, and the other sources are asked all the same.
    """
    asked = Asked(checkpoint, **how)
    for collect in SOURCES:
        try:
            collect(asked)
        except CryoscopeError as error:
            name = collect.__module__.rpartition(".")[2]
            asked.damaged.append(Damaged(name, error.message, error.code))
    return IocsResult(asked.found.iocs(), list(dict.fromkeys(asked.found.notes)))
