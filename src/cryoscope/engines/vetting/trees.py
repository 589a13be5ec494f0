"""The trees of files in an archive, judged entry by entry: what would leave the folder it is unpacked in.

Engines unpack rootfs-diff.tar and volumes into folders of the host, CRIU the contents of tmpfs mounts.
Legitimate in them are symbolic links to any path of the container (/etc/mtab leads to /proc/mounts), fifos,
the devices that runtimes make, and files that run as their owner: packages install those.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive, Member
from cryoscope.checkpoint.archive.member import normalise, resolve
from cryoscope.checkpoint.archive.writer import ROOT
from cryoscope.checkpoint.rootfs.tars import Held, tars
from cryoscope.engines.vetting.layers import Layer
from cryoscope.errors import CryoscopeError, Damaged

DEVICES = frozenset({(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2), (10, 200), (10, 229)})
"""null, zero, full, random, urandom, tty, console, ptmx, tun, fuse (the kernel's devices.txt)."""

PTS = range(136, 144)
"""Majors of pseudo terminals."""

WHITEOUT = ".wh."
SETID = 0o6000
CAPABILITY = "security.capability"


class Problem(NamedTuple):
    """What is wrong with an entry; `gone` if the copy is made without it."""

    code: str
    what: str
    name: str
    gone: bool


class Tree(msgspec.Struct):
    """One tar: what is wrong in it, the offsets of entries that the copy leaves out, and its symbolic links.

    `targets` is where those links lead, by name.

    Of those offsets, `devices` are left out for being devices, `others` for something else; `mighty` are the
    names of files that run with rights of their own.
    """

    member: str
    origin: str
    problems: list[Problem] = []
    dropped: set[int] = set()
    devices: set[int] = set()
    others: set[int] = set()
    links: dict[str, int] = {}
    targets: dict[str, str] = {}
    mighty: list[str] = []
    damaged: list[Damaged] = []


def read_trees(archive: Archive, prefix: str, damaged: list[Damaged]) -> list[Tree]:
    """Every tar of an archive; one that cannot be read is a problem of its own."""
    return [_read(archive, held) for held in tars(archive, prefix, damaged)]


def _read(archive: Archive, held: Held) -> Tree:
    tree = Tree(held.member, held.origin)
    judge = Judge(tree)
    try:
        layer = Layer(archive, held.member)
        for count, member in enumerate(layer):
            if count >= limits.VETTING_ENTRIES:
                tree.problems.append(Problem("tree.unreadable", "has too many entries", "", False))
                break
            judge.look(member, absolute=member.offset in layer.absolute)
        tree.damaged += layer.damaged
    except CryoscopeError as error:
        tree.problems.append(Problem("tree.unreadable", error.message, "", False))
    judge.end()
    return tree


class Judge:
    """Looks at one entry after the other."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._names: dict[str, tuple[int, bool]] = {}
        self._twice: set[str] = set()

    def look(self, member: Member, *, absolute: bool) -> None:
        """Enter an entry and what is wrong with it."""
        problems = list(self._of(member))
        if absolute:
            problems.append(("tree.absolute", "its name begins at the root of the file system", False))
        for code, what, gone in problems:
            self._add(code, what, member.name, member.offset if gone else None)
        self._duplicate(member)
        if member.type == "symlink":
            self._tree.links[member.name] = member.offset
            self._tree.targets[member.name] = member.linkname
        if (member.mode & SETID and member.type in ("file", "hardlink")) or CAPABILITY in member.xattrs:
            self._tree.mighty.append(member.name)

    def _add(self, code: str, what: str, name: str, offset: int | None) -> None:
        self._tree.problems.append(Problem(code, what, name, offset is not None))
        if offset is not None:
            self._tree.dropped.add(offset)
            (self._tree.devices if code == "tree.device" else self._tree.others).add(offset)

    def _of(self, member: Member) -> Iterator[tuple[str, str, bool]]:
        if outside(member.name):
            yield "tree.outside", "its name leaves the tree", True
        if above(member.name, self._tree.links):
            yield "tree.through-link", "its name goes through a symbolic link of the same archive", True
        if member.type == "symlink" and self._tree.origin == "rootfs" and _climbs(member):
            yield "tree.link", f"leads out of the tree: {member.linkname}", True
        if member.type == "hardlink" and self._strays(member.linkname):
            yield "tree.hardlink", f"is another name of a file outside: {member.linkname}", True
        if member.type in ("chardev", "blockdev") and not _harmless(member):
            device = f"{member.type} {member.devmajor}:{member.devminor}"
            yield "tree.device", f"is a device ({device})", True
        if any(name.startswith("trusted.") for name in member.xattrs):
            yield "tree.attribute", "has attributes that rule how file systems are laid over each other", True
        if member.type == "other":
            yield "tree.type", "is of no known type", True

    def _strays(self, target: str) -> bool:
        name = normalise(target)
        return target.startswith("/") or outside(name) or above(name, self._tree.links)

    def _duplicate(self, member: Member) -> None:
        folder = member.type == "directory"
        former = self._names.get(member.name)
        if former is not None and not (former[1] and folder):
            what = "is there more than once: the last one counts"
            self._add("tree.duplicate", what, member.name, former[0])
        self._names[member.name] = member.offset, folder

    def end(self) -> None:
        """Forget what was needed on the way."""
        self._names.clear()


def outside(name: str) -> bool:
    """Whether a normalised name climbs, itself or as a white-out (OCI image-spec, layer.md)."""
    if ".." not in name:
        return False
    parts = name.split("/")
    return ".." in parts or parts[-1] in (WHITEOUT + ".", WHITEOUT + "..")


def above(name: str, links: dict[str, int]) -> bool:
    """Whether one of the folders above is a symbolic link."""
    at = name.find("/") if links else -1
    while at > 0:
        if name[:at] in links:
            return True
        at = name.find("/", at + 1)
    return False


def _climbs(member: Member) -> bool:
    """Whether a relative link leads above the root; an absolute one begins at the container's."""
    folder = member.name.rpartition("/")[0]
    return not member.linkname.startswith("/") and resolve(folder, member.linkname) is None


def _harmless(member: Member) -> bool:
    number = member.devmajor, member.devminor
    if number == (0, 0):  # a white-out of overlayfs
        return True
    return member.type == "chardev" and (number in DEVICES or member.devmajor in PTS) and member.name != ROOT
