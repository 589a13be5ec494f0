"""Podman's containers as the port lists them."""

from __future__ import annotations

from cryoscope.engines.podman.answers import Info, Listed
from cryoscope.engines.port import Ability, Container
from cryoscope.text import escape

STATES = {
    "created": "created",
    "configured": "created",
    "initialized": "created",
    "running": "running",
    "paused": "paused",
    "stopped": "exited",
    "stopping": "exited",
    "exited": "exited",
}
"""Podman's states (libpod/define/containerstate.go) by the port's."""
YES = Ability(can=True)
RUNTIMES = ("crun", "runc")
"""Those that checkpoint (libpod/oci_conmon_common.go asks them; others have no CRIU)."""


def container_of(row: Listed, info: Info) -> Container:
    """A row of the list."""
    name = next(iter(row.Names or []), row.Id[:12])
    state = STATES.get(row.State.lower(), "unknown")
    return Container(
        engine="podman",
        id=escape(row.Id),
        name=escape(name),
        state=state,
        target=f"podman://{escape(name)}",
        image=escape(row.Image),
        pid=row.Pid or None,
        pod=escape(row.PodName) or None,
        capture=_capture(row, state, info),
        restore=restoring(info),
    )


def capturing(info: Info) -> Ability:
    """Whether this service can checkpoint at all."""
    if info.host.security.rootless:
        return Ability(
            can=False,
            why="CRIU needs root, and this service is a user's",
            cure="run the container as root: sudo podman run",
        )
    runtime = info.host.ociRuntime
    if runtime.name not in RUNTIMES:
        return Ability(
            can=False, why=f"the runtime {escape(runtime.name)} has no CRIU", cure="use crun or runc"
        )
    if runtime.name == "crun" and "+CRIU" not in runtime.version:
        return Ability(
            can=False, why="this crun was built without CRIU", cure="install a crun with +CRIU, or runc"
        )
    return YES


def restoring(info: Info) -> Ability:
    """Whether this service can restore; it needs what capturing needs."""
    return capturing(info)


def _capture(row: Listed, state: str, info: Info) -> Ability:
    if row.IsInfra:
        return Ability(can=False, why="it only holds a pod together", cure="capture the pod's containers")
    if state == "paused":
        return Ability(can=False, why="it is paused", cure=f"podman unpause {escape(row.Id)[:12]}")
    if state != "running":
        return Ability(can=False, why=f"it does not run ({state})", cure="only what runs can be captured")
    return capturing(info)
