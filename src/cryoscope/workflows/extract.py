"""`extract`: memory as files, sparse, with a manifest of what is in them and what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.memory import Address, AddressSpace, State
from cryoscope.checkpoint.process import Process
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.memory.extract import (
    Plan,
    Skipped,
    Stretch,
    all_plans,
    file_plan,
    range_plan,
    vma_plan,
)
from cryoscope.examine.memory.original import Original, original_of
from cryoscope.examine.memory.reading import BLOCK, REASONS, Piece, Reader
from cryoscope.examine.memory.spans import Span, gaps, merged
from cryoscope.text import readable
from cryoscope.workflows.documents import Part, damage
from cryoscope.workflows.examine import Answer, answer
from cryoscope.workflows.memory import space_of
from cryoscope.workflows.sparse import Folder, SparseFile


class Gap(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Bytes of a file that are not known, and read as zero; `address` where they lay in memory."""

    offset: int
    size: int
    state: str
    reason: str
    address: Address | None = None


class ExtractedFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file: memory of `pid` from `start` up to `end`, or a file that was mapped there.

    `known` counts the bytes that are not missing, `filled` those of them that come from `source`, the
    archive's own copy of the mapped file, and `differs` the pages of memory that differ from that.
    `sha256` is of all `size` bytes, holes as zeros; null where the holes are larger than is hashed.
    """

    file: str
    pid: int
    comm: str
    start: Address
    end: Address
    size: int
    known: int
    sha256: str | None
    missing: list[Gap]
    kind: str | None = None
    perms: str | None = None
    path: str | None = None
    source: str | None = None
    filled: int = 0
    differs: int = 0
    notes: list[str] = []


class ExtractedPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """What `extract` made, in `folder`; `skipped` are mappings of which nothing but zeros is known."""

    folder: str
    files: list[ExtractedFile]
    skipped: list[Skipped] = []

    def rows(self) -> list[Any]:
        return [*self.files, *self.skipped]


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What to extract of a process: exactly one of these."""

    vma: int | None = None
    address: tuple[int, int] | None = None
    path: str | None = None


def extract(target: str, checkpoint: Checkpoint, pid: int, choice: Choice, folder: Folder) -> Answer:
    """Write the files that were chosen; raises `UsageError` before the first where one must not be."""
    process, space = checkpoint.process(pid), space_of(checkpoint, pid)
    reader = Reader()
    with ExitStack() as opened:
        original = None
        if choice.path is not None:
            original = _original(checkpoint, choice.path, opened, reader.damaged)
        plans, skipped = _plans(process, space, choice, original)
        for plan in plans:
            folder.check(plan.name)
        files = [_Making(plan, reader, original).file(folder) for plan in plans]
    part = ExtractedPart(archive=readable(target), folder=readable(folder.path), files=files, skipped=skipped)
    return answer("extract", [part], damage(target, [*checkpoint.damaged, *reader.damaged]), [])


def _original(
    checkpoint: Checkpoint, path: str, opened: ExitStack, damaged: list[Damaged]
) -> Original | None:
    try:
        return original_of(checkpoint, path, opened)
    except CryoscopeError as error:
        damaged.append(Damaged(path, f"its copy in the archive cannot be read: {error.message}", error.code))
        return None


def _plans(
    process: Process, space: AddressSpace, choice: Choice, original: Original | None
) -> tuple[list[Plan], list[Skipped]]:
    if choice.path is not None:
        return [file_plan(process, space, choice.path, original.size if original else None)], []
    if choice.vma is not None:
        return [vma_plan(process, space, choice.vma)], []
    if choice.address is not None:
        return [range_plan(process, space, *choice.address)], []
    return all_plans(process, space)


