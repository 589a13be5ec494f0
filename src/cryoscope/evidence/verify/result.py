"""What a verification found."""

from __future__ import annotations

from collections.abc import Callable

from cryoscope import limits
from cryoscope.evidence.records import Piece, Problem, Record
from cryoscope.text import escape, readable

BACKUP = "compare with a backup or an export; what is said of this piece cannot be relied on"


class Verified(Record, frozen=True, kw_only=True):
    """What was reread, and what of it is wrong; `notes` is what could not be held against anything.

    `bytes` counts what was read of blobs, `members` those whose digests were held against the manifest.
    """

    problems: list[Problem] = []
    notes: list[Problem] = []
    pieces: int = 0
    members: int = 0
    bytes: int = 0
    entries: int = 0

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


class Found:
    """What was found so far; `piece` is the one that is looked at."""

    def __init__(self, progress: Callable[[int, int | None], None] | None = None) -> None:
        self.problems: list[Problem] = []
        self.notes: list[Problem] = []
        self.pieces = self.members = self.bytes = 0
        self.total: int | None = None
        self._progress = progress

    def problem(
        self, code: str, piece: Piece, what: str, *, cure: str = BACKUP, member: str | None = None
    ) -> None:
        """Something is wrong with a piece."""
        if len(self.problems) < limits.PROBLEMS:
            self.problems.append(_told(code, piece, what, cure, member))

    def note(self, code: str, piece: Piece, what: str, *, cure: str = "") -> None:
        """Something is to be known of a piece."""
        self.notes.append(_told(code, piece, what, cure, None))

    def read(self, size: int) -> None:
        """So many bytes more have been read."""
        self.bytes += size
        if self._progress is not None:
            self._progress(self.bytes, self.total)

    def verified(self, entries: int) -> Verified:
        """The result."""
        return Verified(
            problems=self.problems[: limits.PROBLEMS],
            notes=self.notes[: limits.PROBLEMS],
            pieces=self.pieces,
            members=self.members,
            bytes=self.bytes,
            entries=entries,
        )


def _told(code: str, piece: Piece, what: str, cure: str, member: str | None) -> Problem:
    where = f"{escape(readable(piece.name))} ({piece.sha256[:12]})"
    return Problem(code=code, where=where, what=what, cure=cure, piece=piece.sha256, member=member)
