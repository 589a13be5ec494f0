"""A container is checkpointed and changes: `compare` says just that, of every engine, and changes nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from cryoscope.engines.host import Host
from cryoscope.engines.live import files, processes
from cryoscope.engines.live_sockets import sockets
from cryoscope.engines.port import Ability, Container, EngineError, NoSuchContainer
from cryoscope.workflows.compare import ComparePart, Comparing, compared
from cryoscope.workflows.live_differences import LiveDifference
from cryoscope.workflows.masking import MASK, Masker, Revealing
from cryoscope.workflows.open import open_checkpoint
from lab import proc
from lab.engines import Engine, Refused, Running, wait_for_word
from lab.node import Node
from lab.workloads import INNOCENT, SHELL_COUNTER, Workload

PORT = 7118
NAMES = ("podman-crun", "docker", "containerd", "criu")
each_engine = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in NAMES]
)
# Its children wait in read(2): nanosleep(2) of busybox ends when CRIU has been at it.
SCRIPT = f"""
import os, signal, socket, subprocess, sys
folder = sys.argv[1] if len(sys.argv) > 1 else "/data"
os.makedirs(folder, exist_ok=True)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
first = subprocess.Popen(["/bin/busybox", "sh", "-c", "read first"], stdin=subprocess.PIPE)
for name in ("stays", "grows", "goes", "closed"):
    open(folder + "/" + name, "w").write("as it was")
closed = open(folder + "/closed")
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", {PORT - 1}))
server.listen(7)
print("ready", flush=True)
signal.sigwait([signal.SIGUSR1])
first.kill()
first.wait()
waits = ["/bin/busybox", "sh", "-c", "read x", "--password", "hunter2hunter2"]
child = subprocess.Popen(waits, stdin=subprocess.PIPE)
server.close()
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", {PORT}))
server.listen(7)
there = socket.create_connection(("127.0.0.1", {PORT}))
here = server.accept()
unix = socket.socket(socket.AF_UNIX)
unix.bind("\\0cryoscope-compare")
unix.listen(1)
closed.close()
held = open(folder + "/between", "w")
open(folder + "/grows", "a").write(", and more")
os.unlink(folder + "/goes")
print("changed", flush=True)
signal.sigwait([signal.SIGUSR1])
"""
CHANGING = Workload("comparing", "workloads", ("python3", "-B", "-c", SCRIPT), bare=("/tmp/comparing",))


def container(engine: Engine, running: Running) -> Container:
    """As an engine would list it: the pid is as its host counts."""
    status = Path(f"/proc/{running.pid}/status").read_text()
    numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
    return Container(
        engine=engine.name,
        id="",
        name=running.id,
        state="running",
        target=f"{engine.name}://{running.id}",
        pid=int(numbers[1]),
        capture=Ability(can=True),
        restore=Ability(can=True),
    )


class Pair:
    """One container, its checkpoint, and what `compare` said just after it and after its changes."""

    def __init__(self, engine: Engine) -> None:
        running = engine.start(CHANGING)
        try:
            self.folder = CHANGING.bare[0] if engine.name == "criu" else "/data"
            self.path = engine.checkpoint(running)
            self.engine, self.running, self.host = engine, running, Host(engine.node.pid)
            self.before = self.compare()
            before = proc.read(running.pid, tree=engine.name == "criu")
            os.kill(running.pid, signal.SIGUSR1)
            wait_for_word(engine, replace(running, workload=replace(CHANGING, word="changed")))
            self.after = self.compare()
            self.revealed = self.compare(reveal=True)
            self.pids = [*proc.read(running.pid, tree=engine.name == "criu").processes]
            self.was = [*before.processes]
        finally:
            engine.remove(running)

    def compare(self, *, reveal: bool = False) -> ComparePart:
        with open_checkpoint(str(self.path), stacks=True) as checkpoint:
            masker = Revealing() if reveal else Masker()
            where = container(self.engine, self.running)
            return compared("a.tar", checkpoint, where, self.host, Comparing(), masker)


@pytest.fixture(scope="module")
def pairs() -> dict[str, Pair]:
    return {}


@pytest.fixture
def pair_of(engine_of: Callable[[str], Engine], pairs: dict[str, Pair]) -> Callable[[str], Pair]:
    def of(name: str) -> Pair:
        if name not in pairs:
            try:
                pairs[name] = Pair(engine_of(name))
            except Refused as reason:
                pytest.skip(f"{name} refuses: {reason}")
        return pairs[name]

    return of


def of(part: ComparePart, aspect: str) -> list[tuple[str, str]]:
    return [(each.change, each.subject) for each in part.differences if each.aspect == aspect]


def found(part: ComparePart, aspect: str, change: str) -> LiveDifference:
    (one,) = [each for each in part.differences if (each.aspect, each.change) == (aspect, change)]
    return one


@each_engine
def test_just_after_its_checkpoint_nothing_is_different(name: str, pair_of: Callable[[str], Pair]) -> None:
    pair = pair_of(name)
    assert pair.before.differences == []
    assert not pair.before.different
    assert pair.before.processes == pair.before.running == len(pair.was) == 2


@each_engine
def test_processes_that_ended_and_began_are_named(name: str, pair_of: Callable[[str], Pair]) -> None:
    pair = pair_of(name)
    new, gone = found(pair.after, "processes", "new"), found(pair.after, "processes", "gone")
    assert (gone.pid, gone.then) == (max(pair.was), ["/bin/busybox", "sh", "-c", "read first"])
    assert new.pid == max(pair.pids)
    assert new.now == ["/bin/busybox", "sh", "-c", "read x", "--password", MASK]
    assert found(pair.revealed, "processes", "new").now[-1] == "hunter2hunter2"
    assert len(of(pair.after, "processes")) == 2


@each_engine
def test_files_that_were_opened_and_closed_are_named(name: str, pair_of: Callable[[str], Pair]) -> None:
    pair = pair_of(name)
    expected = [("gone", f"{pair.folder}/closed"), ("new", f"{pair.folder}/between")]
    assert of(pair.after, "files") == expected


@each_engine
def test_sockets_that_listen_and_are_connected_are_named(name: str, pair_of: Callable[[str], Pair]) -> None:
    there = of(pair_of(name).after, "sockets")
    assert ("gone", f"tcp 127.0.0.1:{PORT - 1} LISTEN") in there
    assert ("new", f"tcp 127.0.0.1:{PORT} LISTEN") in there
    assert ("new", "unix @cryoscope-compare LISTEN") in there
    ends = [text for change, text in there if change == "new" and text.endswith("ESTABLISHED")]
    assert len(ends) == 2
    assert all(f"127.0.0.1:{PORT}" in text for text in ends)
    assert len(there) == 5


@each_engine
def test_changed_files_that_changed_again_are_named(name: str, pair_of: Callable[[str], Pair]) -> None:
    kept = name not in ("docker", "criu")
    expected = [("changed", "/data/grows"), ("gone", "/data/goes")] if kept else []
    assert sorted(of(pair_of(name).after, "rootfs")) == expected


@pytest.mark.xdist_group("podman-crun")
def test_what_is_read_of_a_busy_container_is_what_is_there(engine_of: Callable[[str], Engine]) -> None:
    """Sockets, deleted files, names with spaces, processes of every state: beside the tests' own reader."""
    engine = engine_of("podman-crun")
    running = engine.start(INNOCENT)
    try:
        told = processes(Host(engine.node.pid), container(engine, running).pid or 0)
        opened = {each.pid: files(each.number) for each in told}
        reading = proc.read(running.pid)
        assert {each.pid: (each.number, each.comm) for each in told} == {
            pid: (each.outside, each.comm) for pid, each in reading.processes.items()
        }
        for each in told:
            links = {fd.fd: os.readlink(f"/proc/{each.number}/fd/{fd.fd}") for fd in opened[each.pid]}
            assert {fd.fd: fd.target + " (deleted)" * fd.deleted for fd in opened[each.pid]} == links
        inodes = {fd.socket for fds in opened.values() for fd in fds} - {None}
        assert {socket.inode for socket in sockets(told, opened)} <= inodes
        assert any(socket.open_tcp for socket in sockets(told, opened))
    finally:
        engine.remove(running)


