"""Where things of the daemon lie on its host: sockets, checkpoints, the runtime's bundle and logs.

Paths that the daemon tells are checked before they are used: its root folder, and ids as parts of paths.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import stat
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from cryoscope import limits
from cryoscope.engines.host import Host
from cryoscope.engines.port import EngineError, Reach
from cryoscope.errors import UsageError
from cryoscope.text import escape, readable

ID = re.compile(r"[0-9a-f]{64}\Z")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{1,200}\Z")
"""Names of checkpoints and volumes (moby, daemon/names): at least two characters."""
USUAL = ("/run/docker.sock",)
"""Not below /var/run: as a link it would lead out of another machine's root."""
VAR_RUN = "/var/run/"
ROOTLESS = "/run/user/*/docker.sock"
SYSTEM_CONTAINERD = "/var/lib/containerd"
TASKS = "io.containerd.runtime.v2.task"
MOBY = "moby"
LISTENS = "look what listens on the socket, and at the log of the daemon"
TEMPORARY = ("/tmp", "/var/tmp", "/run/user/*")  # noqa: S108
UNPACKED = "ctrd-checkpoint*"
"""The folder into which containerd unpacks a checkpoint for a start, and which it leaves behind."""


def sockets(reach: Reach) -> list[str]:
    """The daemon's sockets on the host: the one that was named, or those that are there."""
    named = reach.endpoint or (os.environ.get("DOCKER_HOST") if reach.host.here else None)
    if named:
        return [_socket(named)]
    found = [*USUAL, *seen(reach.host, ROOTLESS)]
    there: dict[tuple[int, int], str] = {}
    for path in found:
        with contextlib.suppress(OSError):
            facts = os.stat(reach.host.path(path))
            if stat.S_ISSOCK(facts.st_mode):
                there.setdefault((facts.st_dev, facts.st_ino), path)
    return [*there.values()]


def _socket(address: str) -> str:
    url = urlsplit(address)
    if url.scheme in ("", "unix") and url.path.startswith("/"):
        return url.path
    raise UsageError(
        f"{escape(readable(address))[:200]} is no socket of a daemon on this machine",
        hint="checkpoints lie in the daemon's own folder: run cryoscope on its machine, with unix:///PATH",
        code="docker.remote",
    )


def seen(host: Host, pattern: str) -> list[str]:
    """Paths of the host that a pattern of ours matches, as the host names them."""
    prefix = "" if host.here else host.root
    return [path.removeprefix(prefix) for path in sorted(glob.glob(host.path(pattern)))]


def checked_id(text: Any) -> str:
    """A container's id, which becomes part of paths."""
    if isinstance(text, str) and ID.match(text):
        return text
    raise EngineError("docker gave a container without an id", hint=LISTENS, code="docker.answer")


class Places:
    """The folders of a daemon, from what it says of itself (`GET /info`)."""

    def __init__(self, host: Host, info: Any) -> None:
        self.host = host
        root = info.get("DockerRootDir")
        if not isinstance(root, str) or not os.path.isabs(root) or ".." in root.split("/"):
            raise EngineError("docker does not say where its folder is", hint=LISTENS, code="docker.answer")
        self.root = root
        address = (info.get("Containerd") or {}).get("Address")
        state = os.path.dirname(address) if isinstance(address, str) else "/run/containerd"
        self._containerd = state.removeprefix("/var") if state.startswith(VAR_RUN) else state

    def checkpoints(self, id_: str) -> str:
        """The folder of a container's checkpoints, as this process sees it; raises if it does not."""
        container = self.host.path(f"{self.root}/containers/{checked_id(id_)}")
        if not os.path.isdir(container):
            raise EngineError(
                f"docker's folder {escape(self.root)} cannot be seen from here",
                hint="be root on the daemon's own machine, or name a process of it with --host",
                code="docker.folder",
            )
        return container + "/checkpoints"

    def bundle_file(self, id_: str, name: str) -> bytes | None:
        """A file of the runtime's bundle: config.json, or what containerd copies there."""
        for state in (self._containerd, self._containerd + "/daemon"):
            if ".." not in state.split("/"):
                data = small(self.host.path(f"{state}/{TASKS}/{MOBY}/{checked_id(id_)}/{name}"))
                if data is not None:
                    return data
        return None

    def restore_logs(self, id_: str) -> list[str]:
        """Where runc has CRIU write while it restores a container: the file is gone right after.

        It is containerd's working folder of the task: of docker's own containerd, or of the system's.
        """
        roots = (f"{self.root}/containerd/daemon", SYSTEM_CONTAINERD)
        return [self.host.path(f"{root}/{TASKS}/{MOBY}/{checked_id(id_)}/restore.log") for root in roots]

    def unpacked(self, marker: str) -> Iterator[str]:
        """Folders in which containerd unpacked a checkpoint that holds the file `marker`."""
        for base in (*TEMPORARY, self.root + "/tmp"):  # noqa: S108
            for path in glob.glob(self.host.path(f"{base}/{UNPACKED}/{glob.escape(marker)}")):
                if not os.path.islink(folder := os.path.dirname(path)):
                    yield folder


def small(path: str, most: int = limits.JSON_DOCUMENT) -> bytes | None:
    """A regular file's contents, links not followed; None if it is not there or too large."""
    with contextlib.suppress(OSError):
        at = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(at, "rb") as file:
            facts = os.fstat(at)
            if stat.S_ISREG(facts.st_mode) and facts.st_size <= most:
                return file.read(most)
    return None
