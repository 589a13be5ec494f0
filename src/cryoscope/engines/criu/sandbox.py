"""A sandbox for a checkpoint on this host: new namespaces, layers in memory, limits (sandbox.sh makes it)."""

from __future__ import annotations

import ipaddress
import os
import shlex
import signal
from collections.abc import Iterable
from contextlib import suppress
from importlib import resources
from typing import TYPE_CHECKING

from cryoscope.engines import criu_log
from cryoscope.engines.criu import mounts
from cryoscope.engines.criu.dumping import failure, tail
from cryoscope.engines.criu.groups import Groups
from cryoscope.engines.criu.processes import Processes
from cryoscope.engines.criu.program import Program, wait_until
from cryoscope.engines.criu.unpacking import Placed
from cryoscope.engines.host import below, numbers_of
from cryoscope.engines.port import EngineError, EngineHung, RestoreOptions

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint

SUCCESS = b"Restore finished successfully"
KEPT_FROM = [
    "processes, mounts, IPC, hostname and control groups of its own",
    "a network of its own with nothing but the loopback interface",
    "what it writes stays in memory, above the files of this host",
    "no capabilities over the kernel, no new privileges",
]
LIMITS = ("memory", "pids", "cpu")


class Sandbox:
    """A sandbox in the making, in a folder of the host: `inside` is what it sees of it."""

    def __init__(self, program: Program, folder: str, options: RestoreOptions) -> None:
        self.host = program.host
        self.folder = folder
        self.options = options
        self._program = program
        self._processes = Processes(self.host)
        mountinfo = self._processes.mountinfo("self" if self.host.here else 1)
        self._layers = mounts.layers(mountinfo)
        self.groups = Groups(self.host, mountinfo, options)
        self.log = f"{folder}/inside/work/restore.log"
        self._keeper = 0

    def prepare(self, files: Iterable[Placed], addresses: Iterable[str]) -> None:
        """Write what the script reads."""
        put = [
            f"put {each.number} {shlex.quote(each.path)} {each.mode:o} {each.uid}:{each.gid}"
            for each in files
        ]
        self._write("inside/files", put)
        made = [f"layer {shlex.quote(point)}" for point in self._layers.covered]
        hidden = [f"hide {point}" for point in mounts.HIDDEN]
        network = ["loopback", *(f"address {shlex.quote(address)}" for address in addresses)]
        self._write("mounts", [*made, *hidden, *network])
        self._write("groups", self.groups.paths)
        script = resources.files(__package__).joinpath("sandbox.sh").read_text(encoding="utf-8")
        self._write("inside/sandbox.sh", [script])
        os.mkdir(self.host.path(f"{self.folder}/sandbox"), 0o700)

    def _write(self, name: str, lines: list[str]) -> None:
        with open(
            self.host.path(f"{self.folder}/{name}"), "x", encoding="utf-8", errors="surrogateescape"
        ) as out:
            out.writelines(line + "\n" for line in lines)

    def run(self, criu_options: list[str]) -> None:
        """Start it and wait until its processes run.

        Raises `EngineError`, `EngineHung`; then nothing of it is left.
        """
        script, memory = f"{self.folder}/inside/sandbox.sh", str(self.options.memory)
        said = self._program.ask("sh", script, "start", self.folder, memory, *criu_options, own_session=True)
        self._keeper = int(said.text) if said.text.strip().isdigit() else 0
        ended = not wait_until(lambda: self._is_restored() or self._has_ended(), self.options.timeout)
        if self._is_restored() and not self._has_ended():
            return
        self.end()
        if ended:
            raise EngineHung(
                f"criu did not restore it within {self.options.timeout:g} seconds and was ended",
                hint="try again with a longer timeout",
                code="criu.hung",
            )
        raise self._failure()

    def _failure(self) -> EngineError:
        output = criu_log.shown(tail(self.host, f"{self.folder}/output", 2000))
        if output and not tail(self.host, self.log, 1):
            hint = "the sandbox takes root with CAP_SYS_ADMIN, overlay and util-linux on the host"
            return EngineError(f"the sandbox could not be made: {output}", hint=hint, code="criu.sandbox")
        return failure(self.host, self.log, "cannot restore it in a sandbox", 1)

    def _is_restored(self) -> bool:
        return SUCCESS in tail(self.host, self.log, 4096)

    def _has_ended(self) -> bool:
        return self._processes.task(self._keeper) is None

    def end(self) -> None:
        """End all of it, and take its control groups away."""
        keeper = self.host.pid(self._keeper) if self._keeper else None
        for pid in reversed([*below(keeper)] if keeper else []):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(self._has_ended, 5.0)
        self.groups.remove()

    def first(self) -> int | None:
        """Its first process, as numbered here."""
        keeper = self.host.pid(self._keeper)
        return next(
            (pid for pid in below(keeper or 0) if numbers_of(pid)[1:] and numbers_of(pid)[-1] == 1), None
        )

    def inside(self, pid: int) -> int | None:
        """The process of the sandbox that has number `pid` there, as numbered here."""
        first = self.first()
        return next((found for found in below(first or 0) if numbers_of(found)[-1:] == [pid]), None)

    def on_host(self, pid: int | None) -> int | None:
        """How the host numbers a process that is numbered `pid` here."""
        depth = 0 if self.host.process is None else len(numbers_of(self.host.process)) - 1
        return numbers_of(pid)[depth] if pid and len(numbers_of(pid)) > depth else None

    @property
    def kept_from(self) -> list[str]:
        """What it is kept from, in words."""
        bounds = {
            "memory": f"{self.options.memory >> 20} MiB of memory",
            "pids": f"{self.options.processes} processes",
            "cpu": f"{self.options.cpus:g} processors",
        }
        limits = [words for name, words in bounds.items() if name in self.groups.limited]
        return [*KEPT_FROM, *(["at most " + ", ".join(limits)] if limits else [])]

    @property
    def notes(self) -> list[str]:
        """What is not as wished."""
        missing = [name for name in LIMITS if name not in self.groups.limited]
        notes = [f"{', '.join(missing)} not limited: this host's control groups cannot"] if missing else []
        left = tail(self.host, f"{self.folder}/inside/work/left-out", 4096).decode(errors="replace")
        lines = [*self._layers.left_out, *left.splitlines()]
        return [*notes, *(f"not in the sandbox: {criu_log.shown(line)}" for line in lines)]


def addresses(checkpoint: Checkpoint) -> list[str]:
    """Addresses that sockets of a checkpoint are bound to and that a loopback interface does not have."""
    found = set()
    for held in checkpoint.sockets:
        if held.socket.family in ("inet", "inet6") and held.socket.local:
            found.add(held.socket.local.rpartition(":")[0].strip("[]").partition("%")[0])
    return sorted(text for text in found if _is_elsewhere(text))


def _is_elsewhere(text: str) -> bool:
    with suppress(ValueError):
        address = ipaddress.ip_address(text)
        return not (address.is_unspecified or address.is_loopback or address.is_multicast)
    return False
