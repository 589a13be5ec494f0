"""What a container changed of its root file system: the daemon's list, and the files themselves.

`GET /containers/ID/changes` lists paths with a kind (moby, pkg/archive/changes.go).  A new folder is fetched
with all below it, everything else alone.  What lies on a mount is no part of the root file system, although
the daemon shows it there.
"""

from __future__ import annotations

import posixpath
import re
import tarfile
from collections.abc import Sequence
from itertools import islice
from typing import Any, BinaryIO

import msgspec

from cryoscope import limits
from cryoscope.engines.docker.daemon import Daemon
from cryoscope.engines.docker.tars import UNREADABLE, Writer, members
from cryoscope.engines.port import EngineError
from cryoscope.text import escape, readable

MODIFIED, ADDED, DELETED = 0, 1, 2
TRIES = 3
ASKED_AGAIN = 2000
"""Deleted paths of which it is asked whether there is a new folder: a millisecond each."""
NAMED = 5
UNSPEAKABLE = re.compile("[\udc80-\udcff]")
"""Bytes of a name that are no UTF-8: in the daemon's list, which is JSON, each is a U+FFFD."""


class Listed(msgspec.Struct, frozen=True):
    """One entry of the daemon's list (ContainerChangeResponseItem)."""

    path: str = msgspec.field(name="Path")
    kind: int = msgspec.field(name="Kind")


class Diff(msgspec.Struct):
    """What was found: paths that are gone, and remarks on what could not be fetched as it was."""

    deleted: list[str] = []
    notes: list[str] = []


def listed_changes(daemon: Daemon, id_: str) -> list[Listed]:
    """The daemon's list, folders before what is in them."""
    found = msgspec.convert(daemon.ask("GET", f"/containers/{id_}/changes", patience=600) or [], list[Listed])
    if len(found) > limits.DOCKER_ENTRIES:
        raise EngineError(
            f"the container changed {len(found)} files",
            hint="capture it with --ignore-rootfs",
            code="docker.too-many-changes",
        )
    return sorted(found, key=lambda each: each.path)


def mounted_at(inspect: Any) -> list[str]:
    """Where something is mounted over the root file system."""
    mounts = inspect.get("Mounts") or []
    tmpfs = (inspect.get("HostConfig") or {}).get("Tmpfs") or {}
    found = [each.get("Destination") for each in mounts] + [*tmpfs]
    return sorted({posixpath.normpath(path) for path in found if isinstance(path, str) and path != "/"})


class Fetch:
    """Fetches changed files into a tar."""

    def __init__(self, daemon: Daemon, id_: str, mounts: Sequence[str], out: BinaryIO) -> None:
        self._daemon, self._id, self._mounts = daemon, id_, mounts
        self._writer = Writer(out)
        self._written: set[str] = set()
        self.diff = Diff()
        self._missed: list[str] = []
        self._bare: list[str] = []

    @property
    def size(self) -> int:
        """Bytes of the tar so far."""
        return self._writer.size

    def fetch(self, listed: Sequence[Listed]) -> Diff:
        """Fetch all of a list; raises `EngineError` only where the daemon is gone."""
        for each in listed:
            if each.kind == DELETED:
                self._gone(each.path)
            elif each.path not in self._written and not self._covered(each.path, itself=False):
                self._one(each)
        self._writer.end()
        if self._missed:
            what = "changed or gone while they were read, or not readable"
            self.diff.notes.append(_summary(what, self._missed))
        if self._bare:
            self.diff.notes.append(_summary("sockets, which no tar can hold", self._bare))
        return self.diff

    def _gone(self, path: str) -> None:
        """A deleted path; a folder that was made anew (overlay: opaque) is listed as gone and is there."""
        if self._covered(path, itself=False):
            return
        self.diff.deleted.append(path)
        if len(self.diff.deleted) <= ASKED_AGAIN and self._exists(path):
            self._one(Listed(path, MODIFIED))

    def _exists(self, path: str) -> bool:
        try:
            self._daemon.headers(f"/containers/{self._id}/archive", path=path)
        except EngineError as error:
            if not hasattr(error, "said"):
                raise
            return False
        return True

    def _one(self, each: Listed) -> None:
        for _ in range(TRIES):
            try:
                if self._take(each):
                    return
            except UNREADABLE:
                continue
            except EngineError as error:
                if not hasattr(error, "said"):  # not a refusal of this path: the daemon itself
                    raise
                break
        self._missed.append(each.path)

    def _take(self, each: Listed) -> bool:
        """What lies at a path, and below it if it is a new folder; returns whether all of it came whole."""
        above = posixpath.dirname(each.path.rstrip("/")).rstrip("/")
        with members(self._daemon, self._id, each.path, patience=60) as found:
            taken = found if each.kind == ADDED else islice(found, 1)
            whole = [self._add(member, above, opened) for member, opened in taken]
        if not whole:  # the daemon logs that a tar cannot hold a socket, and goes on
            self._bare.append(each.path)
        return all(whole)

    def _add(self, member: tarfile.TarInfo, above: str, opened: Any) -> bool:
        """Write a member whose name begins below the folder `above`."""
        path = f"{above}/{member.name.strip('/')}"
        if path in self._written or self._covered(path, itself=not member.isdir()):
            return True
        if member.islnk():
            member.linkname = f"{above}/{member.linkname.strip('/')}".lstrip("/")
        whole = self._writer.add(member, path.lstrip("/"), opened(member) if member.isreg() else None)
        self._written |= {path, UNSPEAKABLE.sub("\ufffd", path)}
        if not whole:
            self._missed.append(path)
        return whole

    def _covered(self, path: str, *, itself: bool) -> bool:
        """Whether a path lies on a mount; a folder under a mount point is the root file system's own."""
        return any(path.startswith(at + "/") or (itself and path == at) for at in self._mounts)


def _summary(what: str, paths: Sequence[str]) -> str:
    paths = [*dict.fromkeys(paths)]
    names = ", ".join(escape(readable(path)) for path in paths[:NAMED])
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return f"{what}: {names}{more}"
