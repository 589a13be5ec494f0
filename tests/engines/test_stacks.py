"""Stacks of programs whose sources say where their threads stand, beside gdb on the running process."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cryoscope.examine.stack import Frame, Options, ProcessStack, debugger
from cryoscope.workflows.open import open_checkpoint
from cryoscope.workflows.stack import Asked, of_checkpoint
from lab import places
from lab.engines.criu import Criu
from lab.engines.podman import Podman
from lab.workloads import KINDS, LOCALS, LOCALS_O2, LOCALS_STATIC, THREADS, Workload
from taken import Take

pytestmark = pytest.mark.xdist_group("criu")

PROGRAMS = Path(__file__).parents[2] / "lab" / "programs"
FRAME = re.compile(r"^#(\d+)\s+(?:0x([0-9a-f]+) in )?(\S+) \(.*\)(?: at \S+:(\d+)| from \S+)?$", re.MULTILINE)
THREAD = re.compile(r"^Thread \d+ \(.*?LWP (\d+)\)", re.MULTILINE)
CHAIN = ["inner", "middle", "outer", "main"]


def stacks(path: Path, **options: bool) -> list[ProcessStack]:
    """The stacks of a checkpoint, with the lab's root file system."""
    with open_checkpoint(str(path)) as checkpoint:
        found, _ = of_checkpoint(checkpoint, Asked(rootfs=str(places.root()), options=Options(**options)))
        return found


def named(frames: list[Frame]) -> list[str]:
    """The functions that are known, the innermost first."""
    return [frame.function for frame in frames if frame.function is not None]


def line(source: str, text: str) -> int:
    """The number of the line of a source that holds a text; lines of which there are several do not count."""
    lines = (PROGRAMS / source).read_text().splitlines()
    [number] = [number for number, found in enumerate(lines, 1) if text in found]
    return number


@pytest.fixture(autouse=True)
def gdb() -> None:
    """These tests are about what gdb tells."""
    if debugger.path() is None:
        pytest.skip("there is no gdb")


@pytest.mark.parametrize("workload", [LOCALS, LOCALS_O2, LOCALS_STATIC], ids=lambda workload: workload.name)
def test_the_chain_of_calls_is_that_of_the_source(take: Take, workload: Workload) -> None:
    [stack] = stacks(take("criu", workload).path)
    [thread] = stack.threads
    assert thread.unwound == "gdb"
    mine = [frame for frame in thread.frames if frame.file and frame.file.endswith("/locals.c")]
    assert [frame.function for frame in mine] == CHAIN
    assert mine[0].line in (line("locals.c", "for (;;) pause();"), line("locals.c", "fflush(stdout);"))
    assert "pause" in " ".join(named(thread.frames))
    if workload is LOCALS:
        assert mine[1].line == line("locals.c", "int got = inner(")
        assert mine[2].line == line("locals.c", "return middle(")
        assert mine[3].line == line("locals.c", "return outer(")


def test_each_thread_stands_where_its_function_waits(take: Take) -> None:
    [stack] = stacks(take("criu", THREADS).path)
    assert [thread.comm for thread in stack.threads] == ["threads", *(f"worker-{n}" for n in range(8))]
    for thread in stack.threads:
        mine = [frame for frame in thread.frames if frame.file and frame.file.endswith("/threads.c")]
        expected = ["main"] if thread.comm == "threads" else ["wait_for_ever", "work"]
        assert [frame.function for frame in mine] == expected
        assert all(frame.module == "/opt/lab/bin/threads" for frame in mine)


@pytest.mark.parametrize("workload", [LOCALS, THREADS], ids=lambda workload: workload.name)
def test_frames_are_those_of_gdb_on_the_running_process(criu: Criu, workload: Workload) -> None:
    running = criu.start(workload)
    try:
        pid = criu.node.outside(running.id + "/pid").read_text().strip()
        options = ["-iex", "set debuginfod enabled off", "-ex", "thread apply all backtrace"]
        live = criu.node.run("gdb", "-nx", "-batch", *options, "-p", pid).stdout
        [stack] = stacks(criu.checkpoint(running))
    finally:
        criu.remove(running)
    told = _backtraces(live)
    assert told.keys() == {thread.tid for thread in stack.threads}
    for thread in stack.threads:
        ours = [(frame.function or "??", frame.line) for frame in thread.frames]
        theirs = [(name, number) for _, name, number in told[thread.tid]]
        known = min(len(ours), len(theirs))  # the node's gdb stops at main, ours behind it
        assert known >= len(theirs) - 1
        assert ours[:known] == theirs[:known]
        # CRIU puts a thread that waits back before its system call: the first address may differ by it
        addresses = [address for address, _, _ in told[thread.tid]]
        for frame, address in zip(thread.frames[1:], addresses[1:], strict=False):
            assert address in (None, frame.address)


def _backtraces(text: str) -> dict[int, list[tuple[int | None, str, int | None]]]:
    """Address, function and line of each frame of each thread in what gdb printed."""
    parts = THREAD.split(text)
    return {
        int(tid): [
            (int(address, 16) if address else None, name, int(number) if number else None)
            for _, address, name, number in FRAME.findall(frames)
        ]
        for tid, frames in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_without_gdb_frame_pointers_lead_through_what_keeps_them(take: Take) -> None:
    [stack] = stacks(take("criu", LOCALS).path, native=False)
    [thread] = stack.threads
    assert thread.unwound == "frame-pointers"
    assert named(thread.frames)[:3] == CHAIN[1:]
    [whole] = stacks(take("criu", LOCALS).path)
    addresses = [frame.address for frame in whole.threads[0].frames]
    assert [frame.address for frame in thread.frames] == [
        address for address in addresses if address in {frame.address for frame in thread.frames}
    ]


def test_frames_of_python_are_those_of_the_source(take: Take) -> None:
    pytest.importorskip("pystack")
    leader = stacks(take("criu", KINDS).path, locals=True)[0]
    assert leader.notes == []
    assert leader.python == "3.14"
    first, *others = leader.threads
    pause = next(
        number
        for number, text in enumerate((PROGRAMS / "kinds" / "__main__.py").read_text().splitlines(), 1)
        if "pause()" in text
    )
    assert next((frame.function, frame.file, frame.line) for frame in first.python) == (
        "<module>",
        "/opt/lab/bin/kinds/__main__.py",
        pause,
    )
    assert [frame.function for frame in first.python][1:] == ["_run_code", "_run_module_as_main"]
    assert others
    for thread in others:
        names = [frame.function for frame in thread.python]
        assert names == ["wait", "wait", "run", "_bootstrap_inner", "_bootstrap"]
        assert "self" in (thread.python[-1].locals or {})
    assert {thread.comm for thread in others} == {"reader", "writer", "a-very-long-nam"}


def test_zombies_and_children_of_python_are_told_apart(take: Take) -> None:
    found = {stack.comm: stack for stack in stacks(take("criu", KINDS).path)}
    assert found["killed"].state == "zombie"
    assert found["killed"].threads == []
    assert found["sleep"].python is None
    assert found["session"].python in (None, "3.14")
    assert all(thread.frames for stack in found.values() for thread in stack.threads)


def test_an_engine_s_container(podman: Callable[[str], Podman], take: Take) -> None:
    taken = take("podman-crun", THREADS)
    [stack] = stacks(taken.path)
    workers = [thread for thread in stack.threads if thread.comm.startswith("worker-")]
    assert len(workers) == 8
    for thread in workers:
        assert [name for name in named(thread.frames) if name in ("wait_for_ever", "work")] == [
            "wait_for_ever",
            "work",
        ]
