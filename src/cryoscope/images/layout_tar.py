"""A tar of an image layout, as `skopeo copy oci-archive:` and `podman load` take it.

It is written front to back, each blob once: room is left for the header of one whose size and digest are
known only in the end.  The file has another name until all of it is there.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
from typing import Self

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive, ByteSource, FileSource, TarWriter, open_archive
from cryoscope.checkpoint.archive.header import BLOCK
from cryoscope.checkpoint.archive.writer import RECORD, RESERVED, reserved_header
from cryoscope.durable import sync_folder
from cryoscope.errors import ArchiveError, CryoscopeError, UsageError
from cryoscope.images.build import encode
from cryoscope.images.layout import LIST, MARK, PART, VERSION, writing
from cryoscope.images.ports import INDEX, Descriptor, OciError, Upload
from cryoscope.images.reading import Listing, blob_path, checked, choose, listing, named


class LayoutTarTarget:
    """A new tar of a layout; a context manager that gives it its name when all went well.

    Raises `UsageError` `image.exists` if the file is there already.
    """

    def __init__(self, path: str) -> None:
        if os.path.lexists(path):
            raise UsageError(f"{path} is there already", hint="name a new file with -o", code="image.exists")
        self.path = path
        self._folder = os.path.dirname(os.path.abspath(path))
        with writing(path):
            self._handle, self._part = tempfile.mkstemp(prefix=PART, dir=self._folder)
        self._end = 0
        self._blobs: set[str] = set()
        self._listed: list[Descriptor] = []
        self._add(MARK, VERSION)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            os.close(self._handle)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._part)

    def has(self, descriptor: Descriptor) -> bool:
        """Whether a blob is in it already."""
        return descriptor.digest in self._blobs

    @contextlib.contextmanager
    def upload(self) -> Iterator[Upload]:
        """A new blob; one at a time."""
        part = _Part(self)
        with writing(self.path):
            yield part

    def put(self, descriptor: Descriptor, document: bytes) -> None:
        """A config, manifest or index."""
        if not self.has(descriptor):
            self._add(blob_path(descriptor.digest), document)
            self._blobs.add(descriptor.digest)

    def name(self, reference: str | None, descriptor: Descriptor, document: bytes) -> None:
        """What a name means, written at the end."""
        self._listed.append(named(descriptor, reference))

    def _add(self, name: str, data: bytes) -> None:
        made = io.BytesIO()
        TarWriter(made).add(name, data)
        self._write(self._end, made.getvalue())
        self._end += len(made.getvalue())

    def _write(self, offset: int, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            done = os.pwrite(self._handle, view, offset)
            view, offset = view[done:], offset + done

    def write_behind(self, offset: int, data: bytes | memoryview) -> None:
        """Bytes behind what is finished, of a blob in the making."""
        self._write(self._end + offset, data)

    def enter(self, digest: str, size: int) -> None:
        """A blob that was written behind the room for its header is finished; once is enough."""
        if digest in self._blobs:
            return
        self._write(self._end, reserved_header(blob_path(digest), size))
        self._end += RESERVED + size
        padding = -size % BLOCK
        self._write(self._end, bytes(padding))
        self._end += padding
        self._blobs.add(digest)

    def _finish(self) -> None:
        with writing(self.path):
            self._add(LIST, encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": self._listed}))
            os.ftruncate(self._handle, self._end)
            end = self._end + 2 * BLOCK
            os.ftruncate(self._handle, end + -end % RECORD)
            os.fsync(self._handle)
            self._appear()
            sync_folder(self._folder)

    def _appear(self) -> None:
        """The file under its own name; nothing that came up meanwhile is replaced."""
        try:
            os.link(self._part, self.path)
        except FileExistsError:
            raise UsageError(
                f"{self.path} has come up meanwhile", hint="name a new file with -o", code="image.exists"
            ) from None
        except PermissionError:  # file systems without hard links
            os.rename(self._part, self.path)


class _Part:
    """A blob in the making, behind room for its header."""

    def __init__(self, tar: LayoutTarTarget) -> None:
        self._tar, self._size = tar, 0

    def write(self, block: bytes | memoryview) -> None:
        self._tar.write_behind(RESERVED + self._size, block)
        self._size += len(block)

    def commit(self, digest: str) -> None:
        self._tar.enter(digest, self._size)


class LayoutTar:
    """A tar of a layout (`ImageSource`), read where it lies; a context manager.

    Raises `OciError` `image.layout` if it is none, `ArchiveError` if it cannot be read at all.
    """

    def __init__(self, path: str, source: ByteSource | None = None) -> None:
        self.path = path
        self._archive: Archive = open_archive(source or FileSource(path), nesting=1)
        if MARK not in self._archive or LIST not in self._archive:
            self._archive.close()
            raise OciError(
                f"{path} is no image layout", hint="name a tar with an oci-layout in it", code="image.layout"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._archive.close()

    def listing(self) -> Listing:
        """What index.json lists."""
        return listing(self._archive.read(LIST, limit=limits.REGISTRY_DOCUMENT))

    def resolve(self, reference: str | None) -> tuple[Descriptor, bytes]:
        """The index or manifest of a name, a tag or a digest."""
        found = choose(self.listing().manifests, reference)
        opened = self.blob(found)
        return found, checked(opened.read_at(0, limits.REGISTRY_DOCUMENT + 1), found)

    def blob(self, descriptor: Descriptor) -> ByteSource:
        """A blob; raises `OciError` `image.blob-missing`."""
        try:
            return self._archive.source(blob_path(descriptor.digest))
        except ArchiveError as error:
            raise _missing(descriptor, error) from None


def _missing(descriptor: Descriptor, error: CryoscopeError) -> OciError:
    return OciError(f"the blob {descriptor.digest} is not there: {error.message}", code="image.blob-missing")
