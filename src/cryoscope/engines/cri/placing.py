"""An archive where the runtime reads it: on its own machine, as a plain tar."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from cryoscope.checkpoint.archive.codec import sniff, unpack
from cryoscope.checkpoint.archive.report import Report
from cryoscope.checkpoint.archive.source import FileSource
from cryoscope.engines.host import Host
from cryoscope.errors import ArchiveError


@contextmanager
def placed(host: Host, archive: str) -> Iterator[str]:
    """The path by which the host knows a plain copy of an archive; the archive itself where that will do.

    Raises `ArchiveError` for one that cannot be decompressed to its end.
    """
    with open(archive, "rb") as file:
        codec = sniff(file.read(16))
    seen = host.inside(archive)
    if codec is None and seen is not None:
        yield seen
        return
    with host.scratch() as folder:
        inside = folder + "/checkpoint.tar"
        if codec is None:
            shutil.copyfile(archive, host.path(inside))
        else:
            _decompress(archive, codec, host.path(inside))
        yield inside


def _decompress(archive: str, codec: str, outside: str) -> None:
    source, report = FileSource(archive), Report(os.path.basename(archive))
    try:
        with open(outside, "xb") as to:
            to.writelines(unpack(source, codec, report, None))
    finally:
        source.close()
    if report.records:
        first = report.records[0]
        raise ArchiveError(first.problem, hint="copy the archive again, whole", code=first.code)
