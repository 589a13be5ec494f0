"""Every `GT` line of the kitchen sink: what its own program said it had made before the dump."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from conftest_types import Load
from truth_samples import Truth, dumped, pids_with

from cryoscope.checkpoint.archive import open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.criu.names import flags
from cryoscope.checkpoint.memory import Vma
from cryoscope.checkpoint.process import Descriptor, Socket
from cryoscope.checkpoint.process.ipc import waiting_messages
from cryoscope.checkpoint.rootfs.ghosts import contents
from cryoscope.errors import MemoryMissing

SECOND = 1_000_000
ELAPSED = 30
"""Seconds from the making of a timer to the dump, at most."""

CHECKS: dict[str, Callable[[Checkpoint, re.Match[str]], None]] = {}


def fact(pattern: str) -> Callable[[Callable[[Checkpoint, re.Match[str]], None]], None]:
    """Registers a check of the lines that `pattern` describes."""

    def register(check: Callable[[Checkpoint, re.Match[str]], None]) -> None:
        CHECKS[pattern] = check

    return register


def fd(sink: Checkpoint, number: int | str) -> Descriptor:
    (found,) = [descriptor for descriptor in sink.descriptors(1) if descriptor.fd == int(number)]
    return found


def socket(sink: Checkpoint, number: int | str) -> Socket:
    found = fd(sink, number).socket
    assert found is not None
    return found


def mapping(sink: Checkpoint, kind: str, pid: int = 1) -> Vma:
    space = sink.memory(pid)
    assert space is not None
    (found,) = [vma for vma in space.vmas if vma.kind == kind]
    return found


def read(sink: Checkpoint, vma: Vma, length: int, pid: int = 1) -> bytes:
    space = sink.memory(pid)
    assert space is not None
    return space.read(vma.start, length)


@fact(r"pid 1 cwd (\S+) umask (\d+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    assert (sink.process(1).cwd, sink.process(1).umask) == (said[1], "0" + said[2])


@fact(r"fd (\d+) regular (\S+) pos (\d+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    found = fd(sink, said[1])
    assert (found.type, found.path, found.offset, found.access) == ("file", said[2], int(said[3]), "rw")


@fact(r"fd (\d+) append (\S+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    found = fd(sink, said[1])
    assert (found.path, found.access) == (said[2], "w")
    assert "O_APPEND" in found.flags


@fact(r"fd (\d+) deleted (\S+) contains (\S+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    found = fd(sink, said[1])
    assert (found.path, found.deleted, found.target) == (said[2], True, said[2] + " (deleted)")
    (ghost,) = sink.ghosts
    assert (ghost.path, ghost.file_id) == (said[2], found.file_id)
    held = contents(sink.images, "ghost-file-1.img")
    assert held.startswith(said[3].encode())
    assert len(held) == ghost.size == found.size


@fact(r"files (\S+) (\S+)->(\S+) (\S+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    changes = {change.path: change for change in sink.changes}
    assert (changes[said[1]].type, changes[said[2]].type) == ("file", "symlink")
    assert changes[said[2]].link == said[3]
    assert (changes[said[4]].type, changes[said[4]].mode) == ("fifo", "prw-r-----")


@fact(r"fd (\d+) fifo (\S+) holds (\S+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    found = fd(sink, said[1])
    assert (found.type, found.path, found.queued) == ("fifo", said[2], len(said[3]))
    assert sink.queues.pipe(found.inode or 0) == said[3].encode()


@fact(r"fd (\d+) (\d+) pipe holds (\S+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    out, into = fd(sink, said[1]), fd(sink, said[2])
    assert (out.type, out.access, into.access, out.inode) == ("pipe", "r", "w", into.inode)
    assert out.queued == len(said[3])
    assert sink.queues.pipe(out.inode or 0) == said[3].encode()


@fact(r"fd (\d+) memfd (\S+) holds (\S+), mapped shared")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    assert fd(sink, said[1]).type == "memfd"
    assert fd(sink, said[1]).target == f"/memfd:{said[2]} (deleted)"
    vma = mapping(sink, "memfd")
    assert (vma.path, vma.perms) == (f"/memfd:{said[2]}", "rw-s")
    assert read(sink, vma, len(said[3])) == said[3].encode()
    assert fd(sink, said[1]).size == vma.size + len(said[3])  # what it had written, and then mapped
    assert vma.dumped == vma.pages == 2


@fact(r"fd (\d+) (/dev/shm/\S+) holds (\S+), mapped shared")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    """Its pages are the file's: CRIU leaves them to whoever keeps /dev/shm, and Podman does."""
    space = sink.memory(1)
    assert space is not None
    (vma,) = [vma for vma in space.vmas if vma.path == said[2]]
    assert vma.kind == "shared-file"
    assert (fd(sink, said[1]).path, vma.path, vma.perms) == (said[2], said[2], "rw-s")
    with pytest.raises(MemoryMissing) as missing:
        read(sink, vma, 1)
    assert missing.value.code == "memory.file"
    with open_archive(sink.archive.source("devshm-checkpoint.tar")) as files:
        assert files.read(said[2].removeprefix("/dev/shm/")).startswith(said[3].encode())


