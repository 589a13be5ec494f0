"""Podman: its REST API on a unix socket, of root or of a user (libpod's, version 4 and later).

The API writes a checkpoint as an uncompressed tar and streams it; it takes one to restore as the body of a
request.  What it has no words for is done here: compression and leaving out volumes on the way
(`compress`, `stream`), closing TCP connections under runc (`tcp_close`).

`client` speaks HTTP, `answers` is what comes back, `sockets` knows where services listen, `failure` turns
their errors and CRIU's logs into a cause and a cure.  `sandbox/` writes anew, field by field, what libpod
is told of the container; `live` takes out only what could act on the host by itself.

Defined in podman pkg/api/server/register_containers.go, libpod/container_internal_common.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cryoscope.engines.port import Engine, NoSuchContainer, Reach
from cryoscope.engines.target import Target

if TYPE_CHECKING:
    from cryoscope.engines.podman.engine import Podman


def connect(target: Target, reach: Reach) -> Engine:
    """The service that has the target's container; without a container the first that is there, root's.

    Raises `EngineUnreachable` where there is none, `NoSuchContainer` where none of several has it.
    """
    from cryoscope.engines.podman import sockets

    found = [_engine(path, reach) for path in sockets.usual(reach)]
    if not found:
        raise sockets.nothing(reach)
    if target.reference is None or len(found) == 1:
        return found[0]
    return _holding(found, target.reference)


def discover(reach: Reach) -> Iterator[Engine]:
    """A service for each socket that is there."""
    from cryoscope.engines.podman import sockets

    return (_engine(path, reach) for path in sockets.usual(reach))


def _engine(path: str, reach: Reach) -> Podman:
    from cryoscope.engines.podman.engine import Podman

    return Podman(path, reach)


def _holding(engines: list[Podman], reference: str) -> Podman:
    missing = None
    for engine in engines:
        try:
            engine.find(reference)
        except NoSuchContainer as error:
            missing = missing or error
        else:
            return engine
    raise missing or NoSuchContainer(f"podman has no container {reference}")
