"""Closing TCP connections on restore: crun has an option, runc none.

With libpod's `tcpClose` runc ends at once: it does not know `--tcp-close`.  It has CRIU read further options
from a file that the annotation `org.criu.config` of the spec names (runc libcontainer/criu_linux.go,
`handleCriuConfigurationFile`), which is how it is told.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import Any

from cryoscope.checkpoint.container.dumps import string_map, take
from cryoscope.engines.host import SCRATCH, Host
from cryoscope.engines.port import EngineError

ANNOTATION = "org.criu.config"
FILE = f"{SCRATCH}/criu-tcp-close.conf"
OPTIONS = b"tcp-close\n"


def told(spec: dict[str, Any]) -> dict[str, Any]:
    """A spec with the annotation."""
    annotations = string_map(take(spec, "annotations", kind=dict))
    return {**spec, "annotations": {**annotations, ANNOTATION: FILE}}


def provide(host: Host) -> None:
    """Write the file on the host, whole or not at all; raises `EngineError`."""
    path = host.path(FILE)
    part = f"{path}.{secrets.token_hex(6)}"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(part, "xb") as file:
            file.write(OPTIONS)
        os.rename(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise EngineError(
            f"runc can only be told to close TCP connections in {FILE}: {error.strerror}",
            hint="run as root on the engine's machine",
            code="podman.tcp-close",
        ) from None
