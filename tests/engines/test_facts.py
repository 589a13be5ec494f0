"""The comparison of the truth test can fail, and /proc is read as it is."""

from __future__ import annotations

import dataclasses
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from facts import compare, facts_of_proc
from facts_tables import BETWEEN, LEFT_BEHIND, MOVES, NOT_SAID
from lab import proc, proc_fd
from lab.proc_parse import cgroups_of, fdinfo_of, id_map, limits_of, maps_of, mounts_of, stat_of, waits_at
from lab.proc_records import Limit, Lock, Mapped, Reading

Facts = dict[tuple[Any, ...], Any]

TRUTH: Facts = {
    ("process", 1, "started"): 50,
    ("process", 1, "comm"): "init",
    ("process", 7, "started"): 60,
    ("process", 7, "comm"): "worker",
    ("thread", 1, 1, "started"): 50,
    ("thread", 1, 1, "ip"): 4096,
    ("thread", 1, 1, "SigBlk"): 0,
    ("descriptor", 1, 3, "target"): "/data/log",
    ("descriptor", 1, 3, "file", "position"): 10,
    ("mapping", 1, "0x1000", "path"): "/bin/init",
    ("mapping", 1, "0x1000", "perms"): "r-xp",
}
HIDDEN = ("started",)


def said_of(truth: Facts) -> Facts:
    return {key: value for key, value in truth.items() if key[-1] not in HIDDEN}


def without(facts: Facts, *start: Any) -> Facts:
    return {key: value for key, value in facts.items() if key[: len(start)] != start}


def wrong(before: Facts, after: Facts, said: Facts, *, still: bool = True) -> list[tuple[Any, ...]]:
    return [difference.key for difference in compare(before, after, said, still=still).wrong]


# --- the comparison -----------------------------------------------------------------------------
def test_nothing_is_wrong_where_all_agree() -> None:
    found = compare(TRUTH, TRUTH, said_of(TRUTH), still=True)
    assert (found.wrong, found.moved, found.compared) == ([], [], 8)
    assert found.not_said.total() == 3
    assert str(found) == "8 facts compared, 0 moved, 0 wrong"


@pytest.mark.parametrize("still", [True, False])
@pytest.mark.parametrize("key", said_of(TRUTH))
def test_a_changed_value_is_reported(key: tuple[Any, ...], still: bool) -> None:
    changed = said_of(TRUTH) | {key: "changed"}
    if key == ("thread", 1, 1, "ip") and not still:
        assert wrong(TRUTH, TRUTH, changed, still=still) == []  # it ran
        return
    assert wrong(TRUTH, TRUTH, changed, still=still) == [key]


@pytest.mark.parametrize("still", [True, False])
@pytest.mark.parametrize("key", said_of(TRUTH))
def test_a_fact_that_is_not_said_is_reported(key: tuple[Any, ...], still: bool) -> None:
    if key[-1] == "ip" and not still:
        return
    assert wrong(TRUTH, TRUTH, without(said_of(TRUTH), *key), still=still) == [key]


@pytest.mark.parametrize("still", [True, False])
def test_a_missing_process_is_reported(still: bool) -> None:
    found = compare(TRUTH, TRUTH, without(said_of(TRUTH), "process", 7), still=still)
    assert [difference.key for difference in found.wrong] == [("process", 7, "comm")]
    assert str(found.wrong[0]) == "process/7/comm: /proc has 'worker'; the checkpoint nothing"


@pytest.mark.parametrize(
    "invented",
    [
        ("process", 9, "comm"),
        ("descriptor", 1, 8, "target"),
        ("descriptor", 1, 3, "invented"),
        ("mapping", 1, "0x9000", "path"),
        ("mount", 1, 12, "root"),
    ],
)
def test_what_is_invented_is_reported(invented: tuple[Any, ...]) -> None:
    assert wrong(TRUTH, TRUTH, said_of(TRUTH) | {invented: "x"}) == [invented]


@pytest.mark.parametrize("still", [True, False])
@pytest.mark.parametrize(("said", "expected"), [(9, 1), (10, 0), (15, 0), (20, 0), (21, 1)])
def test_a_number_that_moved_must_lie_between(said: int, expected: int, still: bool) -> None:
    key = ("clock", "monotonic")
    assert len(wrong({key: 10}, {key: 20}, {key: said}, still=still)) == expected
    assert len(wrong({key: 20}, {key: 10}, {key: said}, still=still)) == expected


def test_a_mask_is_no_number_to_lie_between() -> None:
    key = ("process", 1, "CapEff")
    assert wrong(TRUTH | {key: 1}, TRUTH | {key: 4}, said_of(TRUTH) | {key: 2}, still=False) == [key]


def test_what_stands_still_may_not_move() -> None:
    key = ("thread", 1, 1, "SigBlk")
    after = TRUTH | {key: 4}
    assert wrong(TRUTH, after, said_of(TRUTH)) == [key]
    assert wrong(TRUTH, after, said_of(TRUTH), still=False) == []


