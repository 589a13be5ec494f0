"""`indicators`: URLs, addresses, mailboxes and domain names in the memory of each archive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import Damaged
from cryoscope.examine.indicators import KINDS, Indicator, find_indicators
from cryoscope.text import readable
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, Asking, answer, each
from cryoscope.workflows.open import open_at


class IndicatorsPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `indicators`; `notes` says what was left out."""

    indicators: list[Indicator]
    notes: list[str] = []

    def rows(self) -> list[Any]:
        return list(self.indicators)


def indicators_of(
    targets: Sequence[str], kinds: Sequence[str], pids: Sequence[int], asking: Asking
) -> Answer:
    """The indicators in each target; passwords in URLs are masked."""

    def read(target: str) -> tuple[IndicatorsPart, list[Damaged]]:
        progress = asking.progress(target)
        with open_at(target, cache=asking.cache, access=asking.access, progress=progress) as archive:
            checkpoint = Checkpoint(archive)
            found = find_indicators(checkpoint, kinds=kinds or KINDS, pids=pids)
            masker = asking.masker
            shown = [msgspec.structs.replace(one, value=masker.text(one.value)) for one in found.indicators]
            notes = [readable(note) for note in found.notes]
            part = IndicatorsPart(archive=readable(target), indicators=shown, notes=notes)
            return part, list(dict.fromkeys([*checkpoint.damaged, *found.damaged]))

    return answer("indicators", *each(targets, read))
