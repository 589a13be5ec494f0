"""The generated files: made once into a folder by bench/generate.py, then taken from there.

The generator runs as a process of its own: the runner must stay small (bench/measure.py says why).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = 1  # of the bytes generated: raise it when they change, and everything is made anew
ROOT = Path(__file__).resolve().parent.parent
SUFFIX = {"none": ".tar", "zstd": ".tar.zst", "gzip": ".tar.gz"}


def truth_path(archive: Path) -> Path:
    """Where the truth of an archive is kept."""
    return archive.with_name(archive.name + ".truth.json")


@dataclass(frozen=True, slots=True)
class Data:
    """The folder of generated files."""

    folder: Path

    def archive(self, pages: str, compress: str = "none") -> tuple[Path, dict[str, Any]]:
        """A checkpoint archive with `pages` (1G, 256M, ...) of memory, and the truth about it."""
        out = self.folder / f"bench-v{VERSION}-{pages}{SUFFIX[compress]}"
        truth = _truth(out)
        if truth is None:
            self._generate(out, "--pages", pages, "--compress", compress)
            truth = _truth(out)
        if truth is None:
            raise SystemExit(f"{out.name} was not generated")
        return out, truth

    def pagemap(self, layout: str) -> Path:
        """A pagemap of a million entries, `old` or `new` layout."""
        return self._part(f"pagemap-{layout}")

    def members(self) -> Path:
        """A tar of 50,000 members."""
        return self._part("members")

    def _part(self, kind: str) -> Path:
        out = self.folder / f"bench-v{VERSION}-{kind}"
        if not out.exists():
            part = out.with_name(out.name + ".part")
            self._generate(part, "--kind", kind)
            os.replace(part, out)
        return out

    def _generate(self, out: Path, *arguments: str) -> None:
        print(f"generating {out.name} ...", file=sys.stderr)
        command = [sys.executable, "-m", "bench.generate", *arguments, str(out)]
        subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=True)


def _truth(archive: Path) -> dict[str, Any] | None:
    """The truth of an archive that is there whole, else None."""
    if not (archive.exists() and truth_path(archive).exists()):
        return None
    truth: dict[str, Any] = json.loads(truth_path(archive).read_text())
    return truth if truth.get("size") == archive.stat().st_size else None
