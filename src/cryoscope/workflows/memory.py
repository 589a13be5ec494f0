"""`memory` and `hexdump`: how large memory is, and what is in it byte by byte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.memory import Address, AddressSpace, State
from cryoscope.errors import Damaged, LimitExceeded, MemoryMissing, UsageError
from cryoscope.examine.memory.reading import BLOCK, REASONS, Piece, Reader, joined
from cryoscope.examine.memory.regions import TOP
from cryoscope.examine.memory.sizes import ProcessMemory, Sizes, Stored, memory_of, stored_in, total
from cryoscope.text import readable
from cryoscope.workflows.documents import Part, damage
from cryoscope.workflows.examine import Answer, answer
from cryoscope.workflows.masking import Masker

SHOWN = 256
"""Bytes that `hexdump` shows from an address without an end."""


class MemoryPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `memory`: `total` counts what processes share with each, `stored` once."""

    processes: list[ProcessMemory]
    total: Sizes
    stored: Stored

    def rows(self) -> list[Any]:
        return list(self.processes)


def memory(pids: Sequence[int], *, vmas: bool) -> Any:
    """The question `memory`, of some processes, with each mapping or only their sums."""

    def ask(target: str, checkpoint: Checkpoint, _masker: Masker) -> MemoryPart:
        found = memory_of(checkpoint, pids, vmas=vmas)
        sizes = total(process.sizes for process in found)
        return MemoryPart(archive=target, processes=found, total=sizes, stored=stored_in(checkpoint))

    return ask


class HexRun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Bytes of one state: `hex` where they are in the archive, at `offset` of `member`.

    Those of state `zero` are known to be zero; of the others `reason` says why they are missing.
    """

    address: Address
    size: int
    state: str
    hex: str | None = None
    reason: str | None = None
    member: str | None = None
    offset: int | None = None


class HexdumpPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `hexdump`; `kind`, `perms` and `path` are of the mapping that the range begins in."""

    pid: int
    comm: str
    start: Address
    end: Address
    runs: list[HexRun]
    kind: str | None = None
    perms: str | None = None
    path: str | None = None

    def rows(self) -> list[Any]:
        return list(self.runs)


class Dump:
    """A range of the memory of one process of an open checkpoint; raises `UsageError` if there is none.

    Without `end`, the first `SHOWN` bytes from `start` on.
    """

    def __init__(self, checkpoint: Checkpoint, pid: int, start: int, end: int | None) -> None:
        self.process = checkpoint.process(pid)
        self.checkpoint = checkpoint
        self.start = start
        self.end = min(TOP, start + SHOWN) if end is None else end
        self.space = space_of(checkpoint, pid)
        self.reader = Reader()

    @property
    def damaged(self) -> list[Damaged]:
        """What could not be read so far."""
        return [*self.checkpoint.damaged, *self.reader.damaged]

    def pieces(self) -> Iterator[Piece]:
        """The range in pieces."""
        return joined(self.reader.pieces(self.space, self.start, self.end))

    def raw(self) -> Iterator[bytes | memoryview]:
        """Bytes alone; raises `MemoryMissing` before the first one where some are missing."""
        for extent in self.space.extents(self.start, self.end - self.start):
            if extent.state in REASONS:
                raise _missing(extent.start, extent.state)
        for piece in self.reader.pieces(self.space, self.start, self.end):
            if piece.data is not None:
                yield piece.data
            elif piece.state == State.ZERO:
                yield from (bytes(min(BLOCK, piece.length - at)) for at in range(0, piece.length, BLOCK))
            else:
                raise _missing(piece.start, piece.state)

    def part(self, archive: str) -> HexdumpPart:
        """The range as a document; raises `LimitExceeded` for one that would be too large."""
        runs: list[HexRun] = []
        size = 0
        for piece in self.pieces():
            size += piece.length if piece.data is not None else 0
            if size > limits.HEXDUMP_JSON or len(runs) > limits.GAPS:
                raise LimitExceeded(
                    f"more than {limits.HEXDUMP_JSON} bytes or {limits.GAPS} runs in one document",
                    hint="ask for less, or for --raw",
                    code="limit.hexdump",
                )
            runs.append(_run(piece))
        vma = self.space.find(self.start)
        return HexdumpPart(
            archive=archive,
            pid=self.process.pid,
            comm=self.process.comm,
            start=Address(self.start),
            end=Address(self.end),
            runs=runs,
            kind=vma.kind if vma else None,
            perms=vma.perms if vma else None,
            path=vma.path if vma else None,
        )


def _run(piece: Piece) -> HexRun:
    return HexRun(
        address=Address(piece.start),
        size=piece.length,
        state=piece.state,
        hex=None if piece.data is None else piece.data.hex(),
        reason=REASONS.get(piece.state),
        member=None if piece.member is None else readable(piece.member),
        offset=None if piece.offset < 0 else piece.offset,
    )


def _missing(address: int, state: str) -> MemoryMissing:
    return MemoryMissing(
        f"memory at {address:#x} is missing: {REASONS[state]}",
        hint="leave out --raw to see what is there, or use `cryoscope extract`, which leaves holes",
        code=f"memory.{state}",
    )


def space_of(checkpoint: Checkpoint, pid: int) -> AddressSpace:
    """The address space of a process that must have one."""
    space = checkpoint.memory(checkpoint.process(pid).pid)
    if space is None:
        raise UsageError(
            f"process {pid} has no memory",
            hint="it was a zombie, or its mm image is lost",
            code="memory.no-space",
        )
    return space


def dumped(target: str, dump: Dump) -> Answer:
    """The answer of `hexdump` as a document."""
    part = dump.part(readable(target))
    return answer("hexdump", [part], damage(target, dump.damaged), [])


def written(target: str, found: Sequence[Damaged]) -> Answer:
    """The answer of a command whose records went out as they came: only what was damaged."""
    return answer("hexdump", [], damage(target, list(found)), [])
