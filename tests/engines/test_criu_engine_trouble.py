"""Whatever goes wrong during a dump: the process runs on, and is not left stopped."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from criu_trees import Trees, trees, wait
from cryoscope.engines.port import CaptureOptions, EngineHung
from lab.engines.criu import Criu as Bare
from lab.node import Node

pytestmark = pytest.mark.xdist_group("criu")

COUNTS = """
kept = bytearray(b"ab" * ({} << 19))
print("ready")
import time
n = 0
while True:
    n += 1
    open("/tmp/counted", "w").write(str(n))
    time.sleep(0.02)
"""
CAPTURE = """
import sys
from pathlib import Path
from cryoscope.engines.criu import connect
from cryoscope.engines.host import Host
from cryoscope.engines.port import CaptureOptions, Reach
from cryoscope.engines.target import parse
from sinks import FileSink
engine = connect(parse("pid://1"), Reach(host=Host(int(sys.argv[1]))))
engine.capture(engine.find(sys.argv[2]), CaptureOptions(), FileSink(Path(sys.argv[3])))
print("captured")
"""
INSTANTS = 20


@pytest.fixture
def some(node: Node, criu: Bare, tmp_path: Path) -> Iterator[Trees]:
    with trees(node, criu, tmp_path) as made:
        yield made


def goes_on(some: Trees, pid: int) -> None:
    """The process is neither stopped nor frozen: it counts."""
    counted = some.node.outside("/tmp/counted")
    wait(lambda: some.state(pid) in "SRD")
    before = counted.read_text()
    wait(lambda: counted.read_text() not in (before, ""))


def scratch(some: Trees) -> list[Path]:
    """Folders on the host that captures and restores work in."""
    return sorted(Path(some.host.path("/var/lib/cryoscope")).glob("*scratch-*"))


def criu_of(some: Trees, pid: int) -> int | None:
    """The criu that dumps a process, as numbered here."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"criu", b"dump"] and str(pid).encode() in words:
            return int(name)
    return None


@pytest.mark.parametrize("for_ever", [False, True])
def test_a_hung_criu_is_ended_and_the_process_runs_on(some: Trees, for_ever: bool) -> None:
    """Stopped once it goes on when it is told to, and is done soon; stopped again and again it is killed."""
    pid = some.python(COUNTS.format(300))
    before, done = scratch(some), threading.Event()

    def stop() -> None:
        while not done.wait(0.001):
            number = criu_of(some, pid)
            if number is not None and copies_memory(some):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGSTOP)
                if not for_ever:
                    return

    thread = threading.Thread(target=stop)
    thread.start()
    try:
        with pytest.raises(EngineHung) as caught:
            some.capture(pid, CaptureOptions(timeout=3))
    finally:
        done.set()
        thread.join()
    assert caught.value.code == "criu.hung"
    assert caught.value.exit_code == 5
    assert criu_of(some, pid) is None
    goes_on(some, pid)
    assert scratch(some) == before
    some.capture(pid)


def copies_memory(some: Trees) -> bool:
    """Whether criu's code runs in the process: the dump's log has lines of its own (`pie`)."""
    logs = [folder / "work/dump.log" for folder in scratch(some)]
    return any(log.exists() and b"\npie: " in log.read_bytes() for log in logs)


@pytest.mark.long
def test_killing_cryoscope_at_any_instant_leaves_the_process_running(some: Trees, tmp_path: Path) -> None:
    pid = some.python(COUNTS.format(200))
    source = random.Random(7)
    outcomes = []
    for number in range(INSTANTS):
        file = tmp_path / f"{number}.tar"
        command = [sys.executable, "-c", CAPTURE, str(some.node.pid), str(pid), str(file)]
        path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
        process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE)
        wait(lambda: criu_of(some, pid) is not None or process.poll() is not None, 60)  # noqa: B023
        time.sleep(source.uniform(0, 0.6))
        process.kill()
        outcomes.append(process.communicate()[0])
        wait(lambda: criu_of(some, pid) is None)
        goes_on(some, pid)
    assert b"" in outcomes, "no capture was killed"
    for folder in scratch(some):
        os.utime(folder, (0, 0))
    some.capture(pid)
    assert scratch(some) == [], "what they left is swept"
