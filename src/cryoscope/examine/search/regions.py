"""Every run of contiguous bytes of a checkpoint, one after the other: for those who want whole buffers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from cryoscope.checkpoint.archive import open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.rootfs.tars import Held, plain_files, tars
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.search import places
from cryoscope.examine.search.hits import IN_PAGES, PLACES, Holder, Owner
from cryoscope.examine.search.layout import Layout, Seen
from cryoscope.examine.search.runs import Fetch, Piece, Run, rows
from cryoscope.examine.search.where import Where

BLOCK = 1 << 20


class Region:
    """Bytes beside each other, `size` of them, from `address` on where they have addresses.

    `owners` are the processes that map the first byte, `holders` those of other places; `path` and
    `number` as `path` and `object` of a `Hit`.  What the archive cuts short ends earlier than `size`.
    """

    def __init__(self, kind: str, pieces: list[Piece], fetch: Fetch) -> None:
        self.kind = kind
        self.start = pieces[0].start
        self.size = pieces[-1].start + pieces[-1].length - self.start
        self.address: int | None = None
        self.owners: list[Owner] = []
        self.holders: list[Holder] = []
        self.path: str | None = None
        self.number: int | None = None
        self._pieces = pieces
        self._starts = [piece.start for piece in pieces]
        self._fetch = fetch

    def at(self, place: int) -> tuple[str, int]:
        """Archive member and offset of byte `place` of the region."""
        piece = self._pieces[max(0, bisect_right(self._starts, self.start + place) - 1)]
        return piece.member, piece.offset + self.start + place - piece.start

    def read(self, place: int, length: int) -> bytes:
        """Bytes from `place` on, fewer at the end."""
        low, high = self.start + place, min(self.start + place + length, self.start + self.size)
        parts: list[bytes] = []
        for piece in self._pieces[max(0, bisect_right(self._starts, low) - 1) :]:
            first, last = max(low, piece.start), min(high, piece.start + piece.length)
            if first >= last:
                break
            parts.append(self._fetch(piece.member, piece.offset + first - piece.start, last - first))
            if len(parts[-1]) < last - first:
                break
        return b"".join(parts)

    def blocks(self, size: int = BLOCK, *, overlap: int = 0) -> Iterator[tuple[int, bytes]]:
        """(place, bytes) in blocks of `size`, each beginning with the last `overlap` bytes before it."""
        for place in range(0, self.size, size):
            start = max(0, place - overlap)
            data = self.read(start, min(size, self.size - place) + place - start)
            if data:
                yield start, data


def scan_regions(
    checkpoint: Checkpoint, where: Where | None = None, damaged: list[Damaged] | None = None
) -> Iterator[Region]:
    """The regions of a checkpoint: memory by process and address, shared objects once, then the rest.

    Pages that a fork left in several processes come once for each, with their own owners.
    """
    asked = _Regions(checkpoint, where or Where(), damaged if damaged is not None else [])
    if any(asked.where.covers(place) for place in IN_PAGES):
        yield from asked.in_pages()
    yield from asked.in_buffers()
    yield from asked.in_files()


class _Regions:
    def __init__(self, checkpoint: Checkpoint, where: Where, damaged: list[Damaged]) -> None:
        self.checkpoint = checkpoint
        self.where = where
        self.damaged = damaged

    def _fetch(self, member: str, offset: int, length: int) -> bytes:
        try:
            return self.checkpoint.archive.read_at(member, offset, length)
        except CryoscopeError as error:
            self.damaged.append(Damaged(member, error.message, error.code, offset))
            return b""

    def in_pages(self) -> Iterator[Region]:
        layout = Layout(self.checkpoint)
        for seen, run, low, high in layout.stretches():
            if self.where.covers(seen.kind):
                for row in rows(run.between(low, high)):
                    region = self._region(layout, seen, run, row)
                    if self._wanted(region):
                        yield region

    def _region(self, layout: Layout, seen: Seen, _run: Run, row: list[Piece]) -> Region:
        region = Region(seen.kind, row, self._fetch)
        region.owners = layout.owners(seen, row[0].start)
        region.address = row[0].start if seen.kind == "memory" else None
        if region.owners:
            region.address = region.owners[0].address
            region.path = region.owners[0].vma.path
        region.number = seen.number if seen.kind == "shared" else None
        return region

    def _wanted(self, region: Region) -> bool:
        if region.owners:
            return any(self.where.admits_owner(owner) for owner in region.owners)
        return not (self.where.pids or self.where.about_mappings or self.where.file)

    def in_buffers(self) -> Iterator[Region]:
        found = places.Buffers(self.checkpoint, self.damaged)
        for place in PLACES:
            if self.where.covers(place):
                for buffer in found.of(place):
                    if self.where.pids and not any(h.pid in self.where.pids for h in buffer.holders):
                        continue
                    yield self._of_buffer(buffer)

    def _of_buffer(self, buffer: places.Buffer) -> Region:
        offset = places.offset_in(self.checkpoint, buffer, 0) or 0

        def fetch(_member: str, at: int, length: int) -> bytes:
            return buffer.data[at - offset : at - offset + length]

        piece = Piece(0, len(buffer.data), buffer.member, offset)
        region = Region(buffer.place, [piece], fetch)
        region.holders, region.path, region.number = buffer.holders, buffer.path, buffer.number
        return region

    def in_files(self) -> Iterator[Region]:
        for tar in tars(self.checkpoint.archive, self.checkpoint.prefix, self.damaged):
            if self.where.covers(tar.place):
                try:
                    yield from self._of_tar(tar)
                except CryoscopeError as error:
                    self.damaged.append(Damaged(tar.member, error.message, error.code))

    def _of_tar(self, tar: Held) -> Iterator[Region]:
        """A region a file; valid while the next ones are asked for, for the tar is closed afterwards."""
        with open_archive(self.checkpoint.archive.source(tar.member)) as layer:
            for member in sorted(plain_files(layer), key=lambda member: member.offset):

                def fetch(_member: str, at: int, length: int, name: str = member.name) -> bytes:
                    return layer.read_at(name, at, length)

                region = Region(tar.place, [Piece(0, member.size, tar.member, 0)], fetch)
                region.path = "/" + member.name.lstrip("/")
                yield region
