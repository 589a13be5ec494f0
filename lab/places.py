"""Where the lab is kept between runs."""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent


def home() -> Path:
    """The lab's folder: $CRYOSCOPE_LAB_HOME, else in the cache folder of the user."""
    chosen = os.environ.get("CRYOSCOPE_LAB_HOME")
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(chosen) if chosen else Path(base) / "cryoscope" / "lab"


def root() -> Path:
    """The root filesystem that nodes run in."""
    return home() / "root"
