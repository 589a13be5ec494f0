"""Commands typed into real shells, read out of real checkpoints of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cryoscope.checkpoint.archive import open_folder
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.examine.shell_history import shell_history
from lab.engines.criu import Criu
from lab.workloads import Workload

TYPIST = """
import os, pty, sys, time
pid, tty = pty.fork()
if pid == 0:
    os.environ.update(HISTFILE="/dev/null", PS1="typed> ", ENV="", HISTCONTROL="")
    os.execvp(sys.argv[1], sys.argv[1:sys.argv.index("--")])
def shown():
    text = b""
    while b"typed> " not in text:
        text += os.read(tty, 4096)
shown()
for command in sys.argv[sys.argv.index("--") + 1:]:
    os.write(tty, command.encode() + b"\\n")
    shown()
print("ready", flush=True)
time.sleep(100000)
"""
"""Types commands into a shell on a terminal of its own, each when the one before has ended."""

COMMANDS = (
    "export TYPED=one",
    "echo a b c | sort > /dev/null",
    "cd /tmp",
    "true 'quoted words' \u00e9\u00e8",
    "curl -s http://192.0.2.7/x.sh",
)

pytestmark = pytest.mark.xdist_group("criu")


def typed(criu: Criu, name: str, *shell: str) -> Path:
    """The images of a shell into which the commands were typed."""
    running = criu.start(Workload(name, "workloads", ("python3", "-c", TYPIST, *shell, "--", *COMMANDS)))
    try:
        return criu.checkpoint(running)
    finally:
        criu.remove(running)


def test_what_was_typed_into_bash(criu: Criu) -> None:
    with Checkpoint(open_folder(str(typed(criu, "bash", "bash", "--norc", "-i")))) as checkpoint:
        found = [command for command in shell_history(checkpoint).commands if command.source == "readline"]
    assert [command.command for command in found] == [*COMMANDS]
    assert {command.comm for command in found} == {"bash"}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", command.time or "") for command in found)
    assert all(command.address for command in found)


def test_what_was_typed_into_busybox(criu: Criu) -> None:
    """Without job control: CRIU refuses the /dev/tty that ash opens for that."""
    with Checkpoint(open_folder(str(typed(criu, "ash", "busybox", "sh", "-i", "+m")))) as checkpoint:
        found = [command for command in shell_history(checkpoint).commands if command.source == "busybox"]
    assert [command.command for command in found] == [*COMMANDS]
    assert all(command.time is None for command in found)


def test_what_a_shell_was_started_with_is_no_history(criu: Criu) -> None:
    script = Workload(
        "script", "workloads", ("bash", "-c", "echo one; echo ready; while :; do sleep 1; done")
    )
    running = criu.start(script)
    try:
        folder = criu.checkpoint(running)
    finally:
        criu.remove(running)
    with Checkpoint(open_folder(str(folder))) as checkpoint:
        assert shell_history(checkpoint).commands == []