def test_a_process_that_comes_and_goes() -> None:
    """Another one with the same pid is another one; one that both readings had must be there."""
    other = TRUTH | {("process", 7, "started"): 70}
    said = said_of(without(TRUTH, "process", 7)) | {("process", 8, "comm"): "worker"}
    assert wrong(TRUTH, other, said, still=False) == []
    assert wrong(TRUTH, other, said) == [("process", 7, "comm"), ("process", 8, "comm")]
    assert wrong(TRUTH, TRUTH, said, still=False) == [("process", 7, "comm")]


def test_a_descriptor_that_comes_and_goes() -> None:
    after = TRUTH | {("descriptor", 1, 3, "target"): "pipe:[7]"}
    said = without(said_of(TRUTH), "descriptor")
    assert wrong(TRUTH, after, said, still=False) == []
    assert wrong(TRUTH, TRUTH, said, still=False) == [
        ("descriptor", 1, 3, "file", "position"),
        ("descriptor", 1, 3, "target"),
    ]


def test_what_a_checkpoint_changes_must_be_as_before() -> None:
    key = ("process", 1, "ShdPnd")
    assert wrong({key: 0}, {key: 1 << 18}, {key: 0}) == []
    assert wrong({key: 0}, {key: 1 << 18}, {key: 1 << 18}) == [key]


def test_excuses_for_what_is_not_said_at_all_end_where_some_is_said() -> None:
    first, second = ("cgroup", 1, "pids"), ("cgroup", 1, "cpu")
    truth = {first: "/", second: "/"}
    assert wrong(truth, truth, {}) == []
    assert wrong(truth, truth, {first: "/"}) == [second]


def test_every_entry_of_the_tables_has_a_reason() -> None:
    rules = (*BETWEEN, *LEFT_BEHIND, *MOVES, *NOT_SAID)
    assert all(len(rule.reason) > 10 for rule in rules)


def test_no_excuse_covers_what_a_checkpoint_says() -> None:
    """A fact that is excused by name is one that `facts_of_checkpoint` never says of a process."""
    names = ("comm", "cmdline", "exe", "uids", "CapEff", "SigCgt", "Seccomp", "target", "perms", "path")
    shapes = [("process", 1), ("thread", 1, 1), ("descriptor", 1, 3), ("mapping", 1, "0x1000")]
    for rule in (rule for rule in NOT_SAID if not rule.without):
        for key in ((*shape, name) for shape in shapes for name in names):
            assert not matches(key, rule.pattern), rule


def matches(key: tuple[Any, ...], pattern: tuple[str, ...]) -> bool:
    return len(key) == len(pattern) and all(
        any(fnmatchcase(str(part), choice) for choice in choices.split(" "))
        for part, choices in zip(key, pattern, strict=True)
    )


# --- parsing ------------------------------------------------------------------------------------
def test_lines_that_programs_can_shape() -> None:
    fields = ["S", *map(str, range(4, 53))]
    assert stat_of(f"1 (a) R (\n) {' '.join(fields)}")["nice"] == 19
    row = "7f0000001000-7f0000002000 rw-s 00003000 fe:10 77                 /a b (deleted)\n"
    assert maps_of(row) == (
        Mapped(0x7F0000001000, 0x7F0000002000, "rw-s", 0x3000, "254:16", 77, "/a b (deleted)"),
    )
    (mount,) = mounts_of(r"1 2 0:3 / /a\040b ro,noatime master:4 - tmpfs x\134y rw,uid=1007", {"uid": minus})
    assert (mount.mountpoint, mount.source, mount.master, mount.shared) == ("/a b", "x\\y", 4, 0)
    assert mount.super_options == "rw,uid=7"


def minus(number: int) -> int:
    return number - 1000


def test_limits_and_groups_and_maps_of_ids() -> None:
    text = "Limit   Soft Limit  Hard Limit  Units\nMax nice priority         0                    19       \n"
    assert limits_of(text) == (Limit("nice priority", "0", "19"),)
    assert cgroups_of("3:cpu,cpuacct:/a:b\n0::/c\n") == {"cpu,cpuacct": "/a:b", "": "/c"}
    inside = id_map("0 1000 10\n100 5000 1\n")
    assert [inside(number) for number in (1000, 1009, 5000, 7)] == [0, 9, 100, 65534]


def test_fdinfo() -> None:
    text = (
        "pos:\t0\nflags:\t02\nlock:\t1: POSIX  ADVISORY  WRITE 9 fe:00:7 5 14\n"
        "lock:\t2: FLOCK  ADVISORY  READ -1 fe:00:7 0 EOF\n"
        "tfd:        5 events:       19 data:                5  pos:0 ino:7 sdev:f\n"
        "inotify wd:2 ino:7 sdev:36 mask:300 ignored_mask:0 f_handle:ab\n"
    )
    info, rows, locks = fdinfo_of(text)
    assert info == {"pos": "0", "flags": "02"}
    assert locks == [Lock("posix", "write", 5, 10), Lock("flock", "read", 0, 0)]
    assert rows[0] == (
        "tfd",
        {"tfd": "5", "events": "19", "data": "5", "pos": "0", "ino": "7", "sdev": "f"},
    )
    assert rows[1][1]["wd"] == "2"


