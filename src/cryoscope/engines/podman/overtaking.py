"""Podman's temporary archive, read while Podman writes it: its service sends it only when it is whole.

The service exports into `checkpointNNN` in its temporary folder and copies that file to the connection after
that (podman pkg/api/handlers/libpod/containers.go, `Checkpoint`): a gigabyte is copied twice, one after the
other.  Whoever may look into the service's descriptors reads the file behind its writer, and of the answer
only that it is the same.  Where no file is found that names the container, the answer is read as ever.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from functools import partial

from cryoscope.engines.following import Follower

NAME = re.compile(r"/checkpoint\d+$")
LOOK = 0.02
"""Seconds between two looks: for the file, and for more of it."""
BEGINNING = 256 << 10
"""Bytes at whose beginning config.dump is, which names the container, unless much lies in its /dev/shm."""
PROGRAM = "podman"
CREDENTIALS = struct.Struct("3i")
"""struct ucred of unix(7): pid, uid, gid."""


class Overtaking(Follower):
    """Gives the archive of a container that the service behind a unix socket writes to `take`."""

    def __init__(self, path: str, container: str, take: Callable[[bytes], None]) -> None:
        super().__init__(partial(_found, path, container.encode()), take, look=LOOK)


def _found(path: str, container: bytes, over: threading.Event) -> int | None:
    """The file that the service exports the container into, opened to be read; None if none came up."""
    services = list(_services(path))
    while not over.is_set():
        for name in [name for pid in services for name in _exports(pid)]:
            descriptor = _opened(name)
            if descriptor is not None and container in os.pread(descriptor, BEGINNING, 0):
                return descriptor
            if descriptor is not None:
                os.close(descriptor)
        over.wait(LOOK)
    return None


def _services(path: str) -> Iterator[int]:
    """Processes of Podman on the machine of whoever listens on a socket; none if they are not to be seen."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.connect(path)
        credentials = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
        listener, _, _ = CREDENTIALS.unpack(credentials)  # Podman, or the systemd that started it
        machine = os.readlink(f"/proc/{listener}/ns/mnt")
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if _comm(pid) == PROGRAM and os.readlink(f"/proc/{pid}/ns/mnt") == machine:
                    yield int(pid)


def _comm(pid: str) -> str:
    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
        return file.read().rstrip("\n")


def _exports(pid: int) -> Iterator[str]:
    """The descriptors of a process that are an archive in the making."""
    folder = f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):
        for number in os.listdir(folder):
            with contextlib.suppress(OSError):
                if NAME.search(os.readlink(f"{folder}/{number}")):
                    yield f"{folder}/{number}"


def _opened(name: str) -> int | None:
    try:
        return os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
