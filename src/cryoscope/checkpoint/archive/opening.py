"""Opening an archive: what it is, told by its first bytes, and its index."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cryoscope import limits
from cryoscope.checkpoint.archive import cache as index_cache
from cryoscope.checkpoint.archive.archive import Archive, TarContents
from cryoscope.checkpoint.archive.cache import IndexCache
from cryoscope.checkpoint.archive.codec import Progress, plain, sniff, unpack
from cryoscope.checkpoint.archive.folder import FolderArchive, open_root
from cryoscope.checkpoint.archive.frames import framed
from cryoscope.checkpoint.archive.header import BLOCK
from cryoscope.checkpoint.archive.hoard import Allowance
from cryoscope.checkpoint.archive.image import open_image
from cryoscope.checkpoint.archive.looks import EXPECTED, looks
from cryoscope.checkpoint.archive.nested import MemberSource
from cryoscope.checkpoint.archive.report import Report
from cryoscope.checkpoint.archive.source import ByteSource
from cryoscope.checkpoint.archive.stream import Keep, Restart, Stream, Tap
from cryoscope.checkpoint.archive.tape import BlockTape, FileTape
from cryoscope.checkpoint.archive.walk import Walker
from cryoscope.errors import ArchiveError, Damaged

HINT = "give a checkpoint archive (.tar, .tar.gz, .tar.zst), a checkpoint folder or an OCI image"


FRAMING = ("archive.seek-table", "archive.frame", "limit.frames", "limit.ratio", "limit.decompressed")
"""What is wrong with frames and not with the archive in them: it is read from its beginning then."""

Whole = Callable[[ByteSource, str], None]
"""Told of a source that must be decompressed from its start, and the codec, before that; may raise."""


class Opener:
    """What the caller passed on, for an archive and those in it."""

    def __init__(
        self,
        cache: IndexCache | None,
        keep: Keep | None,
        progress: Progress | None,
        tap: Tap | None = None,
        whole: Whole | None = None,
    ) -> None:
        self._whole = whole
        self._cache = cache
        self._keep = keep
        self._progress = progress
        self._tap = tap
        self._allowances: dict[int, Allowance] = {}

    def tar(self, source: ByteSource, nesting: int) -> Archive:
        """Any tar, compressed or not; on an error the source is closed."""
        try:
            if nesting > limits.NESTING:
                raise ArchiveError("lies in too many archives", code="limit.nesting")
            head = source.read_at(0, BLOCK)
            codec = sniff(head)
            if codec == "zstd" and source.size and _is_random(source):
                return self._framed(source, nesting)
            if codec or source.size is None:
                return self._streamed(source, codec, nesting)
            return self._seekable(source, source, nesting)
        except BaseException:
            source.close()
            raise

    def image(self, archive: Archive) -> Archive:
        """The checkpoint in an archive that is a container image; else the archive as it is."""
        try:
            return open_image(archive, self.tar) or archive
        except BaseException:
            archive.close()
            raise

    def _framed(self, source: ByteSource, nesting: int) -> Archive:
        """A zstd file by its seek table, if it has one that holds; else from its beginning."""
        note = None
        try:
            plain = framed(source)
            if plain is not None:
                archive = self._seekable(source, plain, nesting, "zstd")
                note = next(
                    (record for record in archive.damaged if record.code == "archive.seek-table"), None
                )
                if note is None:
                    return archive
        except ArchiveError as error:
            if error.code not in FRAMING:
                raise
            note = Damaged(source.name, error.message, error.code)
        return self._streamed(source, "zstd", nesting, note)

    def _seekable(
        self, source: ByteSource, plain: ByteSource, nesting: int, codec: str | None = None
    ) -> Archive:
        """A tar whose plain bytes can be read anywhere; `source` is what they come out of."""
        report = Report(source.name)
        read_into = getattr(plain, "read_into", None)
        contents = TarContents(plain.read_at, plain.close, read_into=read_into)
        form = f"tar+{codec}" if codec else "tar"
        archive = Archive(source.name, form, source.size, contents, report, nesting=nesting)
        archive.seekable = True
        walker = Walker(FileTape(plain), report)
        archive.fingerprint = source.fingerprint
        with _to_the_end(archive):
            archive.add_all(walker)
        archive.ended = walker.ended
        demand(archive, walker, walker.head, codec)
        return archive

    def _streamed(
        self, source: ByteSource, codec: str | None, nesting: int, note: Damaged | None = None
    ) -> Archive:
        if codec and self._whole is not None:
            self._whole(source, codec)
        report = Report(source.name)
        if note is not None:
            report.records.append(note)
        stream = Stream(source.name, self._again(source, codec), self._keep, self._allowance(source, nesting))
        contents = TarContents(stream.fetch, stream.close, source.close)
        form = f"tar+{codec}" if codec else "tar"
        archive = Archive(source.name, form, source.size, contents, report, nesting=nesting)
        archive.fingerprint = source.fingerprint
        key = source.fingerprint() if self._cache is not None else None
        if self._tap is None and self._remembered(key, archive, stream):
            return archive
        if codec:
            blocks = unpack(source, codec, report, self._progress)
        else:
            blocks = plain(source, self._progress)
        tape = BlockTape(blocks if self._tap is None else self._tap(archive, blocks))
        walker = Walker(tape, report)
        with _to_the_end(archive):
            stream.scan(tape, walker, archive)
        demand(archive, walker, walker.head, codec)
        if self._cache is not None and key is not None:
            self._cache.put(key, index_cache.dump(archive, key))
        return archive

    def _allowance(self, source: ByteSource, nesting: int) -> Allowance:
        """Room for what is kept: one for the archive, one for all the layers in it."""
        room = limits.KEPT_FROM_PIPE if source.size is None else limits.KEPT_TOTAL
        return self._allowances.setdefault(nesting, Allowance(room))

    def _again(self, source: ByteSource, codec: str | None) -> Restart:
        if source.size is None:
            return None
        if codec is None:
            return lambda: plain(source, None)
        return lambda: unpack(source, codec, Report(source.name), None)

    def _remembered(self, key: str | None, archive: Archive, stream: Stream) -> bool:
        """Whether the index was in the cache and has been entered."""
        if self._cache is None or key is None:
            return False
        found = index_cache.load(self._cache.get(key), key, archive.form, archive.size)
        if found is None:
            return False
        members, damaged = found
        known = set(archive.damaged)
        archive.enter(members, [record for record in damaged if record not in known])
        stream.replay(members, archive)
        return True


def open_archive(
    source: ByteSource,
    *,
    cache: IndexCache | None = None,
    keep: Keep | None = None,
    progress: Progress | None = None,
    nesting: int = 0,
    tap: Tap | None = None,
    whole: Whole | None = None,
) -> Archive:
    """An archive of any form out of a source, which it owns from now on.

    `keep` is asked for the ranges of large members to keep while a compressed archive streams by,
    `progress` is told (bytes read, bytes in all or None), `nesting` is how many archives this one
    lies in: only at 0 is a container image looked into for its checkpoint, because a file system
    in a checkpoint may hold anything.  `tap` sees all blocks of every tar that streams by; with one,
    the cache is not asked, because then nothing would.  `whole` is told before anything is decompressed
    from its start.  Raises ArchiveError if nothing can be read; anything less is in `archive.damaged`.
    """
    if isinstance(source, MemberSource):
        nesting = max(nesting, source.nesting)
    opener = Opener(cache, keep, progress, tap, whole)
    archive = opener.tar(source, nesting)
    return archive if nesting else opener.image(archive)


def open_parts(
    base: Archive,
    *,
    cache: IndexCache | None = None,
    keep: Keep | None = None,
    progress: Progress | None = None,
    tap: Tap | None = None,
    whole: Whole | None = None,
) -> Archive:
    """The checkpoint in an image whose parts are the members of `base`, which it owns; as `open_archive`."""
    return Opener(cache, keep, progress, tap, whole).image(base)


def open_folder(
    path: str | os.PathLike[str],
    *,
    cache: IndexCache | None = None,
    keep: Keep | None = None,
    progress: Progress | None = None,
) -> Archive:
    """A folder on disk as an archive: images of CRIU, a checkpoint of Docker, an OCI layout.

    The options are for the layers of an OCI layout.  Raises ArchiveError if it cannot be opened
    or is empty.
    """
    path = os.fspath(path)
    archive = FolderArchive(path, open_root(path))
    if not archive.members:
        archive.close()
        reason = archive.damaged[0].problem if archive.damaged else "is empty"
        raise ArchiveError(f"{path} {reason}", hint=HINT, code="archive.empty")
    return Opener(cache, keep, progress).image(archive)


def _is_random(source: ByteSource) -> bool:
    """Whether its end costs no more than its beginning."""
    return not isinstance(source, MemberSource) or source.seekable


@contextmanager
def _to_the_end(archive: Archive) -> Iterator[None]:
    """Bytes that cannot be read end the index; what is in it stays."""
    try:
        yield
    except ArchiveError as error:
        if not archive.members:
            raise
        archive.report(error)


def demand(archive: Archive, walker: Walker, head: bytes, codec: str | None = None) -> None:
    """ArchiveError if a walk found nothing at all that can be read; `head` is how the plain bytes begin."""
    if archive.members:
        return
    if archive.damaged and (walker.is_tar or codec):
        first = archive.damaged[0]
        raise ArchiveError(first.problem, hint=HINT, code=first.code)
    if walker.is_tar:
        return
    if not head:
        raise ArchiveError("is empty", hint=HINT, code="archive.empty")
    packed = f"decompresses ({codec}) to" if codec else "is"
    raise ArchiveError(f"{packed} no archive: expected {EXPECTED}; {looks(head)}", hint=HINT)
