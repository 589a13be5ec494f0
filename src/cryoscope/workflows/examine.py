"""One question over any number of archives: each is opened, asked and closed in turn.

An archive that cannot be opened does not keep the others from answering: it stands in the
document's `damaged`, and the exit code says so.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from cryoscope.checkpoint.archive import IndexCache
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.text import readable
from cryoscope.workflows.access import Access
from cryoscope.workflows.documents import DamagedIn, Document, Part, damage, document, shown
from cryoscope.workflows.open import Progress, open_checkpoint

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint
    from cryoscope.workflows.masking import Masker

OK, FAILED, DAMAGED = 0, 1, 3

Failure = tuple[str, CryoscopeError]
"""An archive that could not be read at all, and why."""


class Answer(msgspec.Struct, frozen=True):
    """A document, the exit code that goes with it, and the archives that gave only an error."""

    document: Document
    exit_code: int
    failures: list[Failure] = []


class Asking(msgspec.Struct, kw_only=True, dict=True):
    """How to ask: what every command shares; `action` and `reason` are for custody logs."""

    cache: IndexCache | None = None
    progress: Callable[[str], Progress | None] = lambda _target: None
    reveal: bool = False
    action: str = "read"
    reason: str = ""

    @property
    def access(self) -> Access:
        """What a custody log says of evidence that is asked."""
        return Access(action="reveal" if self.reveal else self.action, reason=self.reason)

    @functools.cached_property
    def masker(self) -> Masker:
        """The rule for secrets; it counts what it masks."""
        from cryoscope.workflows.masking import Masker, Revealing

        return Revealing() if self.reveal else Masker()


if TYPE_CHECKING:
    Question = Callable[[str, Checkpoint, Masker], Part]


def ask(
    noun: str, targets: Sequence[str], question: Question, asking: Asking, *, stacks: bool = False
) -> Answer:
    """The answers of `question` to each target, as a document of `noun`."""

    def read(target: str) -> tuple[Part, list[Damaged]]:
        progress = asking.progress(target)
        with open_checkpoint(
            target, cache=asking.cache, access=asking.access, stacks=stacks, progress=progress
        ) as checkpoint:
            part = question(readable(target), checkpoint, asking.masker)
            return part, checkpoint.damaged

    return answer(noun, *each(targets, read))


def each(
    targets: Sequence[str], read: Callable[[str], tuple[Part, list[Damaged]]]
) -> tuple[list[Part], list[DamagedIn], list[Failure]]:
    """What `read` gives of each target, what of it was damaged, and what gave only an error."""
    parts: list[Part] = []
    damaged: list[DamagedIn] = []
    failures: list[Failure] = []
    for target in targets:
        try:
            part, found = read(target)
        except CryoscopeError as error:
            failures.append((target, error))
        else:
            parts.append(part)
            damaged += damage(target, found)
    return parts, damaged, failures


def each_until_stopped(
    targets: Sequence[str],
    read: Callable[[str], tuple[Any, list[Damaged]]],
    skipped: Callable[[str], Part],
) -> tuple[list[Part], list[DamagedIn], list[Failure]]:
    """As `each`, until a part is not `complete`; of the targets behind it, what `skipped` gives."""
    stopped = False

    def unless_stopped(target: str) -> tuple[Part, list[Damaged]]:
        nonlocal stopped
        if stopped:
            return skipped(target), []
        part, damaged = read(target)
        stopped = not part.complete
        return part, damaged

    return each(targets, unless_stopped)


def answer(noun: str, parts: list[Part], damaged: list[DamagedIn], failures: list[Failure]) -> Answer:
    """The answer from what could be read, what of it was damaged, and what gave only an error."""
    failures = [(shown(target), error) for target, error in failures]
    damaged = damaged + [failure(target, error) for target, error in failures]
    return Answer(document(noun, parts, damaged), exit_code(failures, damaged), failures)


def failure(target: str, error: CryoscopeError) -> DamagedIn:
    """The record of an archive that could not be opened at all."""
    return DamagedIn(
        archive=shown(target),
        part="archive",
        problem=readable(error.message),
        code=error.code,
        hint=readable(error.hint) or None,
    )


def exit_code(failures: Sequence[Failure], damaged: Sequence[DamagedIn]) -> int:
    """That of the errors where they agree, else 1; 3 if only parts could not be read; else 0."""
    codes = {error.exit_code for _, error in failures}
    if codes:
        return codes.pop() if len(codes) == 1 else FAILED
    return DAMAGED if damaged else OK
