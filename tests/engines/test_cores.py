"""Cores beside the living process: gdb says the same of both.

gdb attaches to a process in a node, says what it knows and lets go; then the process is checkpointed, our
library writes its core, and the same gdb says what it knows of that.  What differs is in `DIFFERENCES`.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cryoscope.errors import Damaged
from cryoscope.examine.coredump import Backing, Core, RootFolder, write_core
from cryoscope.workflows.open import open_checkpoint
from lab.engines import Engine
from lab.engines.criu import Criu
from lab.engines.podman import Podman
from lab.node import Node
from lab.workloads import DLOPENED, LOCALS, LOCALS_STATIC, NGINX, REDIS, REGISTERS, THREADS, Workload

DIFFERENCES = {
    "rip": "two less: CRIU lets the thread stand at its `syscall`, to run it again (compel, infect.c)",
    "rax": "the number of that call, where the kernel has -ERESTART* for the debugger",
}
"""The registers that differ between a thread in a system call and its core, and why; no others may."""

RESTARTS, PAUSE = (-512, -513, -514), 34
"""-ERESTARTSYS, -ERESTARTNOINTR, -ERESTARTNOHAND (include/linux/errno.h), and the call that all are in."""

SAYS = ("info all-registers", "bt full")
ASKS = {
    "threads": "info threads",
    "registers": f"thread apply all -s {SAYS[0]}",
    "stack": f"thread apply all -s {SAYS[1]}",
    "auxv": "info auxv",
    "maps": "info proc mappings",
}
THREAD = re.compile(r"^Thread \d+ .*?(?:LWP|process) (\d+)\)?.*:$", re.MULTILINE)
RAN = [LOCALS, LOCALS_STATIC, REGISTERS, THREADS, DLOPENED]


@dataclass(frozen=True)
class Both:
    """What gdb said of the living process and of the core, by question; threads by their number inside."""

    workload: Workload
    live: dict[str, str]
    core: dict[str, str]
    inside: dict[str, str]
    record: Core
    stack: str

    def threads(self, which: str, question: str) -> dict[str, str]:
        """The answers about each thread."""
        said = self.live if which == "live" else self.core
        parts = THREAD.split(said[question])
        named = zip(parts[1::2], parts[2::2], strict=True)
        return {self.inside.get(tid, tid) if which == "live" else tid: plain(text) for tid, text in named}


def plain(text: str) -> str:
    """An answer without the mark of files that gdb reads in the process's own mount namespace."""
    return text.replace("target:/", "/").strip()


def gdb(node: Node, *options: str, timeout: float = 120) -> dict[str, str]:
    """The answers of the lab's gdb."""
    asks = [word for name, ask in ASKS.items() for word in ("-ex", f"echo \\n@@{name}\\n", "-ex", ask)]
    settings = ["-ex", "set pagination off", "-ex", "set width 0", "-ex", "set print thread-events off"]
    done = node.run("gdb", "-nx", "-batch", *options, *settings, *asks, timeout=timeout, check=False)
    parts = re.split(r"^@@(\w+)$", done.stdout, flags=re.MULTILINE)
    assert parts[1::2] == [*ASKS], done.stdout + done.stderr
    return {name: text.strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def numbers(pid: int) -> list[str]:
    """A task's numbers from this pid namespace to its own."""
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line[:6] == "NSpid:"]
    return line.split()[1:]


def descendant(pid: int, comm: str) -> int:
    """A process below `pid` with this name, or `pid` itself."""
    waiting = [pid]
    for found in waiting:
        if Path(f"/proc/{found}/comm").read_text().strip() == comm:
            return found
        waiting += map(int, Path(f"/proc/{found}/task/{found}/children").read_text().split())
    return pid


def both(engine: Engine, workload: Workload, folder: Path) -> Both:
    """Run it, ask gdb, checkpoint it, write its core, ask gdb again."""
    node, running = engine.node, engine.start(workload)
    target = descendant(running.pid, workload.name)
    try:
        level = len(numbers(node.pid)) - 1
        tasks = [numbers(int(tid)) for tid in os.listdir(f"/proc/{target}/task")]
        live = gdb(node, "-p", numbers(target)[level])
        path, pid = engine.checkpoint(running), int(numbers(target)[-1])
        if engine.name == "criu":
            pid = int(numbers(target)[level])
        record, core = written(node, path, pid, folder)
        inside = {task[level]: task[-1] if engine.name != "criu" else task[level] for task in tasks}
        try:
            said = gdb(node, "-iex", "set sysroot /", program(node, target), f"--core={core}")
        finally:
            node.outside(core).unlink()
        return Both(workload, live, said, inside, record, said["stack"])
    finally:
        engine.remove(running)


def program(node: Node, pid: int) -> str:
    return os.readlink(f"/proc/{pid}/exe")


