"""What rules can be about: the records of a checkpoint, one kind a row of `SUBJECTS`.

An item is a record with what stands around it (the process that has it); its evidence is made once a rule
is true of it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.container import Container
from cryoscope.checkpoint.memory import Vma
from cryoscope.checkpoint.process import Descriptor, Mount, Process, Variable
from cryoscope.checkpoint.process.holders import HeldSocket
from cryoscope.checkpoint.process.sockets import Socket
from cryoscope.checkpoint.rootfs.records import FileEntry
from cryoscope.examine.findings import evidence
from cryoscope.examine.findings.records import Evidence, Finding
from cryoscope.examine.findings.rules.fields import Extra, paths
from cryoscope.examine.findings.rules.operators import address_in
from cryoscope.text import readable

if TYPE_CHECKING:
    from cryoscope.examine.findings.scene import Scene


class Item(NamedTuple):
    """A record, the processes that have it, and the scene it is from (a finding is from none)."""

    record: Any
    scene: Scene | None = None
    processes: Sequence[Process] = ()


class Subject(NamedTuple):
    """A kind of records: how to get all of them, and the evidence that one of them is."""

    record: type[msgspec.Struct]
    items: Callable[[Scene], Iterator[Item]]
    evidence: Callable[[Item, str], Evidence]
    about: str
    extras: dict[str, Extra] = {}


def _process(item: Item) -> Process:
    return item.processes[0]


OF_PROCESS = Extra(Process, lambda item: list(item.processes), "the process that has it, with all its fields")


# --- processes ---------------------------------------------------------------------------------
def _processes(scene: Scene) -> Iterator[Item]:
    return (Item(process, scene, (process,)) for process in scene.processes)


def _parent(item: Item) -> Process | None:
    return item.scene.by_pid.get(item.record.ppid) if item.scene else None


def _variables(item: Item) -> dict[str, str]:
    return item.scene.environment(item.record.pid) if item.scene else {}


PROCESS = Subject(
    Process,
    _processes,
    lambda item, what: evidence.of_process(item.record, what),
    "every process, zombies too",
    {
        "command": Extra(str, lambda item: item.record.command, "the command line in one piece"),
        "env": Extra(dict[str, str], _variables, "the environment, by name"),
        "parent": Extra(Process, _parent, "the process that started it, with all its fields"),
    },
)


# --- what processes have -----------------------------------------------------------------------
def _descriptors(scene: Scene) -> Iterator[Item]:
    for process in scene.processes:
        for descriptor in scene.descriptors(process.pid):
            yield Item(descriptor, scene, (process,))


DESCRIPTOR = Subject(
    Descriptor,
    _descriptors,
    lambda item, what: evidence.of_descriptor(_process(item), item.record, what),
    "every open descriptor of every process",
    {"process": OF_PROCESS},
)


def _mappings(scene: Scene) -> Iterator[Item]:
    for process in scene.processes:
        space = scene.space(process.pid)
        for vma in space.vmas if space else ():
            yield Item(vma, scene, (process,))


MAPPING = Subject(
    Vma,
    _mappings,
    lambda item, what: evidence.of_mapping(_process(item), item.record, what),
    "every mapping of every process",
    {"size": Extra(int, lambda item: item.record.size, "its length in bytes"), "process": OF_PROCESS},
)


def _environment(scene: Scene) -> Iterator[Item]:
    for process in scene.processes:
        for name, value in scene.environment(process.pid).items():
            yield Item(Variable(name, value), scene, (process,))


def _of_variable(item: Item, what: str) -> Evidence:
    text = evidence.shown(f"{item.record.name}={item.record.value}")
    return evidence.of_process(_process(item), what, text=text)


ENVIRONMENT = Subject(
    Variable,
    _environment,
    _of_variable,
    "every variable of every process",
    {"process": OF_PROCESS},
)


# --- sockets -----------------------------------------------------------------------------------
def _sockets(scene: Scene) -> Iterator[Item]:
    for held in scene.sockets:
        holders = dict.fromkeys(holder.pid for holder in held.holders)
        yield Item(held, scene, tuple(scene.by_pid[pid] for pid in holders if pid in scene.by_pid))


def _socket(item: Item) -> Socket:
    held: HeldSocket = item.record
    return held.socket


def _of_socket(item: Item, what: str) -> Evidence:
    socket, holders = _socket(item), item.record.holders
    ends = f"{socket.protocol or socket.family} {socket.local or '*'} -> {socket.remote or '*'}"
    text = evidence.shown(f"{ends} {socket.state or ''}".rstrip())
    if not holders:
        return Evidence(what=what, text=text)
    return Evidence(what=what, pid=holders[0].pid, comm=holders[0].comm, fd=holders[0].fd, text=text)


def _host(endpoint: str | None) -> str | None:
    found = address_in(endpoint) if endpoint else None
    return None if found is None else str(found)


def _port(endpoint: str | None) -> int | None:
    host, _, port = (endpoint or "").rpartition(":")
    return int(port) if host and port.isdecimal() and len(port) < 6 else None


SOCKET = Subject(
    HeldSocket,
    _sockets,
    _of_socket,
    "every socket, with the processes that hold it",
    {
        "local_address": Extra(str, lambda item: _host(_socket(item).local), "the address of this end"),
        "local_port": Extra(int, lambda item: _port(_socket(item).local), "the port of this end"),
        "remote_address": Extra(
            str, lambda item: _host(_socket(item).remote), "the address of the other end"
        ),
        "remote_port": Extra(int, lambda item: _port(_socket(item).remote), "the port of the other end"),
        "listening": Extra(bool, lambda item: _socket(item).listening, "whether it waits for others"),
        "process": OF_PROCESS,
    },
)


# --- files and mounts --------------------------------------------------------------------------
def _files(scene: Scene) -> Iterator[Item]:
    return (Item(entry, scene) for entry in scene.files)


def _content(item: Item) -> str | None:
    entry: FileEntry = item.record
    if item.scene is None or not entry.has_contents:
        return None
    return readable(item.scene.content(entry, limits.RULE_CONTENT))


def _hash(item: Item) -> str | None:
    entry: FileEntry = item.record
    if item.scene is None or not entry.has_contents:
        return entry.sha256
    hashed = item.scene.checkpoint.filesystem.hashes([entry])
    return next((one.sha256 for one in hashed), None)


FILE = Subject(
    FileEntry,
    _files,
    lambda item, what: evidence.of_file(item.record, what),
    "every file that the container wrote, deleted or held open",
    {
        "name": Extra(str, lambda item: posixpath.basename(item.record.path), "the last part of the path"),
        "content": Extra(str, _content, f"its first {limits.RULE_CONTENT >> 10} KiB as text", True),
        "sha256": Extra(str, _hash, "the digest of its bytes in hex", True),
    },
)


def _mounts(scene: Scene) -> Iterator[Item]:
    return (Item(mount, scene) for mount in scene.checkpoint.mounts)


def _of_mount(item: Item, what: str) -> Evidence:
    mount: Mount = item.record
    text = evidence.shown(f"{mount.fstype} {mount.source} {mount.root} on {mount.mountpoint}")
    return Evidence(what=what, path=mount.mountpoint, text=text)


MOUNT = Subject(Mount, _mounts, _of_mount, "every mount")


# --- the whole ---------------------------------------------------------------------------------
def _container(scene: Scene) -> Iterator[Item]:
    yield Item(scene.container, scene)


def _of_container(item: Item, what: str) -> Evidence:
    found: Container = item.record
    return Evidence(what=what, text=evidence.shown(found.name or found.id or found.engine))


CONTAINER = Subject(Container, _container, _of_container, "the container, as the engine described it")


def _of_finding(item: Item, what: str) -> Evidence:
    finding: Finding = item.record
    first = finding.evidence[0] if finding.evidence else Evidence(what=what)
    return msgspec.structs.replace(first, what=f"{what}: {finding.detector}: {first.what}")


FINDING = Subject(Finding, lambda _: iter(()), _of_finding, "every finding of the detectors")

SUBJECTS: dict[str, Subject] = {
    "process": PROCESS,
    "file": FILE,
    "socket": SOCKET,
    "mount": MOUNT,
    "descriptor": DESCRIPTOR,
    "mapping": MAPPING,
    "environment": ENVIRONMENT,
    "container": CONTAINER,
    "finding": FINDING,
}


def described(subject: Subject) -> list[tuple[str, str]]:
    """The fields of a kind of records, with what their values are; those of other processes in one line."""
    short = {name: extra for name, extra in subject.extras.items() if extra.type is not Process}
    own = [row for row in paths(subject.record, {}) if row[0].partition(".")[0] not in short]
    extra = paths(None, short)
    others = [(f"{name}.FIELD", "as of process") for name in subject.extras if name not in short]
    return own + extra + others
