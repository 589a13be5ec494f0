"""The criu of a host: its version, what it can do there, and running it.

criu(8).  It runs in a session of its own and with no descriptor of ours: whatever becomes of Cryoscope, it
ends what it began, and a process that it has stopped goes on.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import NamedTuple

from cryoscope import limits
from cryoscope.engines.host import Host
from cryoscope.engines.port import EngineHung
from cryoscope.text import escape, readable

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
ASKED = 20.0
"""Seconds that criu may take to answer a question."""
LAST = 5.0
"""Seconds that a criu which is to end has to let go of what it stopped, before it is killed."""
POLL = 0.02
VERSION = re.compile(r"Version: (\d+)\.(\d+)(?:\.(\d+))?")
NOTABLE = re.compile(r"^(?:Error|Warn)\s+\([^)]*\): (.*)$", re.MULTILINE)


class Answer(NamedTuple):
    """The exit code of a program and what it printed."""

    code: int
    text: str


class Program:
    """criu as it is found on the host's path."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def ask(self, *command: str, own_session: bool = False) -> Answer:
        """Run a short command on the host; 127 where there is no such program, 124 if it does not answer."""
        try:
            done = subprocess.run(  # noqa: S603 - a list, no shell
                self.host.argv(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=ENVIRONMENT,
                timeout=ASKED,
                check=False,
                start_new_session=own_session,
            )
        except FileNotFoundError:
            return Answer(127, "")
        except subprocess.TimeoutExpired:
            return Answer(124, "no answer")
        return Answer(done.returncode, readable(done.stdout[: limits.CRIU_ANSWER]))

    @cached_property
    def version(self) -> str | None:
        """Such as `4.2.1`; None where there is no criu."""
        found = VERSION.search(self.ask("criu", "--version").text)
        return ".".join(part for part in found.groups() if part) if found else None

    @cached_property
    def complaint(self) -> str:
        """What `criu check` says against this kernel; empty if nothing."""
        done = self.ask("criu", "check")
        if done.code == 0:
            return ""
        lines = [line for line in NOTABLE.findall(done.text) if "RLIMIT_NOFILE" not in line]
        return escape((lines or done.text.strip().splitlines() or ["it gives no reason"])[-1])[:300]

    def can(self, feature: str) -> bool:
        """Whether `criu check --feature` says that the kernel has it (`mem_dirty_track`)."""
        return self.ask("criu", "check", "--feature", feature).code == 0

    def start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """A command on the host in a session of its own; its output is not kept."""
        return subprocess.Popen(  # noqa: S603 - a list, no shell
            self.host.argv(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
            start_new_session=True,
        )

    def run(self, command: Sequence[str], timeout: float) -> int:
        """Run a command and return its exit code; raises `EngineHung` when it has been ended after `timeout`.

        If this process is interrupted meanwhile, the command is ended too.
        """
        process = self.start(command)
        try:
            _watch(process, timeout)
            return process.wait(0)
        except subprocess.TimeoutExpired:
            raise EngineHung(
                f"criu did not end within {timeout:g} seconds and was ended",
                hint="try again with a longer timeout; if it hangs again, see what its processes wait for",
                code="criu.hung",
            ) from None
        finally:
            end(process)


def _watch(process: subprocess.Popen[bytes], timeout: float) -> None:
    """Until it ends, at once: `Popen.wait` with a timeout looks every twentieth of a second."""
    descriptor = os.pidfd_open(process.pid)
    try:
        end_of = select.poll()
        end_of.register(descriptor, select.POLLIN)
        end_of.poll(timeout * 1000)
    finally:
        os.close(descriptor)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a command that `start` began, with all of its session, and wait until it is gone.

    It may end by itself first: a criu that is killed while it puts its code into a process takes that process
    with it (a trap without a tracer); later than that the code notices, and lets the process go on.
    """
    for number, patience in ((signal.SIGCONT, LAST), (signal.SIGKILL, LAST)):
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(patience)


def wait_until(ready: Callable[[], bool], timeout: float) -> bool:
    """Whether `ready()` came true within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True
