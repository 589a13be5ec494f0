"""Where services of Podman listen.

podman-system-service(1): root's on /run/podman/podman.sock, a user's on $XDG_RUNTIME_DIR/podman/podman.sock;
$CONTAINER_HOST says another one (containers.conf(5)).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from cryoscope.engines.host import Host
from cryoscope.engines.port import EngineUnreachable, Reach
from cryoscope.errors import UsageError
from cryoscope.text import escape

ROOT = "/run/podman/podman.sock"
USERS = "/run/user"
OF_USER = "podman/podman.sock"
START = "start it with `systemctl start podman.socket`, or `podman system service --time=0 &`"


def usual(reach: Reach) -> list[str]:
    """Sockets that are there, as the host names them, root's first; or the one that the user named."""
    if reach.endpoint:
        return [path_of(reach.endpoint)]
    found = dict.fromkeys(_candidates(reach.host))
    return [path for path in found if os.path.exists(reach.host.path(path))]


def path_of(endpoint: str) -> str:
    """The path of an address; raises `UsageError` for one that is no unix socket."""
    path = endpoint.removeprefix("unix://")
    if not path.startswith("/"):
        raise UsageError(
            f"{escape(endpoint)[:200]} is no unix socket",
            hint="give unix:///run/podman/podman.sock; run on the machine of another service",
            code="podman.endpoint",
        )
    return path


def nothing(reach: Reach) -> EngineUnreachable:
    """What to say where no socket is."""
    return EngineUnreachable(f"no Podman service listens on {ROOT}", hint=START, code="podman.no-service")


def _candidates(host: Host) -> Iterator[str]:
    if host.here:
        yield from _of_environment()
    yield ROOT
    yield from _of_users(host)


def _of_environment() -> Iterator[str]:
    said = os.environ.get("CONTAINER_HOST", "")
    if said.startswith("unix:///"):
        yield path_of(said)
    folder = os.environ.get("XDG_RUNTIME_DIR", "")
    if folder.startswith("/"):
        yield f"{folder}/{OF_USER}"


def _of_users(host: Host) -> Iterator[str]:
    try:
        users = sorted(os.listdir(host.path(USERS)))
    except OSError:
        return
    yield from (f"{USERS}/{user}/{OF_USER}" for user in users if user.isdigit())
