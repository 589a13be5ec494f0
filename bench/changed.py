"""A second checkpoint of the same container: a copy of an archive of which one page in a hundred changed."""

from __future__ import annotations

import os
import random
import shutil
import tarfile
from pathlib import Path

PAGE, EVERY = 4096, 100
SEED = 20261122


def changed_copy(archive: Path) -> tuple[Path, int]:
    """The copy, made once, and how many pages of it are not those of `archive`."""
    pages = _chosen(archive)
    target = archive.with_name(f"{archive.name.removesuffix('.tar')}-changed.tar")
    if not target.exists():
        part = target.with_name(target.name + ".part")
        shutil.copyfile(archive, part)
        with open(part, "r+b") as file:
            for offset in pages:
                file.seek(offset + 1000)
                byte = file.read(1)
                file.seek(offset + 1000)
                file.write(bytes([byte[0] ^ 0xFF]))
        os.replace(part, target)
    return target, len(pages)


def _chosen(archive: Path) -> list[int]:
    """Offsets of the pages that change: none of the last of an image, where the stack's end lies."""
    found: list[int] = []
    rng = random.Random(SEED)
    with tarfile.open(archive) as tar:
        for member in tar:
            if "/pages-" in member.name:
                count = member.size // PAGE - 1
                found += [member.offset_data + n * PAGE for n in rng.sample(range(count), count // EVERY)]
    return found