@pytest.mark.xdist_group("podman-crun")
def test_one_that_ended_is_an_error_with_a_code(node: Node, engine_of: Callable[[str], Engine]) -> None:
    engine = engine_of("podman-crun")
    running = engine.start(SHELL_COUNTER)
    where = container(engine, running)
    path = engine.checkpoint(running)
    engine.remove(running)
    with open_checkpoint(str(path)) as checkpoint:
        with pytest.raises(NoSuchContainer) as ended:
            compared("a.tar", checkpoint, where, Host(node.pid), Comparing(), Masker())
        nowhere = msgspec.structs.replace(where, pid=None)
        with pytest.raises(EngineError) as unseen:
            compared("a.tar", checkpoint, nowhere, Host(node.pid), Comparing(), Masker())
    assert (ended.value.code, unseen.value.code) == ("live.gone", "compare.no-process")


# --- the command --------------------------------------------------------------------------------
def command(engine: Engine, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cryoscope", "compare", "--host", str(engine.node.pid), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.xdist_group("criu")
def test_the_command_says_it_in_every_form(engine_of: Callable[[str], Engine]) -> None:
    engine = engine_of("criu")
    running = engine.start(CHANGING)
    try:
        path = str(engine.checkpoint(running))
        target = f"pid://{container(engine, running).pid}"
        same = command(engine, "--exit-code", path, target)
        assert (same.returncode, same.stdout.splitlines()[-1]) == (0, "no difference")
        os.kill(running.pid, signal.SIGUSR1)
        wait_for_word(engine, replace(running, workload=replace(CHANGING, word="changed")))
        assert command(engine, path, target).returncode == 0
        table = command(engine, "--exit-code", "--only", "sockets", path, target)
        assert table.returncode == 10
        assert f"tcp 127.0.0.1:{PORT} LISTEN" in table.stdout
        assert "OPEN FILE" not in table.stdout
        document = json.loads(command(engine, "-f", "json", path, target).stdout)
        assert document["schema"] == "cryoscope.compare/1"
        assert document["archives"][0]["summary"]["processes"] == {"new": 1, "gone": 1}
        rows = command(engine, "-f", "jsonl", path, target).stdout.splitlines()
        assert len(rows) == len(document["archives"][0]["differences"])
    finally:
        engine.remove(running)
