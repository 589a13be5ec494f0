"""What stands against a capture, said before it; what will not be in the archive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryoscope.engines.docker.checkpoints import PREFIX
from cryoscope.engines.docker.places import Places, small
from cryoscope.engines.docker.volumes import binds
from cryoscope.engines.host import Host
from cryoscope.engines.port import HARD, NOTE, CaptureOptions, Check, Concern
from cryoscope.text import escape, readable

RUNC_CONF = "/etc/criu/runc.conf"
"""What runc has CRIU read: options for which Docker has no words."""
SHAREABLE = ("host", "container:")


def of_daemon(checks: list[Check]) -> Iterator[Concern]:
    """The checks of the daemon that failed."""
    for check in checks:
        if check.state == "fail":
            yield Concern(code=check.code, weight=HARD, what=check.what, cure=check.cure)


def of_capture(
    host: Host, places: Places, inspect: Any, kept: list[str], options: CaptureOptions
) -> Iterator[Concern]:
    """What the container is, and what was asked for."""
    yield from _state(inspect, options)
    yield from _options(host, options)
    yield from _network(inspect)
    for source, place in binds(inspect):
        yield _note(
            "bind", f"{_text(place)} is bound from the host's {_text(source)}: not in the archive", ""
        )
    left = [name for name in kept if name.startswith(PREFIX)]
    if left:
        id_ = str(inspect.get("Id"))[:12]
        yield _note(
            "left-behind",
            f"an interrupted capture left {len(left)} checkpoints with docker",
            f"unless one runs now: docker checkpoint rm {id_} {left[0]}",
        )


def _state(inspect: Any, options: CaptureOptions) -> Iterator[Concern]:
    state, config, host = (inspect.get(key) or {} for key in ("State", "Config", "HostConfig"))
    if not state.get("Running"):
        yield _hard("not-running", "the container does not run", "start it: only what runs can be captured")
    if config.get("Tty"):
        yield _note(
            "tty",
            "it has a terminal: older daemons refuse such a container",
            "if this one does, capture the process tree with pid://",
        )
    if options.stop and host.get("AutoRemove"):
        yield _hard(
            "auto-remove",
            "it is removed as soon as it stops (--rm), and its checkpoint with it",
            "capture it without --stop",
        )
    restarts = (host.get("RestartPolicy") or {}).get("Name")
    if options.stop and restarts not in (None, "", "no"):
        yield _note(
            "restart",
            f"docker starts it again when it has stopped (restart policy {_text(restarts)})",
            "docker update --restart=no",
        )


def _options(host: Host, options: CaptureOptions) -> Iterator[Concern]:
    configured = readable(small(host.path(RUNC_CONF), 1 << 16) or b"").split()
    cure = f"put the line {{}} into {RUNC_CONF}: runc has CRIU read it"
    if options.tcp == "close":
        yield _hard("option", "docker cannot close TCP connections", "leave --tcp close out")
    if options.tcp == "established" and "tcp-established" not in configured:
        yield _hard("option", "docker cannot keep TCP connections", cure.format("tcp-established"))
    if options.file_locks and "file-locks" not in configured:
        yield _hard("option", "docker cannot keep file locks", cure.format("file-locks"))
    if options.pre_checkpoint or options.with_previous:
        yield _hard("option", "docker makes no incremental checkpoints", "capture it as a whole")
    if options.compression != "none":
        yield _hard("option", "docker compresses no checkpoint", "compress the file afterwards")
    if "tcp-established" in configured and options.tcp == "refuse":
        yield _note(
            "tcp", f"open TCP connections are captured as they are: tcp-established is in {RUNC_CONF}", ""
        )


def _network(inspect: Any) -> Iterator[Concern]:
    mode = str((inspect.get("HostConfig") or {}).get("NetworkMode") or "default")
    if not mode.startswith(SHAREABLE):
        yield _note(
            "restore-network",
            f"with the network {_text(mode)} docker restores it into the sandbox, but not live",
            "to move it live, run it with the network of the host or of another container",
        )


def _hard(code: str, what: str, cure: str) -> Concern:
    return Concern(code=f"docker.{code}", weight=HARD, what=what, cure=cure)


def _note(code: str, what: str, cure: str) -> Concern:
    return Concern(code=f"docker.{code}", weight=NOTE, what=what, cure=cure)


def _text(value: Any) -> str:
    return escape(readable(str(value)))[:200]
