"""Descriptors of each process: opened, closed, or leading elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.checkpoint.process import Descriptor
from cryoscope.examine.diff.aspect import Aspect, Renumbered, Sides, Thing, compare, picked, who
from cryoscope.examine.diff.records import Difference, Value

NAME = "descriptors"
PLAIN = (
    "type",
    "access",
    "flags",
    "cloexec",
    "deleted",
    "mode",
    "queued",
    "counter",
    "interval_us",
    "signals",
)
PLACED = ("offset", "size")
"""Of files: how far they were read or written, and their length."""


def _compare(sides: Sides) -> Iterator[Difference]:
    old = {pair.old.pid: sides.old.descriptors(pair.old.pid) for pair in sides.matching.pairs}
    new = {pair.new.pid: sides.new.descriptors(pair.new.pid) for pair in sides.matching.pairs}
    numbers = Renumbered(_inodes(old), _inodes(new))
    for pair in sides.matching.pairs:
        before = {one.fd: one for one in old[pair.old.pid]}
        after = {one.fd: one for one in new[pair.new.pid]}
        same = {fd for fd in before.keys() & after.keys() if numbers.same(before[fd].inode, after[fd].inode)}
        yield from compare(NAME, _table(before, same), _table(after, same), who(pair))


def _inodes(found: dict[int, list[Descriptor]]) -> Iterator[int]:
    return (one.inode for held in found.values() for one in held if one.inode is not None)


def _table(found: dict[int, Descriptor], same: set[int]) -> dict[str, Thing]:
    return {
        f"fd {fd}": Thing(_target(one), _fields(one, numbered=fd not in same)) for fd, one in found.items()
    }


def _fields(one: Descriptor, *, numbered: bool) -> dict[str, Value | None]:
    """What may change; a target that is only a number counts where the numbers do not fit."""
    found = picked(one, *PLAIN, *PLACED)
    found["target"] = one.path or _target(one, inode=numbered)
    found["watches"] = [str(w.path or f"fd {w.fd}") for w in one.watches]
    found["locks"] = [f"{lock.kind} {lock.mode} {lock.start}+{lock.length}" for lock in one.locks]
    if one.socket is not None:
        s = one.socket
        found["socket"] = " ".join(filter(None, (s.protocol or s.family, s.state, s.local, s.remote)))
        found["queued"] = str(s.recv_queue + s.send_queue)
    return found


def _target(one: Descriptor, *, inode: bool = True) -> str:
    if one.socket is not None and one.socket.local:
        return f"{one.socket.protocol or one.socket.family} {one.socket.local}"
    return one.target if inode or one.inode is None else re.sub(r"\[\d+\]$", "", one.target)


ASPECT = Aspect(
    NAME, re.compile(r"fdinfo|files|remap|pipes|queue|tty|signalfd|tcp-stream|pstree|pid "), _compare
)
