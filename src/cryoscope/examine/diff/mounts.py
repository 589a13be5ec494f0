"""Mounts: what appeared, what went, and what is mounted otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.checkpoint.process import Mount
from cryoscope.examine.diff.aspect import Aspect, Sides, Thing, compare, numbered, picked
from cryoscope.examine.diff.records import Difference

NAME = "mounts"
PLAIN = ("fstype", "source", "root", "flags", "options", "external", "deleted")


def _compare(sides: Sides) -> Iterator[Difference]:
    old, new = sides.old.mounts, sides.new.mounts
    if not old or not new:
        if old or new:
            sides.note(f"mounts: the {'earlier' if not old else 'later'} checkpoint has none; not compared")
        return
    yield from compare(NAME, _table(old), _table(new))


def _table(mounts: list[Mount]) -> dict[str, Thing]:
    """By place; of several on one place, and in several namespaces, one after the other."""
    ordered = sorted(mounts, key=lambda mount: (mount.mountpoint, mount.namespace, mount.id))
    return numbered((mount.mountpoint, _thing(mount)) for mount in ordered)


def _thing(mount: Mount) -> Thing:
    return Thing(f"{mount.fstype} {mount.source}", picked(mount, *PLAIN))


ASPECT = Aspect(NAME, re.compile(r"mountpoints|mnt"), _compare)
