"""The walk over a tar: from header to header, never through the data between them.

One walk serves files, where what is skipped is never read, and streams, where it is dropped.
A broken header is named, and the walk goes on at the next one that can be found.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive import pax, sparse
from cryoscope.checkpoint.archive.header import BLOCK, MAGIC, ZEROS, HeaderReader, number, padded, valid
from cryoscope.checkpoint.archive.member import Member, normalise
from cryoscope.checkpoint.archive.report import Report
from cryoscope.checkpoint.archive.tape import BLOCK as STRETCH
from cryoscope.checkpoint.archive.tape import Tape

LONG_NAME, LONG_LINK, PAX, PAX_GLOBAL, PAX_SOLARIS, OLD_SPARSE = b"LKxgXS"
EXTENSIONS = frozenset(b"LKxgX")
STOP = -1

RUN_COST = 160
"""Bytes that one run of a sparse member takes in memory."""


class Walker:
    """Members of a tar in their order, and in `report` what is wrong with it.

    `is_tar` turns true at the first header, or at zero blocks that end an empty archive; while it
    is false after a walk, these bytes are no tar at all, and `head` is how they begin.  `ended` says whether
    both zero blocks of the end marker were there.
    """

    def __init__(self, tape: Tape, report: Report) -> None:
        self.is_tar = False
        self.ended = False
        self.head = b""
        self._tape = tape
        self._report = report
        self._headers = HeaderReader(report)
        self._local: pax.Records = {}
        self._global: pax.Records = {}
        self._last: Member | None = None
        self._data_end = 0
        self._extras = 0

    def __iter__(self) -> Iterator[Member]:
        position = count = 0
        read, valid, parse = self._tape.read, self._headers.valid, self._headers.read
        while position >= 0:
            block = read(position, BLOCK)
            if len(block) < BLOCK or not valid(block):
                position = self._no_header(block, position)
                continue
            self.is_tar = True
            kind = block[156]
            try:
                if kind in EXTENSIONS:
                    position = self._extension(kind, position + BLOCK, number(block[124:136]))
                    continue
                member = parse(block, position + BLOCK)
            except ValueError:
                position = self._broken(position)
                continue
            end = position + BLOCK + member.size
            if self._local or self._global or kind == OLD_SPARSE:
                member, end = self._extended(member, block)
            if count == limits.MEMBERS:
                self._report.add("", f"has more than {count} members", "limit.members", position)
                return
            count += 1
            self._last, self._data_end = member, end
            if member.name:
                yield member
            position = end + -end % BLOCK

    # --- what lies where a header should be -----------------------------------------------
    def _no_header(self, block: bytes, position: int) -> int:
        """Where to go on: STOP at the end of the archive or of what can be read."""
        if position == 0:
            self.head = block
        if len(block) < BLOCK:
            if position:
                self._cut(len(block))
            return STOP
        if block == ZEROS:
            self.is_tar = True
            self._behind_the_end(position + BLOCK)
            return STOP
        if position == 0 and block[257:262] != MAGIC:
            return STOP
        self.is_tar = True
        return self._broken(position)

    def _cut(self, rest: int) -> None:
        """Name what is missing of an archive that ends without its end marker."""
        length = self._tape.length or 0
        last = self._last
        if last and self._data_end > length:
            present = max(0, length - last.offset)
            wanted = self._data_end - last.offset
            problem = f"cut short: {present} of its {wanted} bytes are there"
            self._report.add(last.name, problem, "archive.truncated", present)
        elif rest or self._local:
            self._report.add("", "ends inside a header", "archive.truncated", length)
        elif self.is_tar:
            problem = "ends without its end marker: something may have been cut off"
            self._report.add("", problem, "archive.no-end", length)

    def _behind_the_end(self, position: int) -> None:
        """Look behind the first zero block for what is not padding, within limits.TRAILING."""
        limit = position + limits.TRAILING
        self.ended = self._tape.read(position, BLOCK) == ZEROS
        while position < limit and (chunk := self._tape.read(position, STRETCH // 16)):
            if chunk.count(0) != len(chunk):
                first = position + len(chunk) - len(chunk.lstrip(b"\0"))
                problem = "something follows the end of the archive"
                self._report.add("", problem, "archive.trailing", first)
                return
            position += len(chunk)

    def _broken(self, position: int) -> int:
        """Where the next header is after a broken one."""
        self._local = {}
        self._last = None
        self._report.add("", "a broken header: members may be missing here", "archive.header", position)
        found = self._search(position + BLOCK)
        if found == STOP:
            problem = "no header was found behind the broken one: the rest is unread"
            self._report.add("", problem, "archive.header", position)
        return found

    def _search(self, position: int) -> int:
        limit = position + limits.RESYNC
        while position < limit:
            chunk = self._tape.read(position, min(STRETCH, limit - position))
            found = _first_header(chunk)
            if found >= 0:
                return position + found
            if not chunk:
                break
            position += len(chunk)
        return STOP

    # --- headers about the next header ----------------------------------------------------
    def _extension(self, kind: int, offset: int, size: int) -> int:
        """Remember what an extension header says of the next member; where that begins."""
        if size < 0:
            raise ValueError("negative size")
        end = offset + padded(size)
        if size > limits.PAX_HEADER:
            self._report.add(
                "", f"an extension header of {size} bytes is not read", "limit.pax-header", offset
            )
            return end
        data = self._tape.read(offset, size)
        if kind in (LONG_NAME, LONG_LINK):
            key = "path" if kind == LONG_NAME else "linkpath"
            self._local.setdefault(key, data.partition(b"\0")[0])
            return end
        records, whole = pax.parse(data)
        if not whole:
            self._report.add("", "an extended header is broken", "archive.pax", offset)
        if kind == PAX_GLOBAL:  # applied to every member: only what counts, or each would cost all of it
            self._global.update(pax.relevant(records))
        else:
            self._local.update(records)
        return end

    def _extended(self, member: Member, block: bytes) -> tuple[Member, int]:
        """The member as its extension headers say, and where its data end in the tar."""
        records = {**self._global, **self._local}
        self._local = {}
        fields = pax.fields(records, self._report, member.name)
        if not member.size and member.type not in ("file", "other"):
            fields.pop("size", None)
        if fields:
            member = msgspec.structs.replace(member, **fields)
        end = member.offset + member.size
        if block[156] == OLD_SPARSE or (sparse.is_pax_sparse(records) and member.type == "file"):
            member, end = self._sparse(member, block, records)
        return self._afford(member), end

    def _sparse(self, member: Member, block: bytes, records: pax.Records) -> tuple[Member, int]:
        """A sparse member with its runs, and where its data end; unplaced if its map is broken."""
        tape, offset, stored = self._tape, member.offset, member.size
        try:
            if block[156] == OLD_SPARSE:
                pairs, size, used = sparse.old_pairs(block, tape, offset)
                end = offset + used + stored
            else:
                size = sparse.real_size(records)
                pairs, used = sparse.pax_pairs(records, tape, offset, stored)
                end, stored = offset + stored, max(0, stored - used)
        except sparse.SparseMapError:
            self._report.add(member.name, "its sparse map cannot be read", "archive.sparse", 0)
            return msgspec.structs.replace(member, size=0, offset=-1), offset + stored
        runs, whole = sparse.place(pairs, offset + used, stored, max(0, size))
        if not whole or size < 0:
            self._report.add(member.name, "its sparse map contradicts its size", "archive.sparse", 0)
        return msgspec.structs.replace(member, size=max(0, size), offset=offset + used, runs=runs), end

    def _afford(self, member: Member) -> Member:
        """The member without attributes and runs once limits.INDEX_EXTRAS is spent."""
        cost = len(member.name) + len(member.linkname) + RUN_COST * len(member.runs)
        if cost < BLOCK and not member.xattrs:
            return member
        cost += sum(len(key) + len(value) for key, value in member.xattrs.items())
        self._extras += cost
        if self._extras <= limits.INDEX_EXTRAS:
            return member
        self._extras -= cost
        self._report.add(member.name, "its extended header is too much to keep", "limit.index-extras")
        bare = Member(normalise(member.name[:255]), member.type)
        return bare if member.runs else msgspec.structs.replace(member, xattrs={}, linkname="")


def _first_header(chunk: bytes) -> int:
    """Offset of the first block with a magic and a right checksum; -1 if there is none."""
    column = chunk[257::BLOCK]
    row = column.find(b"u")
    while row >= 0:
        block = chunk[row * BLOCK : (row + 1) * BLOCK]
        if block[257:262] == MAGIC and len(block) == BLOCK and valid(block):
            return row * BLOCK
        row = column.find(b"u", row + 1)
    return -1