@fact(r"sysv shm key (\S+) id (\d+) size (\d+) holds (\S+) at (\S+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    (segment,) = [found for found in sink.ipc if found.kind == "shm"]
    assert (segment.key, segment.id, segment.size) == (said[1], int(said[2]), int(said[3]))
    vma = mapping(sink, "sysv-shm")
    assert (str(vma.start), vma.size, vma.path) == (said[5], segment.size, "/SYSV4c414221")
    assert read(sink, vma, len(said[4])) == said[4].encode()
    assert read(sink, vma, vma.size)[4096:] == bytes(vma.size - 4096)


@fact(r"sysv msg key (\S+) one message (\S+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    (queue,) = [found for found in sink.ipc if found.kind == "msg"]
    assert (queue.key, queue.messages) == (said[1], 1)
    (entry,) = sink.images.entries(f"ipcns-msg-{queue.namespace}.img")
    assert [message.data for message in entry.extra] == [said[2].encode()]
    assert waiting_messages(sink.images) == [(queue.id, said[2].encode())]


@fact(r"sysv sem key (\S+) (\d) sems, sem1=(\d)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    (found,) = [found for found in sink.ipc if found.kind == "sem"]
    assert (found.key, found.values) == (said[1], [0, int(said[3]), 0])


@fact(r"shared anonymous mapping (\d+) KiB holds (\S+), shared with the child")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    vma, child = mapping(sink, "shared-anon"), mapping(sink, "shared-anon", 2)
    assert vma.size == int(said[1]) * 1024
    assert read(sink, vma, len(said[2])) == said[2].encode()
    assert (child.start, child.object_id) == (vma.start, vma.object_id)
    assert read(sink, child, child.size, 2) == read(sink, vma, vma.size)


@fact(r"private anonymous 1 MiB, only page 1 touched: (\S+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    secret = said[1].encode()
    found = [(vma, start, data) for vma, start, data in dumped(sink, 1) if data.startswith(secret)]
    ((vma, start, data),) = found
    assert (vma.kind, vma.perms) == ("anon", "rw-p")
    assert vma.size >= 1 << 20
    space = sink.memory(1)
    assert space is not None
    # the mapping began a page before; that page and those behind were never touched
    assert space.read(start - 4096, 4096) == bytes(4096)
    assert len(data) == 4096
    assert space.read(start + 4096, (1 << 20) - 8192) == bytes((1 << 20) - 8192)


@fact(r"fd (\d+) unix stream listen (\S+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    found = socket(sink, said[1])
    assert (found.family, found.type, found.local) == ("unix", "stream", said[2])
    assert found.listening
    assert found.backlog == 3


@fact(r"fd (\d+) (\d+) unix stream established, (\S+) queued to (\d+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    one, other = socket(sink, said[1]), socket(sink, said[2])
    assert (one.peer, other.peer, one.state) == (other.inode, one.inode, "ESTABLISHED")
    assert (one.backlog, other.backlog) == (0, 0)
    target = socket(sink, said[4])
    assert target.recv_queue == len(said[3])
    assert b"".join(sink.queues.packets(target.file_id)) == said[3].encode()


@fact(r"fd (\d+) (\d+) unix dgram pair, (\S+) queued")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    one, other = socket(sink, said[1]), socket(sink, said[2])
    assert (one.type, one.peer, other.peer) == ("dgram", other.inode, one.inode)
    assert sink.queues.packets(other.file_id) == [said[3].encode()]
    assert (one.recv_queue, other.recv_queue) == (0, len(said[3]))


@fact(r"fd (\d+) unix abstract (\S+) listen")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    assert (socket(sink, said[1]).local, socket(sink, said[1]).state) == (said[2], "LISTEN")


@fact(r"fd (\d+) (tcp|tcp6) listen (\S+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    found = socket(sink, said[1])
    assert (found.protocol, found.state, found.local, found.remote) == ("tcp", "LISTEN", said[3], None)
    assert found.family == ("inet6" if said[2] == "tcp6" else "inet")
    assert found.backlog > 0


@fact(r"fd (\d+) udp bound (\S+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    found = socket(sink, said[1])
    assert (found.protocol, found.type, found.local, found.remote) == ("udp", "dgram", said[2], None)
    assert found.listening


@fact(r"fd (\d+) (\d+) tcp established (\S+):(\d+) -> :(\d+), (\S+) queued")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    one, other = socket(sink, said[1]), socket(sink, said[2])
    here, there = f"{said[3]}:{said[4]}", f"{said[3]}:{said[5]}"
    assert (one.local, one.remote, one.state) == (here, there, "ESTABLISHED")
    assert (other.local, other.remote, other.state) == (there, here, "ESTABLISHED")
    assert not other.listening
    assert sink.queues.tcp(other.inode) == (said[6].encode(), b"")
    assert (one.recv_queue, one.send_queue, other.recv_queue) == (0, 0, len(said[6]))


def soon_after(remaining: int | None, seconds: int) -> bool:
    return remaining is not None and (seconds - ELAPSED) * SECOND < remaining <= seconds * SECOND


@fact(r"fd (\d+) timerfd (\d+)s/(\d+)s")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    found = fd(sink, said[1])
    assert soon_after(found.remaining_us, int(said[2]))
    assert (found.interval_us, found.clock, found.counter) == (int(said[3]) * SECOND, "CLOCK_MONOTONIC", 0)


@fact(r"itimer real (\d+)/(\d+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    (timer,) = [timer for timer in sink.process(1).timers if timer.kind == "real"]
    assert soon_after(timer.remaining_us, int(said[1]))
    assert timer.interval_us == int(said[2]) * SECOND


@fact(r"posix timer (\S+) (\d+)s/(\d+)s (\S+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    (timer,) = [timer for timer in sink.process(1).timers if timer.kind == "posix"]
    assert (timer.clock, timer.signal, timer.interval_us) == (said[1], said[4], int(said[3]) * SECOND)
    assert soon_after(timer.remaining_us, int(said[2]))
    assert len(sink.process(1).timers) == 2


@fact(r"fd (\d+) eventfd value (\d+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    assert (fd(sink, said[1]).type, fd(sink, said[1]).counter) == ("eventfd", int(said[2]))


@fact(r"fd (\d+) signalfd (\S+), (\S+) blocked and pending")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    process = sink.process(1)
    assert fd(sink, said[1]).signals == [said[2]]
    assert process.threads[0].blocked == [said[3]]
    (pending,) = process.pending
    assert (pending.signal, pending.shared, pending.sender_pid) == (said[3], True, 1)
    assert [other.pending for other in sink.processes if other.pid != 1] == [[], [], [], []]


@fact(r"fd (\d+) inotify on (\S+) (\S+)\|(\S+) wd 1")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    (watch,) = fd(sink, said[1]).watches
    assert watch.path == said[2]
    bits = {0x100: "IN_CREATE", 0x200: "IN_DELETE"}
    assert flags(int(watch.events, 16), bits) == [said[3], said[4]]


@fact(r"fd (\d+) epoll on (\d+) (\d+) (\d+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    assert fd(sink, said[1]).type == "epoll"
    assert {watch.fd for watch in fd(sink, said[1]).watches} == {int(said[n]) for n in (2, 3, 4)}


@fact(r"fd (\d+) (\d+) pty master/slave (\S+) (\S+) echoed")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    master, slave = fd(sink, said[1]), fd(sink, said[2])
    assert (master.type, slave.type, slave.target) == ("tty", "tty", said[3])
    file = sink.files[master.file_id]
    assert file is not None
    assert sink.queues.tty(file.entry.tty_info_id) == said[4].encode()
    assert master.queued == len(said[4])


@fact(r"fd (\d+) flock EX (\S+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    found = fd(sink, said[1])
    (lock,) = found.locks
    assert (found.path, lock.kind, lock.mode, lock.start, lock.length) == (said[2], "flock", "write", 0, 0)
    assert [other.fd for other in sink.descriptors(1) if other.locks] == [found.fd]


@fact(r"rlimit core (\d+)/(\d+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    (limit,) = [limit for limit in sink.process(1).rlimits if limit.name == "RLIMIT_CORE"]
    assert (limit.soft, limit.hard) == (int(said[1]), int(said[2]))


@fact(r"child (\d+) comm (\S+) holds (\S+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    child = sink.process(int(said[1]))
    assert (child.comm, child.ppid, child.pgid, child.sid) == (said[2], 1, 1, 1)
    # a literal of the program: every forked child has it, the one that exec'ed another has not
    assert child.pid in pids_with(sink, said[3].encode())
    assert 5 not in pids_with(sink, said[3].encode())


@fact(r"child (\d+) own session, comm (\S+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    child = sink.process(int(said[1]))
    assert (child.comm, child.sid, child.pgid) == (said[2], child.pid, child.pid)


@fact(r"child (\d+) zombie exit code (\d+)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    child = sink.process(int(said[1]))
    assert (child.state, child.exit_code, child.exit_signal) == ("zombie", int(said[2]), None)
    assert (child.cmdline, child.threads, sink.descriptors(child.pid)) == (None, [], [])
    assert sink.memory(child.pid) is None
    assert sink.environment(child.pid) is None


@fact(r"child (\d+) exec (.*)")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    assert sink.process(int(said[1])).cmdline == said[2].split(" ")


@fact(r"ready")
def _(sink: Checkpoint, said: re.Match[str]) -> None:
    assert sink.damaged == []


@pytest.mark.parametrize("pattern", CHECKS)
def test_fact(sink: Checkpoint, truth: Callable[[str], Truth], pattern: str) -> None:
    facts = [line.removeprefix("GT ") for line in truth("podman-kitchen-sink").facts]
    said = [found for found in (re.fullmatch(pattern, line) for line in facts) if found]
    assert said
    for match in said:
        CHECKS[pattern](sink, match)


def test_every_fact_has_a_check(truth: Callable[[str], Truth]) -> None:
    facts = [line.removeprefix("GT ") for line in truth("podman-kitchen-sink").facts]
    assert [line for line in facts if sum(bool(re.fullmatch(p, line)) for p in CHECKS) != 1] == []


def test_one_socket_is_one_record(sink: Checkpoint) -> None:
    """Three processes hold each of the eleven sockets through inherited descriptors."""
    assert len(sink.sockets) == 11
    for held in sink.sockets:
        assert {holder.pid for holder in held.holders} == {1, 2, 3}
        assert len({holder.fd for holder in held.holders}) == 1


def test_credentials(sink: Checkpoint) -> None:
    """What the runtime was told to give is what the process has."""
    spec = sink.container.process
    assert spec is not None
    for process in sink.processes:
        if process.state == "zombie":
            continue
        found = process.credentials
        assert found is not None
        assert set(found.cap_effective) == set(spec.capabilities["effective"])
        assert set(found.cap_bounding) == set(spec.capabilities["bounding"])
        assert found.cap_ambient == []
        assert (found.uid, found.gid) == (spec.uid, spec.gid)
        assert process.seccomp == "filter"


def test_namespaces(sink: Checkpoint) -> None:
    """New ones are those the spec asks for without a path."""
    own = {space.kind for space in sink.namespaces if space.host is False}
    assert own == {{"network": "net", "mount": "mnt"}.get(kind, kind) for kind in sink.container.namespaces}
    assert {space.hostname for space in sink.namespaces if space.kind == "uts"} == {"720f6391c0df"}
    assert sink.container.hostname == "720f6391c0df"


def test_loopback_device(sink: Checkpoint) -> None:
    (device,) = sink.devices
    assert (device.name, device.kind, device.up) == ("lo", "loopback", True)
    assert device.addresses == ["127.0.0.1/8", "::1/128"]


def test_mounts_are_those_of_the_spec(sink: Checkpoint) -> None:
    points = {mount.mountpoint: mount for mount in sink.mounts}
    assert {mount.destination for mount in sink.container.mounts} <= set(points)
    for mount in sink.container.mounts:
        assert points[mount.destination].external == (mount.type == "bind")
    parents = {mount.id for mount in sink.mounts}
    assert [mount.mountpoint for mount in sink.mounts if mount.parent_id not in parents] == ["/"]


def test_old_and_new_layout_of_page_maps(load: Load) -> None:
    """CRIU 4.1 wrote the number of pages where 4.2 writes a zero."""
    checkpoint = load("podman-looper-criu41/checkpoint.tar")
    assert checkpoint.statistics is not None
    counted = [
        vma.dumped for p in checkpoint.processes for vma in getattr(checkpoint.memory(p.pid), "vmas", [])
    ]
    assert sum(counted) == checkpoint.statistics.pages_written == 35
