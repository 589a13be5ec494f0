"""What waits in a descriptor of another process, asked through a copy of it (pidfd_getfd(2))."""

from __future__ import annotations

import array
import ctypes
import fcntl
import os
import socket
import stat
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lab.proc_records import Socket

PIDFD_GETFD = 438
"""The same number on every architecture (asm-generic/unistd.h)."""
F_GETPIPE_SZ = 1032
CLOSE = 7
TABLES = {socket.IPPROTO_TCP: "tcp", socket.IPPROTO_UDP: "udp", socket.IPPROTO_ICMP: "icmp"}


@contextmanager
def copied(pid: int, fd: int) -> Iterator[int]:
    """A copy of descriptor `fd` of process `pid` for as long as it takes; raises `OSError`."""
    process = os.pidfd_open(pid)
    try:
        copy = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, process, fd, 0)
    finally:
        os.close(process)
    if copy < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    try:
        yield copy
    finally:
        os.close(copy)


@dataclass(frozen=True)
class Answer:
    """Bytes that can be read, size of a pipe, internet socket; None where it is none or will not say."""

    queued: int | None = None
    pipe_size: int | None = None
    socket: Socket | None = None


def ask(pid: int, fd: int, inode: int) -> Answer:
    """What a pipe, socket or terminal says of itself."""
    try:
        with copied(pid, fd) as copy:
            return Answer(_queued(copy), _pipe_size(copy), _socket(copy, inode))
    except OSError:
        return Answer()


def _queued(fd: int) -> int | None:
    size = array.array("i", [0])
    try:
        fcntl.ioctl(fd, termios.FIONREAD, size)
    except OSError:
        return None
    return size[0]


def _socket(fd: int, inode: int) -> Socket | None:
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        return None
    found = socket.socket(fileno=fd)
    try:
        return _internet(found, inode) if found.family in (socket.AF_INET, socket.AF_INET6) else None
    finally:
        found.detach()


def _internet(found: socket.socket, inode: int) -> Socket:
    """A socket that has no connection; what is in the tables of /proc/net is read there."""
    name = TABLES.get(found.proto, "raw") if found.type != socket.SOCK_RAW else "raw"
    table = name + ("6" if found.family == socket.AF_INET6 else "")
    return Socket(table, inode, found.type & 15, found.proto, _state(found), _local(found), None, 0, 0)


def _state(found: socket.socket) -> int:
    if found.proto != socket.IPPROTO_TCP:
        return CLOSE
    return found.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def _local(found: socket.socket) -> str | None:
    host, port = found.getsockname()[:2]
    if not port and not any(part.strip("0") for part in host.replace(".", ":").split(":")):
        return None
    return f"{host}:{port}" if found.family == socket.AF_INET else f"[{host}]:{port}"


def _pipe_size(fd: int) -> int | None:
    try:
        return fcntl.fcntl(fd, F_GETPIPE_SZ)
    except OSError:
        return None
