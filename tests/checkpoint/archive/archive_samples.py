"""Archives made on the spot for the tests of the archive room."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import tarfile
from collections.abc import Callable

from cryoscope.checkpoint.archive import Archive, BytesSource, Keep, TarWriter, open_archive
from cryoscope.errors import ArchiveError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Packer = Callable[[bytes], bytes]

PACKERS: dict[str, Packer] = {
    "tar": bytes,
    "tar+gzip": gzip.compress,
    "tar+zstd": zstd.compress,
    "tar+xz": lzma.compress,
    "tar+bzip2": bz2.compress,
}


class Samples:
    """Makers of archives, handed to the tests as one fixture."""

    packers = PACKERS

    @staticmethod
    def tar(files: dict[str, bytes]) -> bytes:
        """A tar by the product's own writer; its own oracle tests are in test_archive_writer."""
        buffer = io.BytesIO()
        with TarWriter(buffer) as writer:
            for name, data in files.items():
                writer.add(name, data)
        return buffer.getvalue()

    @staticmethod
    def tarfile(members: list[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.GNU_FORMAT) -> bytes:
        """A tar by Python's tarfile."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
            for info, data in members:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return buffer.getvalue()

    @staticmethod
    def open(data: bytes, *, keep: Keep | None = None) -> Archive:
        return open_archive(BytesSource(data, "sample"), keep=keep)

    @staticmethod
    def attempt(data: bytes) -> Archive | ArchiveError:
        """The archive, or the clean error that its bytes deserve; any other error is a bug."""
        try:
            return open_archive(BytesSource(data, "sample"))
        except ArchiveError as error:
            return error
