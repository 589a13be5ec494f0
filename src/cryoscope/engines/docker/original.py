"""The container that was captured: what the archive says of it, or the daemon, if it has it still.

A checkpoint that `docker checkpoint create` made holds CRIU's images alone; the container it is of is named
by its cgroup.  While the daemon has that container, its settings and changed files are taken from there: so
are clones made, and containers started from a checkpoint of the daemon's own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.engines.docker.capture import BINDS, INSPECT
from cryoscope.engines.docker.changes import DELETED, Fetch, Listed, listed_changes, mounted_at
from cryoscope.engines.docker.daemon import Daemon
from cryoscope.engines.docker.files import COPY, deleted_paths, pieces
from cryoscope.engines.docker.places import ID
from cryoscope.engines.docker.settings import Old, old
from cryoscope.engines.port import EngineError
from cryoscope.errors import CryoscopeError

ROOTFS = "rootfs-diff.tar"


class Original:
    """Settings, deleted paths and changed files of a container."""

    old: Old

    def deleted(self) -> list[str]:
        """The paths of the image that are gone."""
        raise NotImplementedError

    def changed(self) -> Iterator[bytes] | None:
        """A tar of the changed files; None if there are none."""
        raise NotImplementedError


class InArchive(Original):
    """As the archive has it."""

    def __init__(self, archive: Archive, inspect: Any) -> None:
        self._archive = archive
        self.old = old(inspect)

    def deleted(self) -> list[str]:
        return deleted_paths(self._archive)

    def changed(self) -> Iterator[bytes] | None:
        return pieces(self._archive, ROOTFS) if ROOTFS in self._archive else None


class InDaemon(Original):
    """As the daemon has it now: files that changed since the checkpoint are newer than its memory."""

    def __init__(self, daemon: Daemon, id_: str, inspect: Any) -> None:
        self._daemon, self._id = daemon, id_
        self._mounts = mounted_at(inspect)
        self._listed: list[Listed] | None = None
        self.old = old(inspect)

    def _changes(self) -> list[Listed]:
        if self._listed is None:
            self._listed = listed_changes(self._daemon, self._id)
        return self._listed

    def deleted(self) -> list[str]:
        return [each.path for each in self._changes() if each.kind == DELETED]

    def changed(self) -> Iterator[bytes]:
        with tempfile.TemporaryFile() as spool:
            there = [each for each in self._changes() if each.kind != DELETED]
            Fetch(self._daemon, self._id, self._mounts, cast(BinaryIO, spool)).fetch(there)
            spool.seek(0)
            while piece := spool.read(COPY):
                yield piece


def original_of(checkpoint: Checkpoint, daemon: Daemon) -> Original | None:
    """The container that a checkpoint is of; None where neither says."""
    inspect = inspected(checkpoint.archive)
    if inspect is not None:
        return InArchive(checkpoint.archive, inspect)
    id_ = checkpoint.container.id
    if id_ is None or not ID.match(id_):
        return None
    try:
        return InDaemon(daemon, id_, daemon.ask("GET", f"/containers/{id_}/json"))
    except EngineError:
        return None


def inspected(archive: Archive) -> dict[str, Any] | None:
    """The inspection in an archive; None if there is none that can be read."""
    found = _document(archive, INSPECT)
    return found if isinstance(found, dict) else None


def bound_files(archive: Archive) -> set[str]:
    """Where single files of the host were bound."""
    found = _document(archive, BINDS)
    rows = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    return {str(each.get("destination")) for each in rows if each.get("file_type") == "file"}


def _document(archive: Archive, name: str) -> Any:
    if name not in archive:
        return None
    try:
        return msgspec.json.decode(archive.read(name, limit=limits.JSON_DOCUMENT))
    except (CryoscopeError, msgspec.DecodeError, RecursionError):
        return None
