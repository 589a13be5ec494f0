"""What a container printed: the json-file driver's own file, or the same lines out of the daemon's answer.

Lines of json-file are `{"log", "stream", "time"}` (moby, daemon/logger/jsonfilelog).  In an answer each
piece has a header: the stream, three zeros, the big-endian size (`ContainerAttach`), and with `timestamps`
a time.
"""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO

import msgspec

from cryoscope import limits
from cryoscope.engines.docker.daemon import Daemon
from cryoscope.engines.docker.tars import Pieces
from cryoscope.engines.host import Host

HEADER = 8
STREAMS = {1: "stdout", 2: "stderr"}
OWN = re.compile(r"/[^\0]{1,3000}/containers/[0-9a-f]{64}/[0-9a-f]{64}-json\.log\Z")


def raw_log(host: Host, inspect: Any) -> BinaryIO | None:
    """The file that the json-file driver writes; None for another driver or where it cannot be seen."""
    path = inspect.get("LogPath")
    if not isinstance(path, str) or not OWN.match(path) or "/../" in path:
        return None
    with suppress(OSError):
        at = os.open(host.path(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        if stat.S_ISREG(os.fstat(at).st_mode):
            return open(at, "rb", buffering=0)
        os.close(at)
    return None


def log_lines(daemon: Daemon, id_: str) -> Iterator[bytes]:
    """The lines of any driver that can be read (`docker logs`); raises what the daemon says."""
    with daemon.stream(f"/containers/{id_}/logs", stdout="1", stderr="1", timestamps="1") as pieces:
        stream = io.BufferedReader(Pieces(pieces))
        while len(header := stream.read(HEADER)) == HEADER:
            size = int.from_bytes(header[4:])
            if size > limits.DOCKER_LOG_LINE or header[0] not in STREAMS:
                return
            moment, _, text = stream.read(size).partition(b" ")
            line = {
                "log": text.decode("utf-8", "replace"),
                "stream": STREAMS[header[0]],
                "time": moment.decode("ascii", "replace"),
            }
            yield msgspec.json.encode(line) + b"\n"
