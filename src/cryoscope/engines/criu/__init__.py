"""CRIU itself, on a process tree without an engine: `pid://1234`.

program      the criu of the host: its version, what it can, running it
processes    what /proc of the host says
obstacles    what stands against a dump
dumping      criu dump, in a session of its own      packing   its images as one tar, streamed
against      what stands against a restore           unpacking  the images as files again
restoring    criu restore, live or in the sandbox    sandbox, sandbox.sh, mounts, groups, privileges
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from cryoscope.engines.criu.engine import Criu
from cryoscope.engines.port import EngineUnreachable, Reach
from cryoscope.engines.target import Target

__all__ = ["Criu", "connect", "discover"]

PATHS = ("/usr/sbin/criu", "/usr/bin/criu", "/usr/local/sbin/criu", "/usr/local/bin/criu")


def connect(_target: Target, reach: Reach) -> Criu:
    """The criu of the host; raises `EngineUnreachable` where there is none."""
    engine = Criu(reach)
    if engine.program.version is None:
        raise EngineUnreachable(
            "there is no criu on this host",
            hint="install criu (4.2 for Linux 6.16 and newer)",
            code="criu.missing",
        )
    return engine


def discover(reach: Reach) -> Iterator[Criu]:
    """The criu of the host, if its program is there."""
    if any(os.path.exists(reach.host.path(path)) for path in PATHS):
        yield Criu(reach)
