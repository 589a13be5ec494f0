"""Podman's errors, and CRIU's logs on the engine's machine, as one line of cause and one of cure.

Podman repeats the first line of its runtime that looks like an error, which is seldom the reason: the log is
asked first.  It lies in the container's folder (`StaticDir`), `dump.log` or `restore.log`, and stays there
when a checkpoint fails (podman libpod/container_internal_common.go).
"""

from __future__ import annotations

import os
import re
import stat

from cryoscope import limits
from cryoscope.engines import criu_log
from cryoscope.engines.host import Host
from cryoscope.engines.podman.client import Answered
from cryoscope.engines.port import EngineError

FOLDER = re.compile(r"/(?!.*(?:^|/)\.\.(?:/|$))[\w./@:+-]{1,1000}\Z")
"""What a folder of a container looks like; nothing else is opened."""
KNOWN = (
    (
        "podman.volume-exists",
        "remove that volume, or restore without volumes",
        r"volume with name .* already exists",
    ),
    (
        "podman.name-taken",
        "choose another --name, or remove that container",
        r"name .* is (?:already )?in use",
    ),
    ("podman.id-taken", "remove the original container, or give a --name", r"ID .* is (?:already )?in use"),
    (
        "podman.not-running",
        "start or unpause it first",
        r"is not running, cannot checkpoint|container state improper",
    ),
    (
        "podman.dependencies",
        "capture the containers of a pod, or give it a network of its own",
        r"containers with dependencies",
    ),
    ("podman.pod", "give --pod the name of a pod that shares the same", r"without --pod|non pod container"),
    (
        "podman.image-missing",
        "pull or load the container's image first, the same one",
        r"image not known|initializing source docker:|unable to (?:pull|find image)|short-name .* did not",
    ),
    (
        "podman.disk-full",
        "make room where Podman keeps containers and in its temporary folder ($TMPDIR of the service)",
        r"no space left on device|disk quota exceeded",
    ),
    ("podman.port-taken", "publish other ports", r"address already in use"),
    ("podman.no-inventory", "take the checkpoint again", r"complete checkpoint .* cannot be found"),
    ("podman.criu", "install criu (4.2 or newer) where the service runs", r"CRIU|could not load.*libcriu"),
    (
        "podman.memory-limit",
        "give it more with --memory",
        r"memory limit|cannot allocate memory|unable to set memory|Device or resource busy.*memory",
    ),
    ("podman.rootless", "run the container as root: CRIU needs it", r"requires root|rootless"),
)
"""Codes, cures, and what of Podman's messages shows them."""


def explained(error: Answered, host: Host, folder: str, *, doing: str, log: str) -> EngineError:
    """The error for a person; `folder` is the container's on the host, empty if it is not known."""
    cause = criu_log.explain(log_text(host, folder, log)) or criu_log.explain(error.said)
    for code, cure, shows in KNOWN:
        if cause is None and re.search(shows, error.said):
            return EngineError(f"{doing}: {error.said}", hint=cure, code=code)
    if cause is None:
        return EngineError(f"{doing}: {error.said}", hint=error.hint, code=error.code)
    return cause.error(doing)


def log_text(host: Host, folder: str, name: str) -> str:
    """The end of a log in a container's folder; empty if there is none, or no plain file."""
    if not FOLDER.match(folder):
        return ""
    try:
        opened = os.open(
            host.path(f"{folder}/{name}"), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        )
    except OSError:
        return ""
    with open(opened, "rb") as file:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            return ""
        file.seek(max(0, os.fstat(opened).st_size - limits.CRIU_LOG))
        return file.read(limits.CRIU_LOG).decode(errors="replace")
