"""The daemon's containers as records, and what one of them can be captured for."""

from __future__ import annotations

from typing import Any

import msgspec

from cryoscope.engines.docker.places import checked_id
from cryoscope.engines.port import Ability, Container
from cryoscope.text import escape, readable

NAME = "docker"
STATES = {"created", "running", "paused", "exited"}
NETWORK_CURE = "restore it into the sandbox, or live with --pod CONTAINER whose network it joins"
FINE = Ability(can=True)


def container_of(listed: Any, able: Ability) -> Container:
    """A row of `GET /containers/json`; `able` is what the daemon can do at all."""
    id_ = checked_id(listed.get("Id"))
    name = _name(listed.get("Names"), id_)
    state = str(listed.get("State"))
    return Container(
        engine=NAME,
        id=id_,
        name=name,
        state=state if state in STATES else "unknown",
        target=f"docker://{name}",
        image=escape(readable(str(listed.get("Image") or ""))),
        capture=_capture(state, able),
        restore=_restore((listed.get("HostConfig") or {}).get("NetworkMode"), able),
    )


def inspected(container: Container, inspect: Any) -> Container:
    """The same with what only an inspection tells: its process."""
    return msgspec.structs.replace(container, pid=(inspect.get("State") or {}).get("Pid") or None)


def _name(names: Any, id_: str) -> str:
    """The container's own name; the others are links of other containers and have a second slash."""
    found = [str(name).lstrip("/") for name in names or [] if str(name).count("/") == 1]
    return escape(readable(found[0])) if found else id_[:12]


def _capture(state: str, able: Ability) -> Ability:
    if not able.can or state in ("running", "paused"):
        return able
    return Ability(can=False, why=f"it is {escape(state)}", cure="start it: only what runs can be captured")


def _restore(network: Any, able: Ability) -> Ability:
    mode = str(network or "")
    if not able.can or mode == "host" or mode.startswith("container:"):
        return able
    return Ability(
        can=True, why=f"live only without its network {escape(readable(mode))[:60]}", cure=NETWORK_CURE
    )