def test_threads_that_wait_with_another_mask() -> None:
    assert waits_at("running") == (None, None, False)
    assert waits_at("-1 0x7ffc 0x1000") == (0x7FFC, 0x1000, False)
    assert waits_at("130 0x5 0x8 0x0 0x0 0x0 0x0 0x7ffc 0x1000").masked
    assert not waits_at("271 0x5 0x8 0x0 0x0 0x8 0x0 0x7ffc 0x1000").masked


# --- a process of our own -----------------------------------------------------------------------
CHILD = """
import fcntl, os, signal, socket, sys, threading
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
signal.signal(signal.SIGHUP, signal.SIG_IGN)
os.kill(os.getpid(), signal.SIGUSR1)
file = open(sys.argv[1], "w+b")
file.write(b"0123456789")
file.flush()
fcntl.lockf(file, fcntl.LOCK_EX, 5, 2)
listens = socket.create_server(("127.0.0.1", 0))
alone = socket.socket()
read, write = os.pipe()
os.write(write, b"waits")
threading.Thread(target=signal.pause, name="second", daemon=True).start()
print(file.fileno(), listens.fileno(), listens.getsockname()[1], alone.fileno(), read, flush=True)
sys.stdin.read()
"""


@dataclasses.dataclass(frozen=True)
class Child:
    """A process of which everything is known, and what it told."""

    pid: int
    file: int
    listens: int
    port: int
    alone: int
    pipe: int


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    command = [sys.executable, "-c", CHILD, str(tmp_path / "a file")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 30)[0]
        yield Child(process.pid, *map(int, process.stdout.readline().split()))
        process.kill()


@pytest.fixture
def facts(child: Child) -> Facts:
    return facts_of_proc(proc.read(child.pid, tree=True))


root = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces can be read by root only")


@root
def test_a_process_is_read_as_it_is(child: Child, facts: Facts, tmp_path: Path) -> None:
    pid = child.pid
    assert facts["process", pid, "cmdline"].split(b"\0")[1:3] == [b"-c", CHILD.encode()]
    assert facts["process", pid, "cwd"] == str(Path.cwd())
    assert facts["process", pid, "SigIgn"] >> signal.SIGHUP - 1 & 1
    assert facts["process", pid, "ppid"] == 0
    assert facts["process", pid, "ShdPnd"] == 1 << signal.SIGUSR1 - 1
    assert facts["descriptor", pid, child.file, "target"] == str(tmp_path / "a file")
    assert facts["descriptor", pid, child.file, "file", "position"] == 10
    assert facts["descriptor", pid, child.file, "locks"] == {("posix", "write", 2, 5)}
    assert facts["descriptor", pid, child.pipe, "pipe", "queued"] == 5
    assert facts["namespace", pid, "pid", "of-parent"] is True


@root
def test_sockets_are_read_with_those_that_are_in_no_table(child: Child, facts: Facts) -> None:
    inode = facts["descriptor", child.pid, child.listens, "socket", "inode"]
    assert facts["socket", inode, "local"] == f"127.0.0.1:{child.port}"
    assert (facts["socket", inode, "table"], facts["socket", inode, "state"]) == ("tcp", 10)
    alone = facts["descriptor", child.pid, child.alone, "socket", "inode"]
    assert (facts["socket", alone, "table"], facts["socket", alone, "state"]) == ("tcp", 7)
    assert facts["socket", alone, "local"] is None


@root
def test_what_does_not_move_is_read_the_same_twice(child: Child, facts: Facts) -> None:
    again = facts_of_proc(proc.read(child.pid, tree=True))
    names = ("Vm", "Rss", "voluntary", "nonvoluntary", "SigQ")
    differ = {key for key in facts.keys() | again.keys() if facts.get(key) != again.get(key)}
    assert {key for key in differ if not str(key[-1]).startswith(names)} <= {
        ("clock", "monotonic"),
        ("clock", "boottime"),
    }
    assert len(facts) > 300


@root
def test_a_process_that_is_gone_cannot_be_read(child: Child) -> None:
    os.kill(child.pid, signal.SIGKILL)
    os.waitpid(child.pid, 0)
    with pytest.raises(ProcessLookupError):
        proc.read(child.pid, tree=True)


@root
def test_threads_are_read_by_their_own_numbers(child: Child) -> None:
    reading: Reading = proc.read(child.pid, tree=True)
    threads = reading.processes[child.pid].threads
    assert len(threads) == 2
    assert child.pid in threads


def test_the_pipe_of_the_child_is_left_as_it_was(child: Child) -> None:
    """Asking what waits in it takes nothing out of it, and closes nothing."""
    for _ in range(2):
        assert proc_fd.ask(child.pid, child.pipe, 0).queued == 5
    assert os.path.exists(f"/proc/{child.pid}/fd/{child.pipe}")
