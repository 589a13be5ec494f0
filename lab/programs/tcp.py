"""What both halves of the pair do: fill each other's queues and wait until nothing is on its way."""

import fcntl
import json
import socket
import struct
import termios
import time

TO_SERVER = b"TO-SERVER-UNREAD-SECRET\n" * 40
TO_CLIENT = b"TO-CLIENT-UNREAD-SECRET\n" * 25


def queued(connection: socket.socket, which: int) -> int:
    """Bytes in a queue of a socket: FIONREAD what can be read, TIOCOUTQ what is not acknowledged."""
    return struct.unpack("i", fcntl.ioctl(connection, which, bytes(4)))[0]


def settle(connection: socket.socket, *, sends: bytes, gets: bytes) -> None:
    """Send, and say `ready` when both queues hold all that was sent."""
    connection.sendall(sends)
    while queued(connection, termios.FIONREAD) < len(gets) or queued(connection, termios.TIOCOUTQ):
        time.sleep(0.01)
    told = {"local": connection.getsockname(), "peer": connection.getpeername()}
    told |= {"fd": connection.fileno(), "unread": len(gets), "text": gets[:23].decode()}
    print("fact connection", json.dumps(told), flush=True)
    print("ready", flush=True)
