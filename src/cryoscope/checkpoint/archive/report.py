"""What is wrong with an archive, collected beside what could be read of it."""

from __future__ import annotations

from cryoscope import limits
from cryoscope.errors import Damaged


class Report:
    """Damaged records of one archive, at most limits.DAMAGED of them.

    `name` is what the archive is called: the part that is named when the archive itself is damaged.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.records: list[Damaged] = []

    def add(self, part: str, problem: str, code: str, offset: int | None = None) -> None:
        """Record one damaged part; past the limit only that there was more."""
        room = limits.DAMAGED - len(self.records)
        if room > 1:
            self.records.append(Damaged(part or self.name, problem, code, offset))
        elif room == 1:
            self.records.append(Damaged(self.name, "more is damaged than is listed here", "limit.damaged"))
