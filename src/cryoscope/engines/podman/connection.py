"""One question to a service on a unix socket, over a connection of its own.

HTTP/1.1 as the standard library speaks it: a library that does more takes longer to import than Podman takes
to answer.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterable, Iterator

CONNECT = 10.0
"""Seconds until a service must accept."""


class Connection(http.client.HTTPConnection):
    """A connection to a unix socket; `patience` is seconds between two bytes."""

    def __init__(self, path: str, *, patience: float) -> None:
        super().__init__("podman")
        self._path = path
        self.patience = patience

    def connect(self) -> None:
        """Connect to the socket; raises what `connected` does."""
        self.sock = connected(self._path)
        self.sock.settimeout(self.patience)


class Unframed(Connection):
    """HTTP/1.0: the body ends with the connection; whether it ends too early, only what is in it tells.

    It has no chunks, of which Go sends one for each 32 KiB and which cost as much to take apart as the
    hashing.  (1 GiB behind the first byte: 2.0 s in chunks, 1.2 s without.)
    """

    _http_vsn = 10
    _http_vsn_str = "HTTP/1.0"


class NotAnswering(Exception):
    """Nobody accepts on a socket; the cause is the `OSError`."""


def connected(path: str) -> socket.socket:
    """A connected socket; raises `NotAnswering`."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.settimeout(CONNECT)
        made.connect(path)
    except OSError as error:
        made.close()
        raise NotAnswering from error
    return made


@contextlib.contextmanager
def asked(
    connection: Connection, method: str, url: str, body: Iterable[bytes] | None = None
) -> Iterator[http.client.HTTPResponse]:
    """The answer to a question, which ends the connection.

    Raises `NotAnswering`, `OSError` (`TimeoutError` where there is silence), `http.client.HTTPException`.
    """
    headers = {"Connection": "close"}
    try:
        with contextlib.suppress(ConnectionError):  # it may have answered before it heard all
            connection.request(method, url, body=body, headers=headers)
        yield connection.getresponse()
    finally:
        if connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        connection.close()


def blocks(response: http.client.HTTPResponse, size: int) -> Iterator[bytes]:
    """The body of an answer as it comes; raises what `asked` does, `IncompleteRead` if its end is missing."""
    while block := response.read(size):
        yield block
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
