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
from typing import Self

NAME = re.compile(r"/checkpoint\d+$")
LOOK = 0.02
"""Seconds between two looks: for the file, and for more of it."""
BLOCK = 1 << 20
BEGINNING = 256 << 10
"""Bytes at whose beginning config.dump is, which names the container, unless much lies in its /dev/shm."""
PROGRAM = "podman"
CREDENTIALS = struct.Struct("3i")
"""struct ucred of unix(7): pid, uid, gid."""


class Overtaking(threading.Thread):
    """Gives the archive of a container that the service behind a unix socket writes to `take`.

    `head` is the first block of it, empty as long as there is none.
    """

    def __init__(self, path: str, container: str, take: Callable[[bytes], None]) -> None:
        super().__init__(name="overtaking", daemon=True)
        self.head = b""
        self._path, self._container, self._take = path, container.encode(), take
        self._over, self._in_vain = threading.Event(), threading.Event()
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._in_vain.set()
        self._over.set()
        self.join()

    def finish(self) -> bytes:
        """Take the rest, when the service is done; the first block, or nothing if nothing was taken."""
        self._over.set()
        self.join()
        if self._error is not None:
            raise self._error
        return self.head

    def run(self) -> None:
        try:
            descriptor = self._found()
            if descriptor is not None:
                with open(descriptor, "rb", buffering=0) as file:
                    self._read(file.read)
        except BaseException as error:  # it belongs to whoever waits in `finish`
            self._error = error

    def _found(self) -> int | None:
        """The file that the service exports the container into, opened to be read; None if none came up."""
        services = list(_services(self._path))
        while not self._over.is_set():
            for name in [name for pid in services for name in _exports(pid)]:
                descriptor = _opened(name)
                if descriptor is not None and self._container in os.pread(descriptor, BEGINNING, 0):
                    return descriptor
                if descriptor is not None:
                    os.close(descriptor)
            self._over.wait(LOOK)
        return None

    def _read(self, read: Callable[[int], bytes | None]) -> None:
        while not self._in_vain.is_set():
            last = self._over.is_set()
            while (block := read(BLOCK)) and not self._in_vain.is_set():
                self.head = self.head or block
                self._take(block)
            if last:
                return
            self._over.wait(LOOK)


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
