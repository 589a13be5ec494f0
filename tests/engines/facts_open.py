"""A descriptor of /proc as facts, each by the kind of file and the name of the fact."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from typing import Any

from lab.proc_records import Opened

Fact = tuple[tuple[str, ...], Any]

ANONYMOUS = {"eventpoll": "epoll"}
"""Kinds that are called otherwise behind `anon_inode:`."""
TERMINALS = (4, 5, *range(136, 144))
"""Major numbers of consoles, /dev/tty and ptmx, and pseudo-terminals (admin-guide/devices.txt)."""
TUPLE = re.compile(r"\((\d+), (\d+)\)")


def kind_of(opened: Opened) -> str:
    """What it is, in the words of `Descriptor.type`."""
    target, mode = opened.target, opened.mode
    if found := re.fullmatch(r"anon_inode:\[?([\w-]+)\]?", target):
        return ANONYMOUS.get(found[1], found[1])
    if target.startswith("/memfd:"):
        return "memfd"
    if re.fullmatch(r"\w+:\[\d+\]", target):
        kind = target.partition(":")[0]
        return kind if kind in ("pipe", "socket") else "namespace"
    if stat.S_ISCHR(mode):
        return "tty" if int(opened.rdev.split(":")[0]) in TERMINALS else "chardev"
    kinds = {stat.S_IFIFO: "fifo", stat.S_IFDIR: "directory", stat.S_IFBLK: "blockdev"}
    return kinds.get(stat.S_IFMT(mode), "file")


def facts_of_descriptor(opened: Opened) -> Iterator[Fact]:
    """Everything that is known of it."""
    kind = kind_of(opened)
    yield ("type",), kind
    yield ("target",), opened.target
    yield ("flags",), opened.flags & ~os.O_CLOEXEC
    yield ("cloexec",), bool(opened.flags & os.O_CLOEXEC)
    yield ("locks",), frozenset((lock.kind, lock.mode, lock.start, lock.length) for lock in opened.locks)
    for name in ("position", "mount", "inode", "mode", "size", "device", "rdev"):
        yield (kind, name), getattr(opened, name)
    if opened.queued is not None:
        yield (kind, "queued"), opened.queued
    if opened.pipe_size is not None:
        yield (kind, "pipe-size"), opened.pipe_size
    for name, text in opened.info.items():
        yield (kind, name), _value(name, text)
    for kind_, row in opened.rows:
        yield from _watch(kind_, row)


def _value(name: str, text: str) -> Any:
    if name in ("eventfd-count", "sigmask"):
        return int(text, 16)
    if found := TUPLE.fullmatch(text):
        return int(found[1]) * 1_000_000 + int(found[2]) // 1000
    if name == "NSpid":
        return int(text.split()[-1])
    base = 8 if name == "settime flags" else 10
    return int(text, base) if re.fullmatch(r"-?\d+", text) else text


def _watch(kind: str, row: dict[str, str] | Any) -> Iterator[Fact]:
    """The columns of a line, by what is watched; numbers but those of descriptors are hexadecimal."""
    numbers: dict[str, Any] = {name: _number(kind, name, text) for name, text in row.items()}
    watched = numbers.pop("tfd" if kind == "tfd" else "wd", numbers.get("ino"))
    for name, number in numbers.items():
        yield ("watch", str(watched), name), number


def _number(kind: str, name: str, text: str) -> int | str:
    if name == "f_handle":
        return text
    return int(text, 10 if kind == "tfd" and name in ("tfd", "pos") else 16)
