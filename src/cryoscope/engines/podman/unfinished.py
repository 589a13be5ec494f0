"""A container whose restore did not come to its end: taken away, so that the next one finds the name free.

libpod holds the container's lock while its runtime works, and whoever asks for the container waits.  So where
a restore hangs the runtime is ended first, which conmon(8) tells libpod: its command line has the container's
name and `--restore` (libpod/oci_conmon_common.go), and what is below it is the container's alone.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from typing import TYPE_CHECKING

from cryoscope.engines.host import Host, below
from cryoscope.engines.port import EngineHung, NoSuchContainer
from cryoscope.errors import CryoscopeError

if TYPE_CHECKING:
    from cryoscope.engines.podman.engine import Podman

SILENCE = 20.0
"""Seconds in which Podman must say that it has removed the container."""
APPEARS, ENDS, POLL = 5.0, 5.0, 0.2
"""Seconds in which a container appears that is still being made, in which processes end, between looks."""


def take_away(engine: Podman, name: str, error: BaseException) -> None:
    """Remove what a failed restore may have left, in bounded time; the error's hint says what stays."""
    late = isinstance(error, EngineHung)
    left: list[int] = []
    until = time.monotonic() + (APPEARS if late else 0)
    while True:
        if late:
            left = _end(engine.host, name)
        gone = _removed(engine, name)
        if gone is not None or time.monotonic() >= until:
            break
        time.sleep(POLL)
    if left:
        _hint(error, f"processes {' '.join(map(str, left))} of its runtime do not end")
    if gone is False or (gone is None and late):
        _hint(error, f"the container may be there, now or later: podman rm --force --volumes {name}")


def _hint(error: BaseException, line: str) -> None:
    if isinstance(error, CryoscopeError):
        error.hint = "; ".join(filter(None, (error.hint, line)))


def _removed(engine: Podman, name: str) -> bool | None:
    """Whether it has been removed; None if there is none."""
    path, wanted = f"/containers/{name}", {"force": "true", "volumes": "true", "timeout": "0"}
    try:
        with engine.client.stream("DELETE", path, wanted, timeout=SILENCE):
            pass
        return not engine.there(name)
    except NoSuchContainer:
        return None
    except CryoscopeError:
        return False


def _end(host: Host, name: str) -> list[int]:
    """End what restores the container of a name; those that are left after a while, as numbered here."""
    until = time.monotonic() + ENDS
    while found := _below_conmon(host, name):
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > until:
            return found
        time.sleep(POLL)
    return []


def _below_conmon(host: Host, name: str) -> list[int]:
    keepers = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _keeps(pid, name, host)]
    found = [each for keeper in keepers for each in below(keeper) if each != keeper]
    return [pid for pid in found if not _is_zombie(pid)]


def _keeps(pid: int, name: str, host: Host) -> bool:
    """Whether a process is the conmon of a restore of this name on this host, not on one that it contains."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().decode(errors="replace").split("\0")
        space = os.stat(f"/proc/{pid}/ns/pid").st_ino
        hosts = os.stat(f"/proc/{host.process or 'self'}/ns/pid").st_ino
    except OSError:
        return False
    named = ("-n", name) in itertools.pairwise(words)
    return space == hosts and os.path.basename(words[0]) == "conmon" and named and "--restore" in words


def _is_zombie(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[:1] in ([b"Z"], [b"X"])
    except OSError:
        return True
