"""What stands against a capture through the CRI: its request has a container and a place, and no options."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from cryoscope.engines.cri.abilities import CRIO, Runtime, capturing
from cryoscope.engines.host import Host
from cryoscope.engines.port import HARD, NOTE, SOFT, CaptureOptions, Concern, Container
from cryoscope.text import escape

RUNC_CONF = "/etc/criu/runc.conf"
"""Options that runc has CRIU read (opencontainers/runc, docs/checkpoint-restore.md)."""
LONGEST = 64 << 10
RAW = "the CRI has no word for it"


def concerns(
    runtime: Runtime, host: Host, container: Container, options: CaptureOptions, status: Any
) -> Iterator[Concern]:
    """What stands against a capture, and what will not be in the archive."""
    ability = capturing(runtime)
    if not ability.can:
        yield Concern(code="cri.unsupported", weight=HARD, what=ability.why, cure=ability.cure)
    if container.state != "running":
        yield _hard(
            "cri.not-running", f"the container is {container.state}", "only a running one can be captured"
        )
    yield from _wishes(options)
    given = criu_options(host)
    if options.tcp == "established" and "tcp-established" not in given:
        yield _hard(
            "cri.tcp",
            "runtimes do not keep TCP connections unless the node says so",
            _line("tcp-established"),
        )
    if options.tcp == "close" and "tcp-close" not in given:
        yield _hard("cri.tcp", "runtimes do not close TCP connections at a checkpoint", _line("tcp-close"))
    if options.file_locks and runtime.name != CRIO and "file-locks" not in given:
        yield _hard(
            "cri.file-locks",
            "containerd does not dump file locks unless the node says so",
            _line("file-locks"),
        )
    for mount in status.mounts:
        yield _note(
            "cri.volume", f"what is in {escape(mount.container_path)[:200]} will not be in the archive"
        )
    yield from _stopped(host, container)


def _wishes(options: CaptureOptions) -> Iterator[Concern]:
    """Options that only other engines have."""
    if options.ignore_rootfs:
        yield _hard("cri.option", f"changed files cannot be left out: {RAW}", "leave --ignore-rootfs out")
    if options.pre_checkpoint or options.with_previous:
        yield _hard(
            "cri.option", f"no dump in steps: {RAW}", "leave --pre-checkpoint and --with-previous out"
        )
    if options.compression not in ("", "none"):
        yield _hard(
            "cri.option", "the runtime writes a plain tar itself", "compress it afterwards, with zstd"
        )
    if options.stop:
        yield _note("cri.stop", "a kubelet starts a container again that is stopped below it")


def criu_options(host: Host) -> frozenset[str]:
    """Options of CRIU that the node gives to runc."""
    try:
        with open(host.path(RUNC_CONF), errors="replace") as file:
            lines = file.read(LONGEST).splitlines()
    except OSError:
        return frozenset()
    return frozenset(line.partition("#")[0].strip().removeprefix("--") for line in lines)


def _line(option: str) -> str:
    return f"a line `{option}` in {RUNC_CONF} on the node"


def _stopped(host: Host, container: Container) -> Iterator[Concern]:
    """CRIU below runc waits for ever for a process that job control stopped, in the freezer of cgroup v1."""
    if container.pid is None or not os.path.isdir("/sys/fs/cgroup/freezer"):
        return
    from cryoscope.engines.stopped import stopped_below_freezer

    pid = host.pid(container.pid)
    for said in stopped_below_freezer(pid) if pid is not None else ():
        yield Concern(
            code="cri.stopped-process",
            weight=SOFT,
            what=f"process {said} is stopped, and CRIU deadlocks with cgroup v1's freezer over it",
            cure=f"let it go on first (kill -CONT {said.split()[0]}), or use a node with cgroup v2",
        )


def _hard(code: str, what: str, cure: str) -> Concern:
    return Concern(code=code, weight=HARD, what=what, cure=cure)


def _note(code: str, what: str) -> Concern:
    return Concern(code=code, weight=NOTE, what=what)
