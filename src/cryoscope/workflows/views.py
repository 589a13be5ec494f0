"""The questions about the processes of a checkpoint: `ps`, `files`, `sockets`, `maps`, `env`, `mounts`.

Each is a function of a checkpoint to its part of the document.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.container import BindMount, SpecMount
from cryoscope.checkpoint.memory import Vma
from cryoscope.checkpoint.process import Descriptor, Mount, Process, Variable
from cryoscope.checkpoint.process.holders import HeldSocket, queued_data
from cryoscope.checkpoint.process.ipc import waiting_messages
from cryoscope.checkpoint.rootfs import GhostFile
from cryoscope.text import readable
from cryoscope.workflows.documents import Part
from cryoscope.workflows.masking import Masker


class ProcessesPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `ps`."""

    processes: list[Process]

    def rows(self) -> list[Any]:
        return list(self.processes)


class ProcessFiles(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one process had open."""

    pid: int
    comm: str
    exe: str | None = None
    cwd: str | None = None
    root: str | None = None
    fds: list[Descriptor] = []


class FilesPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `files`."""

    processes: list[ProcessFiles]
    deleted: list[GhostFile] = []

    def rows(self) -> list[Any]:
        return [*self.processes, *self.deleted]


class ProcessMaps(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The mappings of one process."""

    pid: int
    comm: str
    page_size: int
    vmas: list[Vma]


class MapsPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `maps`."""

    processes: list[ProcessMaps]

    def rows(self) -> list[Any]:
        return list(self.processes)


class ProcessEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """The environment one process was started with; None if it could not be read."""

    pid: int
    comm: str
    env: list[Variable] | None


class EnvironmentPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `env`."""

    processes: list[ProcessEnvironment]

    def rows(self) -> list[Any]:
        return list(self.processes)


class QueuedData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Bytes on their way in a pipe, terminal, socket or System V queue; base64 only of what is not masked."""

    kind: str
    inode: int
    direction: str
    size: int
    text: str
    base64: str
    pids: list[int] = []


class SocketsPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `sockets`; `queued` only where it was asked for."""

    sockets: list[HeldSocket]
    queued: list[QueuedData] = []

    def rows(self) -> list[Any]:
        return [*self.sockets, *self.queued]


class MountsPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `mounts`: as the container was created with, and as CRIU saw them."""

    spec: list[SpecMount]
    bind_mounts: list[BindMount]
    mounts: list[Mount]

    def rows(self) -> list[Any]:
        return list(self.mounts)


def chosen(checkpoint: Checkpoint, pids: Sequence[int]) -> list[Process]:
    """The processes in the order of the tree, only those of `pids` if any are given."""
    for pid in pids:
        checkpoint.process(pid)
    return [branch.process for branch in checkpoint.tree if not pids or branch.process.pid in pids]


class Views:
    """The questions, narrowed to some processes; what is asked beyond the usual is a flag."""

    def __init__(self, pids: Sequence[int] = (), *, queued: bool = False) -> None:
        self.pids = pids
        self.queued = queued

    def processes(self, target: str, checkpoint: Checkpoint, masker: Masker) -> ProcessesPart:
        """`ps`: who was running, in the order of the tree."""
        found = [masker.process(process) for process in chosen(checkpoint, self.pids)]
        return ProcessesPart(archive=target, processes=found)

    def files(self, target: str, checkpoint: Checkpoint, _masker: Masker) -> FilesPart:
        """`files`: what each process had open."""
        found = [
            ProcessFiles(
                pid=process.pid,
                comm=process.comm,
                exe=process.exe,
                cwd=process.cwd,
                root=process.root,
                fds=checkpoint.descriptors(process.pid),
            )
            for process in chosen(checkpoint, self.pids)
        ]
        return FilesPart(archive=target, processes=found, deleted=checkpoint.ghosts)

    def sockets(self, target: str, checkpoint: Checkpoint, masker: Masker) -> SocketsPart:
        """`sockets`: endpoints, states and queues, with their holders."""
        chosen(checkpoint, self.pids)
        found = [held for held in checkpoint.sockets if not self.pids or self._holds(held)]
        queued = queued_of(checkpoint, masker) if self.queued else []
        return SocketsPart(archive=target, sockets=found, queued=queued)

    def _holds(self, held: HeldSocket) -> bool:
        return any(holder.pid in self.pids for holder in held.holders)

    def maps(self, target: str, checkpoint: Checkpoint, _masker: Masker) -> MapsPart:
        """`maps`: the mappings of each process that has memory, page by page counted."""
        found = []
        for process in chosen(checkpoint, self.pids):
            space = checkpoint.memory(process.pid)
            if space is not None:
                found.append(
                    ProcessMaps(
                        pid=process.pid, comm=process.comm, page_size=space.page_size, vmas=space.vmas
                    )
                )
        return MapsPart(archive=target, processes=found)

    def environment(self, target: str, checkpoint: Checkpoint, masker: Masker) -> EnvironmentPart:
        """`env`: the environment of each process."""
        found = []
        for process in chosen(checkpoint, self.pids):
            env = checkpoint.environment(process.pid)
            masked = masker.variables(env) if env is not None else None
            found.append(ProcessEnvironment(pid=process.pid, comm=process.comm, env=masked))
        return EnvironmentPart(archive=target, processes=found)

    def mounts(self, target: str, checkpoint: Checkpoint, masker: Masker) -> MountsPart:
        """`mounts`: as created, and as CRIU saw them."""
        container = masker.container(checkpoint.container)
        return MountsPart(
            archive=target,
            spec=list(container.mounts),
            bind_mounts=list(container.bind_mounts),
            mounts=[masker.mount(mount) for mount in checkpoint.mounts],
        )


def queued_of(checkpoint: Checkpoint, masker: Masker) -> list[QueuedData]:
    """Data that was written and not yet read, in sockets, pipes, terminals and System V queues."""
    found: list[QueuedData] = []
    for held in checkpoint.sockets:
        file = checkpoint.files[held.socket.file_id]
        if file is not None:
            received, sent = queued_data(file, held.socket, checkpoint.queues)
            pids = sorted({holder.pid for holder in held.holders})
            for direction, data in (("received", received), ("sent", sent)):
                found += _queued("socket", held.socket.inode, direction, data, pids, masker)
    for number, data in waiting_messages(checkpoint.images):
        found += _queued("sysv-msg", number, "unread", data, [], masker)
    return found + _in_pipes(checkpoint, masker)


def _in_pipes(checkpoint: Checkpoint, masker: Masker) -> list[QueuedData]:
    found: list[QueuedData] = []
    done = set[tuple[str, int]]()
    for file in checkpoint.files:
        if file.type in ("PIPE", "FIFO"):
            kind, number = "pipe", file.entry.pipe_id
            data = checkpoint.queues.pipe(number)
        elif file.type == "TTY":
            kind, number = "tty", file.entry.tty_info_id
            data = checkpoint.queues.tty(number)
        else:
            continue
        if (kind, number) not in done:
            done.add((kind, number))
            found += _queued(kind, number, "unread", data, [], masker)
    return found


def _queued(
    kind: str, inode: int, direction: str, data: bytes, pids: list[int], masker: Masker
) -> list[QueuedData]:
    if not data:
        return []
    text = masker.text(readable(data))
    shown = base64.b64encode(data).decode("ascii") if text == readable(data) else ""
    return [
        QueuedData(
            kind=kind, inode=inode, direction=direction, size=len(data), text=text, base64=shown, pids=pids
        )
    ]


def with_details(checkpoint: Checkpoint, process: Process, *, env: bool, files: bool, maps: bool) -> Process:
    """A process with its environment, descriptors and mappings where they are asked for."""
    changes: dict[str, object] = {}
    if env:
        changes["env"] = checkpoint.environment(process.pid) or []
    if files:
        changes["fds"] = checkpoint.descriptors(process.pid)
    if maps:
        space = checkpoint.memory(process.pid)
        changes["vmas"] = space.vmas if space is not None else []
    return msgspec.structs.replace(process, **changes)
