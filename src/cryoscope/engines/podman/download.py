"""A long answer as fast as the service sends it.

HTTP/1.0 on a socket of its own: the body ends with the connection and has no chunks, of which Go sends one
for each 32 KiB and which cost as much to take apart as the hashing.  That it ends too early is told by what
is in it (`stream`).  A thread reads ahead, so that the service need not wait while a block is hashed and
written.  (1 GiB behind the first byte: 2.0 s through httpx2, 1.2 s from a bare socket.)
"""

from __future__ import annotations

import contextlib
import http.client
import queue
import socket
import threading
from collections.abc import Callable, Iterator

BLOCK = 1 << 20
WAITING = 4
"""Blocks that are read ahead."""
PATIENCE = 0.2
"""Seconds after which the thread looks whether anybody still wants its blocks."""
Item = bytes | BaseException


class Connection(http.client.HTTPConnection):
    """A connection to a unix socket that speaks HTTP/1.0; `patience` is seconds of silence."""

    _http_vsn = 10
    _http_vsn_str = "HTTP/1.0"

    def __init__(self, path: str, *, patience: float) -> None:
        super().__init__("podman", timeout=patience)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@contextlib.contextmanager
def asked(path: str, method: str, url: str, *, patience: float) -> Iterator[http.client.HTTPResponse]:
    """The answer to a question without a body; raises `OSError` and `http.client.HTTPException`."""
    connection = Connection(path, patience=patience)
    try:
        connection.request(method, url)
        yield connection.getresponse()
    finally:
        if connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        connection.close()


@contextlib.contextmanager
def ahead(read: Callable[[int], bytes]) -> Iterator[Iterator[bytes]]:
    """Blocks that a thread reads until there are no more; its error is raised where the blocks are taken."""
    blocks: queue.Queue[Item] = queue.Queue(WAITING)
    stop = threading.Event()
    thread = threading.Thread(target=_read, args=(read, blocks, stop), name="read-ahead", daemon=True)
    thread.start()
    try:
        yield _taken(blocks)
    finally:
        stop.set()
        thread.join(PATIENCE * 2)


def _read(read: Callable[[int], bytes], blocks: queue.Queue[Item], stop: threading.Event) -> None:
    item: Item = b"first"
    while item and not isinstance(item, BaseException):
        try:
            item = read(BLOCK)
        except Exception as error:
            item = error
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                blocks.put(item, timeout=PATIENCE)
                break
        if stop.is_set():
            return


def _taken(blocks: queue.Queue[Item]) -> Iterator[bytes]:
    while item := blocks.get():
        if isinstance(item, BaseException):
            raise item
        yield item
