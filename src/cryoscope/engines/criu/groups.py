"""The control groups of a sandbox: how much memory, how many processes and processors it may have.

cgroups(7): version 1 has a hierarchy a controller, version 2 one for all.  They are made below the groups
that the host shows, and taken away by the sandbox's keeper.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from cryoscope.engines.host import Host
from cryoscope.engines.port import EngineError, RestoreOptions

NAME = "cryoscope-"
PERIOD = 100_000
"""Microseconds, the kernel's own default."""
DEVICES = ("c 1:3", "c 1:5", "c 1:7", "c 1:8", "c 1:9", "c 5:0", "c 5:2", "c 136:*")
"""null, zero, full, random, urandom, tty, ptmx and pseudoterminals: all that a sandbox has in /dev."""
V2 = ("memory", "pids", "cpu")


class Groups:
    """The groups of one sandbox; `paths` are as the host names them, `limited` what they bound."""

    def __init__(self, host: Host, mountinfo: list[str], options: RestoreOptions) -> None:
        self._host = host
        self.paths: list[str] = []
        self.limited: set[str] = set()
        for point, kind, words in _hierarchies(mountinfo):
            if kind == "cgroup2":
                self._make(point, V2, options, unified=True)
            elif controllers := {"memory", "pids", "cpu", "devices"} & words:
                self._make(point, tuple(sorted(controllers)), options, unified=False)

    def _make(
        self, point: str, controllers: tuple[str, ...], options: RestoreOptions, *, unified: bool
    ) -> None:
        path = f"{point}/{NAME}{options.name}"
        if unified:
            self._write(f"{point}/cgroup.subtree_control", " ".join(f"+{name}" for name in controllers))
        try:
            os.mkdir(self._host.path(path))
        except FileExistsError:
            self._must_be_empty(path, options.name)
        except OSError:
            return
        self.paths.append(path)
        for controller in controllers:
            settings = (_unified if unified else _own)(controller, options)
            written = [self._write(f"{path}/{name}", value) for name, value in settings]
            if all(written):
                self.limited.add(controller)

    def _must_be_empty(self, path: str, name: str) -> None:
        """A group that a killed keeper has left can be used, one that a copy lives in cannot."""
        with open(self._host.path(f"{path}/cgroup.procs"), encoding="ascii") as file:
            if file.read().strip():
                raise EngineError(
                    f"there is a copy {name} already", hint="give another name", code="criu.name-taken"
                )

    def _write(self, path: str, value: str) -> bool:
        try:
            with open(self._host.path(path), "w", encoding="ascii") as file:
                file.write(value)
        except OSError:
            return False
        return True

    def remove(self) -> None:
        """Take them away again, where no sandbox came to use them."""
        for path in self.paths:
            with suppress(OSError):
                os.rmdir(self._host.path(path))


def _own(controller: str, options: RestoreOptions) -> list[tuple[str, str]]:
    """Files and values of version 1."""
    if controller == "memory":
        return [("memory.limit_in_bytes", str(options.memory))]
    if controller == "pids":
        return [("pids.max", str(options.processes))]
    if controller == "devices":
        return [("devices.deny", "a"), *(("devices.allow", f"{device} rwm") for device in DEVICES)]
    return [("cpu.cfs_period_us", str(PERIOD)), ("cpu.cfs_quota_us", str(int(options.cpus * PERIOD)))]


def _unified(controller: str, options: RestoreOptions) -> list[tuple[str, str]]:
    """Files and values of version 2."""
    if controller == "memory":
        return [("memory.max", str(options.memory))]
    if controller == "pids":
        return [("pids.max", str(options.processes))]
    return [("cpu.max", f"{int(options.cpus * PERIOD)} {PERIOD}")]


def _hierarchies(mountinfo: list[str]) -> Iterator[tuple[str, str, set[str]]]:
    """Mount point, type and options of every hierarchy."""
    seen: set[str] = set()
    for line in mountinfo:
        before, _, after = line.partition(" - ")
        fields, words = before.split(), after.split()
        if len(fields) > 4 and len(words) > 2 and words[0] in ("cgroup", "cgroup2") and fields[2] not in seen:
            seen.add(fields[2])
            yield fields[4], words[0], set(words[2].split(","))
