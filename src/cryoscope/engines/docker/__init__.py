"""Docker: its daemon's API, and what the daemon does not do.

A checkpoint of Docker is a folder with CRIU's images.  `capture` adds all that makes an archive of it,
`restore` makes a container for it.  Checkpoints are an experimental feature of the daemon; `probing` says
whether it is on, `concerns` and `restoring` what else stands against them, `netns` how a restore is kept
from the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cryoscope.engines.port import EngineUnreachable, Reach

if TYPE_CHECKING:
    from cryoscope.engines.docker.engine import Docker
    from cryoscope.engines.target import Target


def connect(target: Target, reach: Reach) -> Docker:
    """The daemon that was named, or the first that is found; raises `EngineUnreachable`."""
    found = next(discover(reach), None)
    if found is None:
        raise EngineUnreachable(
            "there is no docker here: no socket in the usual places",
            hint="start it (systemctl start docker), or give its socket with --endpoint",
            code="docker.unreachable",
        )
    return found


def discover(reach: Reach) -> Iterator[Docker]:
    """The daemons whose sockets are there: root's first, then those of users."""
    from cryoscope.engines.docker.engine import Docker
    from cryoscope.engines.docker.places import sockets

    for socket in sockets(reach):
        yield Docker(reach.host, socket)
