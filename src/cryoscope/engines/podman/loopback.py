"""The loopback of a sandbox, switched on.

libpod makes a network namespace without networks and leaves its `lo` down (libpod/networking_linux.go), and
runc restores one of the container's own so: then nobody could ask a server inside what it still knows.  A
thread enters the namespace (setns(2) moves only the calling thread) and sets the flag (netdevice(7)), so that
no program is needed on the host.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import threading

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
REQUEST = struct.Struct("16sH14x")
"""`struct ifreq` with flags."""


def switch_on(pid: int) -> str | None:
    """Switch on `lo` in the network namespace of a process, as numbered here; why not, if it fails."""
    failed: list[str] = []
    thread = threading.Thread(target=_enter, args=(pid, failed), name="loopback")
    thread.start()
    thread.join()
    return failed[0] if failed else None


def _enter(pid: int, failed: list[str]) -> None:
    try:
        with open(f"/proc/{pid}/ns/net", "rb") as space:
            if ctypes.CDLL(None, use_errno=True).setns(space.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        _up()
    except OSError as error:
        failed.append(error.strerror or str(error))


def _up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        said = fcntl.ioctl(any_socket, SIOCGIFFLAGS, REQUEST.pack(b"lo", 0))
        flags = REQUEST.unpack(said)[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, REQUEST.pack(b"lo", flags | IFF_UP))
