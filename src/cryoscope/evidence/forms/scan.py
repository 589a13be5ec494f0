"""One pass over an archive as it is given: its bytes in order, and its members as they are met."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cryoscope.checkpoint.archive import Archive, ByteSource, Member
from cryoscope.checkpoint.archive.archive import TarContents
from cryoscope.checkpoint.archive.codec import Progress, plain, sniff, unpack
from cryoscope.checkpoint.archive.header import BLOCK as HEADER
from cryoscope.checkpoint.archive.image import holds_checkpoint
from cryoscope.checkpoint.archive.oci import is_image
from cryoscope.checkpoint.archive.opening import demand
from cryoscope.checkpoint.archive.report import Report
from cryoscope.checkpoint.archive.tape import BlockTape
from cryoscope.checkpoint.archive.walk import Walker
from cryoscope.errors import ArchiveError

BLOCK = 1 << 20

Given = Callable[[bytes], object]
"""Gets each block of the source, in order, all of it."""

Passed = Callable[[list[Member], bytes], object]
"""Gets each block of the plain tar, with the members that were met up to its end and not told before."""


class Scan:
    """Reads a source once, from its beginning to its end, whatever is wrong with what is in it.

    `codec` is how it is compressed, None if it is not.  `archive` is the index when `run` is done.
    """

    def __init__(self, source: ByteSource, progress: Progress | None = None) -> None:
        self.codec = sniff(source.read_at(0, HEADER))
        self._source = source
        self._progress = progress
        self._met: list[Member] = []

    def run(self, given: Given, passed: Passed) -> None:
        """Raises ArchiveError where nothing at all can be read, and what the callbacks raise."""
        tee = _Tee(self._source, given)
        report = Report(self._source.name)
        self.archive = Archive(
            self._source.name,
            f"tar+{self.codec}" if self.codec else "tar",
            self._source.size,
            TarContents(lambda *_: b""),
            report,
        )
        if self.codec:
            blocks = unpack(tee, self.codec, report, self._progress)
        else:
            blocks = plain(tee, self._progress)
        tapped = self._tapped(blocks, passed)
        self._walk(BlockTape(tapped), report, tee)
        for _ in tapped:
            pass
        tee.drain(self._progress)

    @property
    def form(self) -> str:
        """As `Archive.form` would have it if the archive were opened."""
        is_oci = is_image(self.archive) and not holds_checkpoint(self.archive)
        return "oci-archive" if is_oci else self.archive.form

    def _walk(self, tape: BlockTape, report: Report, tee: _Tee) -> None:
        walker = Walker(tape, report)
        try:
            for member in walker:
                self._met.append(member)
                self.archive.add(member)
        except ArchiveError as error:
            if tee.failed:
                raise
            self.archive.report(error)
        demand(self.archive, walker, walker.head, self.codec)

    def _tapped(self, blocks: Iterator[bytes], passed: Passed) -> Iterator[bytes]:
        """The blocks; when the next is asked for, every member that begins in the one before is known."""
        for block in blocks:
            yield block
            met, self._met = self._met, []
            passed(met, block)


class _Tee:
    """A source that is read in order, whose bytes are given to somebody else as well, each once."""

    def __init__(self, source: ByteSource, given: Given) -> None:
        self.name = source.name
        self.size = source.size
        self._source = source
        self._given = given
        self._position = 0
        self.failed = False

    def read_at(self, offset: int, length: int) -> bytes:
        """As of any source; what is read for the first time goes to `given`."""
        self.failed = True
        data = self._source.read_at(offset, length)
        self.failed = False
        fresh = offset + len(data) - self._position
        if fresh > 0:
            self._given(data if fresh == len(data) else data[-fresh:])
            self._position += fresh
        return data

    def drain(self, progress: Progress | None) -> None:
        """Read what nobody asked for."""
        while self.read_at(self._position, BLOCK):
            if progress is not None:
                progress(self._position, self.size)

    def fingerprint(self) -> str | None:
        return None

    def close(self) -> None:
        """Nothing: whoever gave the source closes it."""
