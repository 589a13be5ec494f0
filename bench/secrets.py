"""What the rows about searching need: the pages alone in a file, and patterns as ripgrep reads them."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

PATTERNS = Path(__file__).resolve().parent / "patterns.txt"
LITERAL = "bench-token-0012"
"""In the environment of one of the generated processes."""


def pages_of(archive: Path) -> Path:
    """All pages images of a plain archive one after the other, as `dd` would get them out for grep."""

    def write(part: Path) -> None:
        with open(part, "wb") as out, tarfile.open(archive) as tar:
            for member in tar:
                if "/pages-" in member.name and (source := tar.extractfile(member)):
                    shutil.copyfileobj(source, out, 1 << 20)

    return _made(archive.with_name(archive.name + ".pages"), write)


def bare_patterns(folder: Path) -> Path:
    """The expressions of patterns.txt without names, one a line."""
    lines = [line for line in PATTERNS.read_text().splitlines() if line and not line.startswith("#")]
    text = "".join(line.partition("\t")[2] + "\n" for line in lines)
    return _made(folder / "patterns.rg", lambda part: part.write_text(text))


def _made(target: Path, write: Callable[[Path], object]) -> Path:
    if not target.exists():
        part = target.with_name(target.name + ".part")
        write(part)
        os.replace(part, target)
    return target
