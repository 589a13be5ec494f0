"""The scene: what detectors may ask of a checkpoint, each part read once for all of them."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.container import Container
from cryoscope.checkpoint.memory import AddressSpace
from cryoscope.checkpoint.process import Descriptor, Process
from cryoscope.checkpoint.process.holders import HeldSocket
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.search.hits import Hit

if TYPE_CHECKING:
    from cryoscope.checkpoint.rootfs import FileEntry

T = TypeVar("T")


NOT_WRITTEN = ("deleted", "held", "same")
"""Changes after which there is no file of the container's own at the path."""


class Scene:
    """A checkpoint as detectors see it; `damaged` takes what could not be read."""

    def __init__(
        self, checkpoint: Checkpoint, hits: dict[str, list[Hit]], damaged: list[Damaged] | None = None
    ) -> None:
        self.checkpoint = checkpoint
        self.damaged = damaged if damaged is not None else []
        self._hits = hits
        self._environments: dict[int, dict[str, str]] = {}
        self._descriptors: dict[int, list[Descriptor]] = {}

    # --- processes --------------------------------------------------------------------------
    @cached_property
    def processes(self) -> list[Process]:
        """Every process, zombies too."""
        return self.checkpoint.processes

    @cached_property
    def by_pid(self) -> dict[int, Process]:
        """The processes by pid."""
        return {process.pid: process for process in self.processes}

    @cached_property
    def first(self) -> Process | None:
        """The container's first process: pid 1, or else the first one of the tree."""
        return self.by_pid.get(1) or next((branch.process for branch in self.checkpoint.tree), None)

    def ancestors(self, pid: int) -> list[Process]:
        """The process's parent, its parent and so on, the nearest `limits.FINDING_ANCESTORS` of them."""
        found: dict[int, Process] = {}
        process = self.by_pid.get(pid)
        while process is not None and process.ppid not in found and len(found) < limits.FINDING_ANCESTORS:
            process = self.by_pid.get(process.ppid)
            if process is not None:
                found[process.pid] = process
        return list(found.values())

    def inside(self, process: Process) -> bool:
        """Whether a process descends from the container's first one; others were started in it from outside.

        A process whose parent ended is the first one's child, so no ancestor of it can be missing.
        """
        return self.first is None or process.pid in self._inside

    @cached_property
    def _inside(self) -> set[int]:
        """The pids of the first process and all below it."""
        children: dict[int, list[int]] = {}
        for process in self.processes:
            children.setdefault(process.ppid, []).append(process.pid)
        found, waiting = set[int](), [self.first.pid] if self.first is not None else []
        while waiting:
            pid = waiting.pop()
            if pid not in found:
                found.add(pid)
                waiting += children.get(pid, ())
        return found

    def space(self, pid: int) -> AddressSpace | None:
        """The memory of a process; None where it has none or it cannot be read."""
        return self._safe(f"pid {pid}", lambda: self.checkpoint.memory(pid))

    def environment(self, pid: int) -> dict[str, str]:
        """What a process was started with, by name; of a name that stands twice the first."""
        if pid not in self._environments:
            variables = self._safe(f"pid {pid}", lambda: self.checkpoint.environment(pid)) or []
            pairs = [(each.name, each.value) for each in variables if each.value is not None]
            self._environments[pid] = dict(reversed(pairs))
        return self._environments[pid]

    def descriptors(self, pid: int) -> list[Descriptor]:
        """The open descriptors of a process, by number."""
        if pid not in self._descriptors:
            found = self._safe(f"pid {pid}", lambda: self.checkpoint.descriptors(pid))
            self._descriptors[pid] = found or []
        return self._descriptors[pid]

    @cached_property
    def sockets(self) -> list[HeldSocket]:
        """Every socket with the processes that hold it."""
        return self.checkpoint.sockets

    @property
    def container(self) -> Container:
        """What the engine wrote of the container, the runtime's spec included."""
        return self.checkpoint.container

    # --- files ------------------------------------------------------------------------------
    @cached_property
    def files(self) -> list[FileEntry]:
        """Every file that the container changed, by path."""
        return self._safe("files", lambda: self.checkpoint.filesystem.entries) or []

    @cached_property
    def _by_path(self) -> dict[str, FileEntry]:
        there = [entry for entry in self.files if entry.change not in NOT_WRITTEN]
        return {entry.path: entry for entry in reversed(there)}

    def changed(self, path: str | None) -> FileEntry | None:
        """The file at `path` if the container wrote it: paths are taken as they are, links not followed."""
        return self._by_path.get(posixpath.normpath(path)) if path else None

    def held(self, path: str | None) -> FileEntry | None:
        """The file that was deleted from `path` while it was open, if its contents were kept."""
        return self._held_by_path.get(path or "")

    @cached_property
    def _held_by_path(self) -> dict[str, FileEntry]:
        return {entry.path: entry for entry in reversed(self.files) if entry.change == "held"}

    def content(self, entry: FileEntry, limit: int) -> bytes:
        """The first `limit` bytes of a file, fewer where it is shorter, none where it cannot be read."""
        read = self._safe(entry.path, lambda: self.checkpoint.filesystem.read(entry, limit))
        return read or b""

    # --- memory -----------------------------------------------------------------------------
    def hits(self, detector: str) -> list[Hit]:
        """What the patterns of a detector matched, `pattern` being the pattern's own name."""
        return self._hits.get(detector, [])

    def _safe(self, part: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except CryoscopeError as error:
            self.damaged.append(Damaged(part, error.message, error.code))
        return None
