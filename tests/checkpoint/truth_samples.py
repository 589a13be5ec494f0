"""truth.txt of the corpus (facts that were read from /proc just before a dump) as records, and crit's
`x` listings of the same images."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.memory import Vma

SHIPPED = {
    "podman-kitchen-sink/checkpoint.tar.zst": "podman-kitchen-sink.tar.zst",
    "podman-kitchen-sink/truth.txt": "truth/podman-kitchen-sink.truth.txt",
    "podman-looper-crun/checkpoint.tar": "podman-looper-crun.tar",
    "podman-looper-crun/checkpoint.tar.gz": "podman-looper-crun.tar.gz",
    "podman-looper-criu41/checkpoint.tar": "podman-looper-criu41.tar",
    "containerd-looper/checkpoint.tar": "containerd-looper.tar",
    "kubelet/crio-counters-counter.tar": "crio-counter.tar",
    "kubelet/containerd-counters-counter.tar": "containerd-counter.tar",
    "kubelet/truncated-by-full-disk.tar": "truncated-by-full-disk.tar",
    "docker-looper/checkpoint": "docker-looper",
}
"""Files of the corpus that the repository ships, under which name in tests/data."""


class Task(NamedTuple):
    """One process as /proc had it."""

    pid: int
    comm: str
    ppid_on_host: int
    state: str
    cmdline: str
    exe: str
    cwd: str
    tids: dict[int, str]
    fds: dict[int, str]


class Mapping(NamedTuple):
    """One line of /proc/PID/maps."""

    start: int
    end: int
    perms: str
    offset: int
    name: str


class Sock(NamedTuple):
    """One socket of /proc/net: `local` and `remote` as `address:port`, or the path of a unix socket."""

    family: str
    inode: int
    state: int
    local: str | None
    remote: str | None
    received: int = 0


class Truth(NamedTuple):
    """A truth.txt."""

    facts: list[str]
    tasks: dict[int, Task]
    sockets: dict[int, Sock]
    maps: list[Mapping]
    changes: list[tuple[str, str]]
    log: list[str]


def read_truth(text: str) -> Truth:
    parts = dict(_sections(text))
    tasks = [_task(head, lines) for head, lines in parts.items() if head.startswith("pid(ns)=")]
    sockets = [
        *(_inet("tcp", line) for line in parts["/proc/net/tcp"][1:]),
        *(_inet("tcp6", line) for line in parts["/proc/net/tcp6"][1:]),
        *(_inet("udp", line) for line in parts["/proc/net/udp"][1:]),
        *(_unix(line) for line in parts["/proc/net/unix"][1:]),
    ]
    return Truth(
        facts=[line for line in parts["podman logs"] if line.startswith("GT ")],
        tasks={task.pid: task for task in tasks},
        sockets={sock.inode: sock for sock in sockets if sock.inode},
        maps=[mapping(line) for line in parts["maps of init"]],
        changes=[(line[0], line[2:]) for line in parts["podman diff"]],
        log=parts["podman logs"],
    )


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    for part in text.split("\n## ")[1:]:
        head, *lines = part.rstrip("\n").split("\n")
        yield head, lines


def _task(head: str, lines: list[str]) -> Task:
    facts = re.fullmatch(r"pid\(ns\)=(\d+) comm=(.*) ppid\(host\)=(\d+) state=(\w) threads=.*", head)
    places = re.fullmatch(r"exe: (.*) cwd: (.*)", lines[1])
    assert facts
    assert places
    tids = dict(thread.split("=", 1) for thread in lines[2].removeprefix("tids: ").split())
    fds = dict(line.removesuffix(" ").split(" -> ", 1) for line in lines[3:])
    return Task(
        pid=int(facts[1]),
        comm=facts[2],
        ppid_on_host=int(facts[3]),
        state=facts[4],
        cmdline=lines[0].removeprefix("cmdline: ").removesuffix(" "),
        exe=places[1],
        cwd=places[2],
        tids={int(tid): name for tid, name in tids.items()},
        fds={int(fd): target for fd, target in fds.items()},
    )


def mapping(line: str) -> Mapping:
    found = re.fullmatch(r"([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) \S+ \d+ *(.*)", line)
    assert found, line
    return Mapping(int(found[1], 16), int(found[2], 16), found[3], int(found[4], 16), found[5])


def _inet(family: str, line: str) -> Sock:
    fields = line.split()
    return Sock(
        family=family,
        inode=int(fields[9]),
        state=int(fields[3], 16),
        local=_endpoint(fields[1]),
        remote=_endpoint(fields[2]),
        received=int(fields[4].split(":")[1], 16),
    )


def _endpoint(text: str) -> str | None:
    """An address of /proc/net/tcp: 32-bit words, each in the order of the machine, and the port."""
    words, port = text.split(":")
    packed = b"".join(int(words[at : at + 8], 16).to_bytes(4, "little") for at in range(0, len(words), 8))
    address = IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)
    if not int(port, 16) and address.is_unspecified:
        return None
    shown = str(address) if address.version == 4 else f"[{address}]"
    return f"{shown}:{int(port, 16)}"


def _unix(line: str) -> Sock:
    fields = line.split()
    path = fields[7] if len(fields) > 7 else None
    return Sock("unix", int(fields[6]), int(fields[5], 16), path, None)


# --- crit x -------------------------------------------------------------------------------------
class CritMapping(NamedTuple):
    """One line of `crit x DIR mems`."""

    start: int
    end: int
    perms: str
    name: str


def by_pid(text: str) -> dict[int, list[str]]:
    """The lines of a `crit x` listing below each pid; crit itself stops at a zombie."""
    found: dict[int, list[str]] = {}
    for line in text.split("Traceback")[0].splitlines():
        if line.isdigit():
            found[int(line)] = []
        elif line.strip():
            found[max(found, key=list(found).index)].append(line.strip("\t"))
    return found


def crit_mems(lines: list[str]) -> list[CritMapping]:
    found = []
    for line in lines[1:]:
        match = re.fullmatch(r"([0-9a-f]+)-([0-9a-f]+) +(\S{3}) ?(.*)", line)
        assert match, line
        found.append(CritMapping(int(match[1], 16), int(match[2], 16), match[3], match[4].strip()))
    return found


def crit_rss(lines: list[str]) -> list[tuple[int, int]]:
    """(address, pages) of each run of dumped pages."""
    runs = (re.match(r"([0-9a-f]+) / (\d+)", line) for line in lines)
    return [(int(run[1], 16), int(run[2])) for run in runs if run]


# --- memory -------------------------------------------------------------------------------------
def dumped(checkpoint: Checkpoint, pid: int) -> Iterator[tuple[Vma, int, bytes]]:
    """Every run of a process's pages whose bytes are in the checkpoint: its mapping, address, bytes."""
    space = checkpoint.memory(pid)
    assert space is not None
    for vma in space.vmas:
        for run in space.runs(vma.start, vma.size):
            if run.state in ("dumped", "parent"):
                yield vma, run.start, space.read(run.start, run.length)


def pids_with(checkpoint: Checkpoint, secret: bytes) -> set[int]:
    """The processes in whose dumped memory `secret` stands."""
    alive = [process.pid for process in checkpoint.processes if checkpoint.memory(process.pid)]
    return {pid for pid in alive if any(secret in data for _, _, data in dumped(checkpoint, pid))}
