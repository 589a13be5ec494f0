"""Checkpoints with many more pages than they had."""

from __future__ import annotations

import io
import random
import tarfile
from pathlib import Path

from cryoscope.checkpoint.archive.frames import FrameWriter

MIB = 1 << 20
PAGES = "checkpoint/pages-77.img"


def enlarged(archive: Path, to: Path, size: int) -> Path:
    """A checkpoint with `size` more bytes of pages in its middle, which do not compress."""
    noise = random.Random(7)
    with tarfile.open(archive) as old, open(to, "wb") as file, tarfile.open(fileobj=file, mode="w") as new:
        members = old.getmembers()
        for number, member in enumerate(members):
            if number == len(members) // 2:
                _add(new, file, size, noise)
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    return to


def _add(new: tarfile.TarFile, file: io.BufferedWriter, size: int, noise: random.Random) -> None:
    more = tarfile.TarInfo(PAGES)
    more.size = size
    data = _Noise(size, noise)
    new.addfile(more, data)  # type: ignore[arg-type]


def framed(archive: Path, to: Path) -> Path:
    """The same in frames of zstd with a seek table, cut where its large members begin and end."""
    with tarfile.open(archive) as tar:
        large = [member for member in tar.getmembers() if member.size >= MIB]
    cuts = {at for member in large for at in (member.offset_data, member.offset_data + member.size)}
    with open(archive, "rb") as file, open(to, "wb") as out, FrameWriter(out.write, cuts=cuts) as frames:
        while block := file.read(MIB):
            frames.write(block)
    return to


class _Noise:
    """A file of so many bytes of noise."""

    def __init__(self, size: int, noise: random.Random) -> None:
        self._left, self._noise = size, noise

    def read(self, length: int) -> bytes:
        found = self._noise.randbytes(min(length, self._left))
        self._left -= len(found)
        return found
