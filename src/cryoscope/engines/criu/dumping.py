"""criu dump of a process tree: into a folder on the host, with the files that it writes, then into a tar.

While the tree stands still, CRIU's action script `post-dump` copies the files that are open for writing:
afterwards they would be others than those of the dump.
"""

from __future__ import annotations

import os
import shlex
import signal
import time
from contextlib import suppress

from cryoscope import limits
from cryoscope.engines import criu_log
from cryoscope.engines.criu.obstacles import Seen
from cryoscope.engines.criu.processes import Open, Processes
from cryoscope.engines.criu.program import Program
from cryoscope.engines.host import SCRATCH, Host
from cryoscope.engines.port import CaptureOptions, EngineError

GHOSTS = "1G"
"""Deleted files that are still open come along up to this size: they are what is looked for."""
VIRTUAL = ("/proc/", "/sys/", "/dev/")
SHARED = "/dev/shm/"  # noqa: S108 - POSIX shared memory (shm_overview(7)), made anew in a sandbox
TCP = {"refuse": (), "established": ("--tcp-established",), "close": ("--tcp-close",)}
KEEP = """#!/bin/sh
[ "$CRTOOLS_SCRIPT_ACTION" = post-dump ] || exit 0
tar --create --file {tar} --directory / --no-recursion --null --files-from {names} 2> /dev/null
exit 0
"""
"""An action script that fails would keep a tree running that was to be stopped."""
STOPPED = "Tt"


class Dump:
    """One dump: its folder on the host, and what of the tree is known from before it."""

    def __init__(self, program: Program, folder: str, pid: int, options: CaptureOptions) -> None:
        self.host = program.host
        self.folder = folder
        self.options = options
        self._program = program
        self._processes = Processes(self.host)
        self.seen = Seen(self._processes, pid)
        self.left_out: list[str] = []

    def run(self) -> float:
        """Dump the tree and return how many seconds criu took.  Raises `EngineError` and `EngineHung`."""
        for name in ("images", "work"):
            os.mkdir(self.host.path(f"{self.folder}/{name}"), 0o700)
        script = self._keep_files()
        started = time.monotonic()
        try:
            code = self._program.run(self._command(script), self.options.timeout)
        finally:
            self._let_go()
        if code:
            raise self._error(code)
        return time.monotonic() - started

    def _command(self, script: str) -> list[str]:
        options = self.options
        return [
            *("criu", "dump", "--tree", str(self.seen.root.pid), "--images-dir", f"{self.folder}/images"),
            *("--work-dir", f"{self.folder}/work", "--log-file", "dump.log", "-v4", "--ghost-limit", GHOSTS),
            *TCP[options.tcp],
            *([] if options.stop else ["--leave-running"]),
            *(["--file-locks"] if options.file_locks else []),
            *(["--shell-job"] if self.seen.is_shell_job else []),
            *(["--action-script", script] if script else []),
        ]

    def _keep_files(self) -> str:
        """The action script that copies what is open for writing; empty if there is nothing."""
        if self.options.ignore_rootfs or not self._is_hosts_root():
            return ""
        if os.statvfs(self.host.path(self.folder)).f_flag & os.ST_NOEXEC:
            self.left_out.append(f"files open for writing: nothing can be run from {SCRATCH}")
            return ""
        names = self._written()
        if not names:
            return ""
        listed, script = f"{self.folder}/written", f"{self.folder}/keep"
        self._write(listed, b"".join(os.fsencode(name.lstrip("/")) + b"\0" for name in names), 0o600)
        text = KEEP.format(tar=shlex.quote(f"{self.folder}/rootfs-diff.tar"), names=shlex.quote(listed))
        self._write(script, text.encode(), 0o700)
        return script

    def _write(self, name: str, data: bytes, mode: int) -> None:
        descriptor = os.open(self.host.path(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with open(descriptor, "wb") as out:
            out.write(data)

    def _is_hosts_root(self) -> bool:
        spaces = self._processes.spaces
        return spaces(self.seen.root.pid).get("mnt") == spaces(1).get("mnt")

    def _written(self) -> list[str]:
        """Files that it may write to, the small ones first, as far as there is room."""
        files = {each.shows: each.size for each in self.seen.descriptors if each.is_plain and _is_own(each)}
        for task in self.seen.tree:
            files |= dict(self._processes.shared_files(task.pid))
        files = {name: size for name, size in files.items() if _is_kept(name)}
        kept, room = [], limits.OPEN_FILES
        for name, size in sorted(files.items(), key=lambda file: (file[1], file[0])):
            room -= size
            if size > limits.OPEN_FILE or room < 0:
                self.left_out.append(f"{name}: open for writing, {size} bytes are too many to copy")
            else:
                kept.append(name)
        return kept

    def _let_go(self) -> None:
        """Let whatever of the tree criu has left stopped go on, if it was not stopped before."""
        before = {task.pid: task for task in self.seen.tree if task.state not in STOPPED}
        for pid, task in before.items():
            now = self._processes.task(pid)
            if now and now.started == task.started and now.state in STOPPED:
                _signal(self.host, pid, signal.SIGCONT)

    def _error(self, code: int) -> EngineError:
        return failure(self.host, f"{self.folder}/work/dump.log", f"cannot dump {self.seen.root.pid}", code)


def _is_own(found: Open) -> bool:
    return found.is_written or found.shows.startswith(SHARED)


def _is_kept(name: str) -> bool:
    return name.startswith(SHARED) or not name.startswith(VIRTUAL)


def failure(host: Host, log: str, doing: str, code: int) -> EngineError:
    """What criu's log on the host says of its end."""
    cause = criu_log.explain(tail(host, log))
    if cause is None:
        hint = "run `criu check` on the host"
        return EngineError(f"criu {doing}: exit {code} and nothing in its log", hint=hint, code="criu.failed")
    return cause.error(f"criu {doing}")


def tail(host: Host, path: str, size: int = limits.CRIU_LOG) -> bytes:
    """The end of a file of the host that we made; empty if it is not there."""
    try:
        with open(host.path(path), "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read(size)
    except OSError:
        return b""


def _signal(host: Host, pid: int, number: int) -> None:
    here = host.pid(pid)
    if here is not None:
        with suppress(ProcessLookupError):
            os.kill(here, number)
