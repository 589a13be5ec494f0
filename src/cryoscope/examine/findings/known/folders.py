"""Folders of a Linux system: which hold its programs, which anybody may write to, and what is hidden."""

from __future__ import annotations

import posixpath
import re

TEMPORARY = re.compile(r"/(?:tmp|var/tmp|dev/shm|run/shm|dev/mqueue|run/lock|var/lock)(?=/)")
"""Folders that every user may write to."""

PROGRAMS = re.compile(r"/(?:usr/)?s?bin/")
LIBRARIES = re.compile(r"/(?:usr/)?(?:lib(?:32|64|x32)?|libexec)/")
MERGED = re.compile(r"/(?=(?:s?bin|lib(?:32|64|x32)?)(?:/|$))")
HOME = re.compile(r"/(?:root|home/[^/]+|var/lib/[^/]+|var/www)(?=/)")
"""Home folders, those of the usual services among them."""


def merged(path: str) -> str:
    """A path with /bin, /sbin and /lib taken for those of /usr, which they link to on today's systems."""
    return MERGED.sub("/usr/", path, count=1) if MERGED.match(path) else path


def temporary(path: str | None) -> bool:
    """Whether a path lies in a folder that everybody may write to."""
    return bool(path) and TEMPORARY.match(path or "") is not None


def system(path: str) -> bool:
    """Whether a path is where the system keeps its programs and libraries."""
    return PROGRAMS.match(path) is not None or LIBRARIES.match(path) is not None


def hidden(path: str) -> bool:
    """Whether `ls` leaves out the file or a folder above it."""
    return any(part.startswith(".") for part in path.split("/"))


def base(path: str) -> str:
    """The last part of a path."""
    return posixpath.basename(path)