def written(node: Node, archive: Path, pid: int, folder: Path) -> tuple[Core, str]:
    """The core of a process, with the node's files behind its mappings, and its path in the node."""
    path, damaged = folder / f"core.{pid}", list[Damaged]()
    root = RootFolder(str(node.files))
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        with open_checkpoint(str(archive)) as checkpoint:
            record = write_core(checkpoint, pid, descriptor, Backing(checkpoint, root), damaged=damaged)
    finally:
        os.close(descriptor)
        root.close()
    assert damaged == []
    shutil.move(path, node.outside(f"/tmp/{path.name}"))
    return record, f"/tmp/{path.name}"


ENGINES = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in ("criu", "podman-crun")]


@pytest.fixture(scope="module", params=ENGINES)
def ask(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Workload], Both]:
    """What gdb says of a workload under an engine, asked once."""
    found: dict[str, Both] = {}

    def of(workload: Workload) -> Both:
        if workload.name not in found:
            kind, _, runtime = str(request.param).partition("-")
            engine: Criu | Podman = request.getfixturevalue(kind)
            if runtime:
                engine = request.getfixturevalue(kind)(runtime)
            found[workload.name] = both(engine, workload, tmp_path_factory.mktemp("core"))
        return found[workload.name]

    return of


Ask = Callable[[Workload], Both]


def registers(text: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+) +(\S.*)$", text, re.MULTILINE))


@pytest.mark.parametrize("workload", RAN, ids=lambda workload: workload.name)
def test_every_register_of_every_thread(ask: Ask, workload: Workload) -> None:
    said = ask(workload)
    live, core = said.threads("live", "registers"), said.threads("core", "registers")
    assert set(core) == set(live)
    assert len(core) == said.record.threads
    for tid, text in live.items():
        before, after = registers(text), registers(core[tid])
        assert set(after) == set(before)
        assert {"rip", "fs_base", "mxcsr", "st0", "xmm15"} <= {name.replace("zmm", "xmm") for name in before}
        assert {name for name in before if before[name] != after[name]} == set(DIFFERENCES)
        assert int(before["rip"].split()[0], 16) - int(after["rip"].split()[0], 16) == 2
        assert int(before["rax"].split()[1]) in RESTARTS
        assert int(after["rax"].split()[1]) == PAUSE


@pytest.mark.parametrize("workload", RAN, ids=lambda workload: workload.name)
def test_every_frame_and_every_local(ask: Ask, workload: Workload) -> None:
    said = ask(workload)
    live, core = said.threads("live", "stack"), said.threads("core", "stack")
    assert len(core) == len(live) == said.record.threads
    at = {tid: registers(text)["rip"] for tid, text in said.threads("live", "registers").items()}
    for tid, text in live.items():
        rip = int(at[tid].split()[0], 16)
        moved = text.replace(f"{rip:#018x}", f"{rip - 2:#018x}")
        assert core[tid] == moved


@pytest.mark.parametrize("workload", RAN, ids=lambda workload: workload.name)
def test_the_auxiliary_vector(ask: Ask, workload: Workload) -> None:
    said = ask(workload)
    assert said.core["auxv"] == said.live["auxv"]
    assert "AT_SYSINFO_EHDR" in said.core["auxv"]


@pytest.mark.parametrize("workload", RAN, ids=lambda workload: workload.name)
def test_the_mapped_files(ask: Ask, workload: Workload) -> None:
    said = ask(workload)
    row = re.compile(
        r"^ *(0x[0-9a-f]+) +(0x[0-9a-f]+) +(0x[0-9a-f]+) +(0x[0-9a-f]+) +(?:[rwxps-]{4} +)?(/.*?) *$",
        re.MULTILINE,
    )
    live, core = row.findall(plain(said.live["maps"])), row.findall(said.core["maps"])
    assert core == live
    assert core
    assert {lost.kind for lost in said.record.missing} <= {"vvar", "vsyscall"}


LOCALS_OF = (
    "answer = 42",
    'buffer = "BUFFER-ON-THE-STACK"',
    "precise = 3.25",
    "ratio=6.0221407599999999e+23",
)
LOCALS_OF += ("corner = {x = 11, y = 22}", "large = 18364758544493064720", "letter = 81 'Q'")


@pytest.mark.parametrize("workload", [LOCALS, LOCALS_STATIC], ids=lambda workload: workload.name)
def test_the_locals_have_the_values_of_the_source(ask: Ask, workload: Workload) -> None:
    for text in LOCALS_OF:
        assert text in ask(workload).stack


def test_the_locals_of_each_thread(ask: Ask) -> None:
    stacks = ask(THREADS).threads("core", "stack")
    for number in range(8):
        assert any(f'label = "LOCAL-OF-{number}' in stack for stack in stacks.values())


def test_a_stripped_program_has_the_names_that_its_libraries_export(ask: Ask) -> None:
    assert re.search(r" in epoll_wait \(\) from /.*libc", ask(REDIS).stack)


@pytest.mark.xdist_group("podman-runc")
def test_a_program_in_a_user_namespace(podman: Callable[[str], Podman], tmp_path: Path) -> None:
    said = both(podman("runc"), NGINX, tmp_path)
    assert re.search(r" in (sigsuspend|wait4|epoll_wait) \(\) from /.*libc", said.stack)
