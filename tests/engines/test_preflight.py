"""What is found before a capture, of real processes: what CRIU itself then refuses, and what it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cryoscope.checkpoint.complete import missing_from
from cryoscope.engines.host import Host
from cryoscope.engines.port import HARD, NOTE, Ability, CaptureOptions, Container, RestoreOptions
from cryoscope.engines.preflight import (
    capture_concerns,
    criu_version,
    file_locks,
    host_checks,
    memory_of,
    restore_concerns,
    tcp_connections,
    watches_on_overlay,
)
from cryoscope.workflows.open import open_checkpoint
from lab.engines import Engine, Running
from lab.node import Node
from lab.probe import foreign_users, memory_tracking
from lab.workloads import KINDS_LOCKED, KINDS_TCP, REDIS, SHELL_COUNTER, Workload

pytestmark = pytest.mark.xdist_group("podman-crun")

MEMORY = 96 << 20
HOLDS = f"""
import mmap, os, time
private = os.urandom({MEMORY})
shared = mmap.mmap(-1, {MEMORY // 2})
for at in range(0, {MEMORY // 2}, 4096): shared[at] = 1
file = open("/proc/self/exe", "rb")
mapped = mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ)
sum(mapped[::4096])
for _ in range(3):
    if os.fork() == 0: break
print("ready", flush=True)
time.sleep(1000)
"""
HOLDING = Workload("holding", "workloads", ("python3", "-B", "-c", HOLDS), still=True)
WATCHES = """
import ctypes, sys, time
libc = ctypes.CDLL(None, use_errno=True)
fd = libc.inotify_init1(0)
assert libc.inotify_add_watch(fd, sys.argv[1].encode(), 2) > 0
print("ready", flush=True)
time.sleep(1000)
"""
WATCHING = Workload("watching", "workloads", ("python3", "-B", "-c", WATCHES))
USER = """
import os, time
os.setuid(4711)
print("ready", flush=True)
time.sleep(1000)
"""
OTHER_USER = Workload("other-user", "workloads", ("python3", "-B", "-c", USER))


@pytest.fixture(scope="module")
def engine(engine_of: Callable[[str], Engine]) -> Engine:
    return engine_of("podman-crun")


@contextmanager
def running(engine: Engine, workload: Workload) -> Iterator[tuple[Running, Container]]:
    """A workload as the product's engines would list it."""
    found = engine.start(workload)
    status = Path(f"/proc/{found.pid}/status").read_text()
    numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
    able = Ability(can=True)
    told: dict[str, Any] = {"engine": "podman", "id": found.id, "name": found.id, "state": "running"}
    try:
        yield found, Container(**told, target="podman://x", pid=int(numbers[1]), capture=able, restore=able)
    finally:
        engine.remove(found)


def concerns(engine: Engine, container: Container, where: Path, **options: Any) -> dict[str, str]:
    """Code and weight of what is found."""
    found = capture_concerns(Host(engine.node.pid), container, CaptureOptions(**options), str(where))
    return {each.code: each.weight for each in found}


def test_nothing_stands_against_what_can_be_captured(engine: Engine, tmp_path: Path) -> None:
    with running(engine, SHELL_COUNTER) as (_, container):
        assert concerns(engine, container, tmp_path) == {}


@pytest.mark.usefixtures("unconfigured")
def test_open_connections_are_refused_unless_it_is_said_what_becomes_of_them(
    engine: Engine, tmp_path: Path
) -> None:
    with running(engine, KINDS_TCP) as (_, container):
        ends = tcp_connections(Host(engine.node.pid), container.pid or 0)
        assert len(ends) == 2
        assert {(end.local, end.remote) for end in ends} == {(end.remote, end.local) for end in ends}
        assert concerns(engine, container, tmp_path) == {"preflight.tcp-established": HARD}
        assert concerns(engine, container, tmp_path, tcp="established") == {}
        assert concerns(engine, container, tmp_path, tcp="close") == {}


def test_a_socket_that_only_listens_is_no_connection(engine: Engine, tmp_path: Path) -> None:
    with running(engine, REDIS) as (_, container):
        assert tcp_connections(Host(engine.node.pid), container.pid or 0) == []
        assert concerns(engine, container, tmp_path) == {}


def test_what_the_hosts_own_configuration_gives_criu_is_no_refusal(engine: Engine, tmp_path: Path) -> None:
    conf = Path(Host(engine.node.pid).path("/etc/criu/crun.conf"))
    conf.parent.mkdir(exist_ok=True)
    conf.write_text("tcp-established\nfile-locks\n")
    try:
        with running(engine, KINDS_TCP) as (_, container):
            assert concerns(engine, container, tmp_path) == {"preflight.tcp-established": NOTE}
        with running(engine, KINDS_LOCKED) as (_, container):
            assert concerns(engine, container, tmp_path) == {}
    finally:
        conf.unlink()


@pytest.mark.usefixtures("unconfigured")
def test_file_locks_are_refused_unless_they_are_asked_for(engine: Engine, tmp_path: Path) -> None:
    with running(engine, KINDS_LOCKED) as (found, container):
        locks = file_locks(Host(engine.node.pid), container.pid or 0)
        with open_checkpoint(str(engine.checkpoint(found))) as checkpoint:
            held = [d for p in checkpoint.processes for d in checkpoint.descriptors(p.pid)]
            expected = {(d.path, lock.kind, lock.mode) for d in held for lock in d.locks}
        assert {(each.path, each.kind, each.mode) for each in locks} == expected
        assert len(locks) == len(expected) == 2
        assert concerns(engine, container, tmp_path) == {"preflight.file-locks": HARD}
        assert concerns(engine, container, tmp_path, file_locks=True) == {}


@pytest.mark.parametrize(("path", "expected"), [("/etc", {"preflight.watch-overlay"}), ("/dev/shm", set())])
def test_watches_are_a_concern_on_overlay_alone(
    engine: Engine, tmp_path: Path, path: str, expected: set[str]
) -> None:
    with running(engine, WATCHING.given(path)) as (_, container):
        assert concerns(engine, container, tmp_path).keys() == expected
        watches = watches_on_overlay(Host(engine.node.pid), container.pid or 0)
        assert [(each.pid, each.kind) for each in watches] == [(1, "inotify")] * len(expected)


def test_processes_of_other_users_are_a_concern_where_criu_cannot_read_their_limits(
    engine: Engine, tmp_path: Path, node: Node
) -> None:
    with running(engine, OTHER_USER) as (_, container):
        expected = {"preflight.other-user"} if foreign_users(node) else set()
        assert concerns(engine, container, tmp_path).keys() == expected


def test_a_place_without_room_is_a_concern(engine: Engine, node: Node) -> None:
    node.run("sh", "-c", "mkdir -p /run/small && mount -t tmpfs -o size=64m none /run/small")
    small = Path(Host(node.pid).path("/run/small"))
    with running(engine, HOLDING) as (_, container):
        assert "preflight.disk" in concerns(engine, container, small)
    with running(engine, SHELL_COUNTER) as (_, container):
        assert "preflight.disk" not in concerns(engine, container, small)
        assert "preflight.disk" not in concerns(engine, container, small / "not-yet")


def test_the_estimate_is_as_large_as_the_archive_and_not_much_larger(engine: Engine) -> None:
    """Private pages of four processes, shared ones once, and no page that only a file holds."""
    with running(engine, HOLDING) as (found, container):
        memory = memory_of(Host(engine.node.pid), container.pid or 0)
        archive = engine.checkpoint(found)
        size = archive.stat().st_size
        with open_checkpoint(str(archive)) as checkpoint:
            assert missing_from(checkpoint) == []
            assert memory.processes == len(checkpoint.processes)
        assert size <= memory.archive < size * 1.25
        assert memory.private > 4 * MEMORY
        assert MEMORY // 2 <= memory.shared < MEMORY
        assert memory.usage is not None


def test_of_one_that_ended_nothing_is_said(engine: Engine, tmp_path: Path) -> None:
    with running(engine, SHELL_COUNTER) as (_, container):
        pass
    assert concerns(engine, container, tmp_path) == {}


def test_a_checkpoint_of_this_machine_can_be_restored_on_it(engine: Engine) -> None:
    with running(engine, SHELL_COUNTER) as (found, _):
        archive = engine.checkpoint(found)
    with open_checkpoint(str(archive)) as checkpoint:
        assert restore_concerns(checkpoint, Host(engine.node.pid), RestoreOptions(name="x")) == []


def test_doctor_says_what_criu_and_the_kernel_say(node: Node) -> None:
    host = Host(node.pid)
    told = node.run("criu", "--version").stdout.split()[1]
    assert ".".join(map(str, criu_version(host) or ())) == told
    checks = {each.code: each for each in host_checks(host)}
    assert checks["preflight.criu"].what == f"criu {told}"
    assert checks["preflight.criu-check"].state == "ok"
    tracking = checks["preflight.criu-mem-dirty-track"]
    assert (tracking.state == "ok") == (memory_tracking(node) is None)
    assert tracking.state == "ok" or tracking.cure
    assert (checks["preflight.capabilities"].state == "ok") == (foreign_users(node) is None)


def test_a_host_without_criu_says_so(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(node.pid)
    monkeypatch.setattr(host, "argv", lambda command: ["/nowhere/" + command[0], *command[1:]])
    checks = {each.code: each for each in host_checks(host)}
    assert checks["preflight.criu"].state == "fail"
    assert "install" in checks["preflight.criu"].cure
