"""A container is checkpointed, changes what it is told to, and is taken again: `diff` says just that."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from cryoscope.examine.diff import Compared, Wanted, compare
from cryoscope.examine.diff.records import Difference, ProcessPages
from cryoscope.examine.search import literal
from cryoscope.workflows.open import open_checkpoint
from lab.engines import Engine, Refused, Running, wait_for_word
from lab.workloads import Workload

PAGE, PAGES, CHANGED = 4096, 16, (3, 9)
PORT, WORD = 7117, "WRITTEN-BETWEEN-THE-TWO"

SCRIPT = f"""
import ctypes, mmap, os, signal, socket, subprocess, sys
folder = sys.argv[1] if len(sys.argv) > 1 else "/data"
libc = ctypes.CDLL(None)
area = mmap.mmap(-1, {PAGES * PAGE}, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for n in range({PAGES}):
    area[n * {PAGE}:(n + 1) * {PAGE}] = b"%4d" % n * {PAGE // 4}
word = bytes(c + 1 for c in {bytes(c - 1 for c in WORD.encode())!r})
print("fact area", hex(ctypes.addressof(ctypes.c_char.from_buffer(area))))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
open(folder + "/before", "w").write("it stays")
print("ready", flush=True)
signal.sigwait([signal.SIGUSR1])
for n in {CHANGED}:
    area[n * {PAGE} + 5:n * {PAGE} + 5 + {len(WORD)}] = word
child = subprocess.Popen(["/bin/busybox", "sleep", "4242"])
server = socket.socket()
server.bind(("127.0.0.1", {PORT}))
server.listen(7)
libc.prctl(24, 5, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_KILL
held = open(folder + "/between", "w")
held.write("new"); held.flush()
print("changed", flush=True)
signal.sigwait([signal.SIGUSR1])
"""
CHANGING = Workload("changing", "workloads", ("python3", "-B", "-c", SCRIPT), bare=("/tmp",))

Taken = tuple[Path, Path, str]


@pytest.fixture(scope="module")
def taken(request: pytest.FixtureRequest) -> dict[str, Taken]:
    """Both checkpoints by engine, as far as they were taken."""
    return {}


def pair(engine: Engine, taken: dict[str, Taken]) -> Taken:
    """Two checkpoints of one container, and what it printed."""
    if engine.name not in taken:
        running = engine.start(CHANGING)
        try:
            before = engine.checkpoint(running)
            tell(engine, running)
            after = engine.checkpoint(running)
            taken[engine.name] = before, after, engine.log(running)
        finally:
            engine.remove(running)
    return taken[engine.name]


def tell(engine: Engine, running: Running) -> None:
    os.kill(running.pid, signal.SIGUSR1)
    wait_for_word(engine, replace(running, workload=replace(CHANGING, word="changed")))


@pytest.fixture
def engine(engine_name: str, request: pytest.FixtureRequest) -> Engine:
    kind, _, runtime = engine_name.partition("-")
    found = request.getfixturevalue(kind)
    return found(runtime) if runtime else found


def between(engine: Engine, taken: dict[str, Taken]) -> tuple[Compared, str]:
    try:
        before, after, log = pair(engine, taken)
    except Refused as reason:
        pytest.skip(f"{engine.name} refuses: {reason}")
    with open_checkpoint(str(before), stacks=True) as old, open_checkpoint(str(after), stacks=True) as new:
        return compare(old, new, Wanted(patterns=literal(WORD, encodings=("utf-8",)))), log


def of(found: Compared, aspect: str) -> list[Difference]:
    return [d for d in found.diff.differences if d.aspect == aspect]


def test_what_was_done_in_between_is_what_differs(engine: Engine, taken: dict[str, Taken]) -> None:
    found, _ = between(engine, taken)
    assert [one.by for one in found.diff.matched] == ["start"]
    (child,) = of(found, "processes")
    assert (child.change, child.new) == ("added", ["/bin/busybox", "sleep", "4242"])
    assert of(found, "environment") == []
    assert of(found, "mounts") == []
    (right,) = of(found, "rights")
    assert right.field == "cap_bounding"
    assert set(right.old or ()) - set(right.new or ()) == {"CAP_KILL"}
    (socket,) = of(found, "sockets")
    assert (socket.change, socket.subject) == ("added", f"inet stream tcp 127.0.0.1:{PORT}")
    opened = [d for d in of(found, "descriptors") if d.change != "changed"]
    assert {d.change for d in opened} == {"added"}
    targets = sorted(str(d.new) for d in opened)
    assert [re.sub(r"^.*/", "", target) for target in targets] == ["between", f"tcp 127.0.0.1:{PORT}"]


def test_the_file_that_was_written_is_the_one_that_is_new(engine: Engine, taken: dict[str, Taken]) -> None:
    found, _ = between(engine, taken)
    files = {(d.change, d.subject) for d in of(found, "files") if d.field != "mtime"}
    kept = engine.name not in ("docker", "criu")
    assert files == ({("added", "/data/between")} if kept else set())


def area(found: Compared, start: int) -> list[tuple[int, int, str]]:
    """What differs in the pages that the program wrote: which, how many, how."""
    assert found.diff.memory is not None
    process: ProcessPages = found.diff.memory.processes[0]
    runs = [
        run for vma in process.mappings for run in vma.runs if start <= run.address < start + PAGES * PAGE
    ]
    return [((run.address - start) // PAGE, run.pages, run.change) for run in runs]


def test_the_pages_that_were_written_are_the_ones_that_changed(
    engine: Engine, taken: dict[str, Taken]
) -> None:
    found, log = between(engine, taken)
    start = int(re.findall(r"fact area (\S+)", log)[0], 16)
    assert area(found, start) == [(number, 1, "changed") for number in CHANGED]
    inside = [
        owner.address - start
        for hit in found.diff.hits
        for owner in hit.processes
        if start <= owner.address < start + PAGES * PAGE
    ]
    assert sorted(inside) == [number * PAGE + 5 for number in CHANGED]
    assert found.diff.memory is not None
    assert found.diff.memory.total.unknown == 0
    assert found.diff.memory.total.equal > found.diff.memory.total.changed