class _Making:
    """One file while it is written."""

    def __init__(self, plan: Plan, reader: Reader, original: Original | None) -> None:
        self.plan = plan
        self.reader = reader
        self.original = original
        self.known: list[Span] = []
        self.lost: list[Gap] = []
        self.notes = list(plan.notes)
        self.differs = self.filled = 0
        self.usable = original is not None

    def file(self, folder: Folder) -> ExtractedFile:
        """Write it, and give its line of the manifest."""
        with folder.writing(self.plan.name) as file:
            file.resize(self.plan.size)
            for offset, piece, stretch in self.plan.pieces(self.reader):
                self._put(file, offset, piece, stretch)
            covered = merged(self.known)
            if self.original is not None:
                covered = self._fill(file, self.original, covered)
            known = sum(high - low for low, high in covered)
            hashed = self.plan.size - known <= limits.HASHED_HOLES
            return self._record(covered, known, file.digest(self.plan.size) if hashed else None)

    def _put(self, file: SparseFile, offset: int, piece: Piece, stretch: Stretch) -> None:
        length = min(piece.length, self.plan.size - offset)
        if length <= 0:
            return
        if piece.data is None and piece.state != State.ZERO:
            at = Address(piece.start)
            reason = REASONS[piece.state]
            if len(self.lost) < len(self.plan.stretches) * limits.GAPS:
                self.lost.append(
                    Gap(offset=offset, size=length, state=piece.state, reason=reason, address=at)
                )
            return
        if piece.data is not None:
            file.write(offset, piece.data[:length], over=len(self.plan.stretches) > 1)
            self._compare(offset, piece.data[:length], stretch)
        self.known.append((offset, offset + length))

    def _compare(self, offset: int, data: memoryview, stretch: Stretch) -> None:
        """Pages that nobody may write are those of the file, or it is another file."""
        if self.original is None:
            return
        page = self.plan.space.page_size
        theirs = self.original.read(offset, len(data))
        for at in range(0, len(theirs), page):
            if theirs[at : at + page] != data[at : at + page][: len(theirs) - at]:
                self.differs += 1
                perms = stretch.vma.perms if stretch.vma else ""
                self.usable = self.usable and offset + at > 0 and "x" not in perms

    def _fill(self, file: SparseFile, original: Original, covered: list[Span]) -> list[Span]:
        """What is missing, from the archive's own copy of the file."""
        if not self.usable:
            self.notes.append(f"{original.origin} has another file of this path: nothing is taken from it")
            return covered
        filled = []
        for low, high in gaps(covered, 0, self.plan.size):
            for at, data in _blocks(original.read, low, high):
                file.write(at, data)
                filled.append((at, at + len(data)))
        self.filled = sum(high - low for low, high in filled)
        if self.filled:
            self.notes.append(f"{self.filled} bytes are from {original.origin}, not from memory")
        return merged([*covered, *filled])

    def _missing(self, covered: list[Span]) -> Iterator[Gap]:
        """What is still not known, with a reason that was found for it."""
        lost = iter(sorted(self.lost, key=lambda gap: gap.offset))
        gap = next(lost, None)
        for low, high in gaps(covered, 0, self.plan.size):
            position = low
            while position < high:
                while gap is not None and gap.offset + gap.size <= position:
                    gap = next(lost, None)
                found = _part(gap, position, high)
                yield found
                position += found.size

    def _record(self, covered: list[Span], known: int, digest: str | None) -> ExtractedFile:
        plan = self.plan
        missing = [*islice(self._missing(covered), limits.GAPS)]
        if len(missing) == limits.GAPS:
            self.notes.append(f"only the first {limits.GAPS} missing ranges are named")
        vma = plan.stretches[0].vma if len(plan.stretches) == 1 else None
        return ExtractedFile(
            file=plan.name,
            pid=plan.process.pid,
            comm=plan.process.comm,
            start=Address(min(stretch.start for stretch in plan.stretches)),
            end=Address(max(stretch.end for stretch in plan.stretches)),
            size=plan.size,
            known=known,
            sha256=digest,
            missing=missing,
            kind=vma.kind if vma else None,
            perms=vma.perms if vma else None,
            path=plan.path,
            source=self.original.origin if self.original and self.usable else None,
            filled=self.filled,
            differs=self.differs,
            notes=self.notes,
        )


def _part(gap: Gap | None, low: int, high: int) -> Gap:
    """Why `low` is missing, and up to where: a gap that ends behind it, if it has begun."""
    if gap is None or gap.offset > low:
        end = high if gap is None else min(high, gap.offset)
        return Gap(offset=low, size=end - low, state="unmapped", reason="this part was not mapped")
    at = None if gap.address is None else Address(gap.address + low - gap.offset)
    size = min(high, gap.offset + gap.size) - low
    return msgspec.structs.replace(gap, offset=low, size=size, address=at)


def _blocks(read: Callable[[int, int], bytes], low: int, high: int) -> Iterator[tuple[int, bytes]]:
    while low < high and (data := read(low, min(BLOCK, high - low))):
        yield low, data
        low += len(data)
