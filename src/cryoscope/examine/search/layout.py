"""Whose bytes are in a pages image: from (member, offset) back to processes and addresses.

Each page map names the image that its present pages lie in, one after the other; a binary search over
their offsets gives the address.  Whether the process sees these bytes there is then asked of its
address space: a page of a parent that the child wrote anew, a page outside of every mapping, a page
map of an earlier dump that was left in the folder belong to nobody.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.criu import pagemap
from cryoscope.checkpoint.memory import Address, AddressSpace, PageIndex, Vma
from cryoscope.checkpoint.process import Process
from cryoscope.examine.search.hits import Holder, Mapping, Owner
from cryoscope.examine.search.runs import ObjectRun, Run, SpaceRun
from cryoscope.examine.search.where import Where


class Seen(NamedTuple):
    """Who sees the bytes: a process (`pid`) or a shared object (`shmid`), and its run."""

    kind: str
    number: int
    run: Run


class Spot(NamedTuple):
    """Bytes of a pages image where somebody sees them; `offset` is that of the first in the member."""

    seen: Seen
    address: int
    length: int
    offset: int


class Layout:
    """Every process and shared object of a checkpoint, by the images that their pages lie in."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.processes: dict[int, Process] = {p.pid: p for p in checkpoint.processes}
        self.spaces: dict[int, AddressSpace] = {}
        self.users: dict[int, list[tuple[Process, Vma]]] = {}
        self.objects: dict[int, PageIndex] = {}
        self._rows: dict[str, list[_Rows]] = {}
        for process in self.processes.values():
            self._enter(process)
        self._enter_objects()

    def _enter(self, process: Process) -> None:
        space = self.checkpoint.memory(process.pid)
        if space is None:
            return
        self.spaces[process.pid] = space
        self._chain(space.own, Seen("memory", process.pid, SpaceRun(space)))
        for vma in space.mappings:
            if vma.object_id is not None:
                self.users.setdefault(vma.object_id, []).append((process, vma))

    def _enter_objects(self) -> None:
        """Shared objects that somebody maps, or holds open, or that System V keeps."""
        images = self.checkpoint.images
        for number in sorted({*self.users, *self._unmapped()}):
            name = f"pagemap-shmem-{number}.img"
            if name in images:
                index = PageIndex(images, name, self.checkpoint.page_size)
                self.objects[number] = index
                self._chain(index, Seen("shared", number, ObjectRun(index)))

    def _unmapped(self) -> Iterator[int]:
        files = self.checkpoint.files
        yield from (shmid for file in files if (shmid := files.shmid(file.id)) is not None)
        yield from (found.id for found in self.checkpoint.ipc if found.kind == "shm")

    def _chain(self, index: PageIndex | None, seen: Seen) -> None:
        while index is not None:
            member = index.images.member(index.member)
            if member is not None and len(index):
                self._rows.setdefault(member, []).append(_Rows(index, seen))
            index = index.parent

    @property
    def members(self) -> list[str]:
        """The pages images that somebody may see something of."""
        return list(self._rows)

    def wanted(self, member: str, where: Where) -> bool:
        """Whether there may be something in a pages image that filters let through."""
        for seen in self.seen_in(member):
            if seen.kind == "memory":
                if where.covers("memory") and (not where.pids or seen.number in where.pids):
                    return True
            elif where.covers("shared"):
                pids = {process.pid for process, _ in self.users.get(seen.number, ())}
                if not where.pids or pids & set(where.pids):
                    return True
        return False

    def seen_in(self, member: str) -> list[Seen]:
        """Who may see something of a pages image."""
        return [rows.seen for rows in self._rows.get(member, ())]

    def spots(self, member: str, low: int, high: int) -> Iterator[Spot]:
        """Where the bytes from `low` to `high` of a pages image are seen."""
        for rows in self._rows.get(member, ()):
            for offset, address, length in rows.within(low, high):
                for piece in rows.seen.run.between(address, address + length):
                    delta = piece.start - address
                    if piece.member == member and piece.offset == offset + delta:
                        yield Spot(rows.seen, piece.start, piece.length, piece.offset)

    def owners(self, seen: Seen, address: int) -> list[Owner]:
        """The processes that see what lies at an address of `seen`."""
        if seen.kind == "memory":
            vma = self.spaces[seen.number].find(address)
            return [_owner(self.processes[seen.number], address, vma)] if vma is not None else []
        return [
            _owner(process, vma.start + address - vma.offset, vma)
            for process, vma in self.users.get(seen.number, ())
            if vma.offset <= address < vma.offset + vma.size
        ]

    def stretches(self) -> Iterator[tuple[Seen, Run, int, int]]:
        """Whose bytes there are, between which addresses: mapping by mapping those that touch as one."""
        for pid, space in self.spaces.items():
            run = SpaceRun(space)
            for low, high in _touching(space.mappings):
                yield Seen("memory", pid, run), run, low, high
        for number, index in self.objects.items():
            seen = Seen("shared", number, ObjectRun(index))
            yield seen, seen.run, 0, 1 << 62

    def root(self, pid: int) -> int:
        """The oldest ancestor of a process in this checkpoint."""
        seen = set[int]()
        while pid in self.processes and pid not in seen:
            seen.add(pid)
            parent = self.processes[pid].ppid
            if parent not in self.processes:
                break
            pid = parent
        return pid


class _Rows:
    """The present runs of a page map by their offset in the pages image."""

    def __init__(self, index: PageIndex, seen: Seen) -> None:
        self.seen = seen
        self._index = index
        self._columns: tuple[list[int], list[int], list[int]] | None = None

    def within(self, low: int, high: int) -> Iterator[tuple[int, int, int]]:
        """(offset, address, length) of what lies between two offsets."""
        if self._columns is None:
            self._columns = self._present()
        offsets, addresses, sizes = self._columns
        for place in range(max(0, bisect_right(offsets, low) - 1), bisect_right(offsets, high - 1)):
            start = max(low, offsets[place])
            end = min(high, offsets[place] + sizes[place])
            if start < end:
                yield start, addresses[place] + start - offsets[place], end - start

    def _present(self) -> tuple[list[int], list[int], list[int]]:
        index = self._index
        columns = (index.offset, index.vaddr, index.count, index.flags)
        rows = sorted(
            (offset, address, count * index.page_size)
            for offset, address, count, flags in zip(*map(_plain, columns), strict=True)
            if flags & pagemap.PRESENT and offset >= 0
        )
        return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]


def _plain(column: Any) -> list[int]:
    return column.tolist() if hasattr(column, "tolist") else list(column)


def _touching(vmas: list[Vma]) -> Iterator[tuple[int, int]]:
    """From where to where there are private mappings without a gap between them."""
    low = high = -1
    for vma in vmas:
        if vma.object_id is not None or vma.kind == "guard":
            continue
        if vma.start != high:
            if high > low:
                yield low, high
            low = vma.start
        high = vma.end
    if high > low:
        yield low, high


def _owner(process: Process, address: int, vma: Vma) -> Owner:
    shown = Mapping(vma.start, vma.end, vma.perms, vma.kind, vma.path)
    return Owner(process.pid, process.comm, Address(address), shown)


def holders_by_file(checkpoint: Checkpoint) -> dict[int, list[Holder]]:
    """Who holds each open file, by its id."""
    found: dict[int, list[Holder]] = {}
    for process in checkpoint.processes:
        for descriptor in checkpoint.descriptors(process.pid):
            held = found.setdefault(descriptor.file_id, [])
            if len(held) < limits.SEARCH_HOLDERS:
                held.append(Holder(process.pid, process.comm, descriptor.fd))
    return found
