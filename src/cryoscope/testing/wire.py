"""An HTTP server in a thread whose answers are written as Go's net/http writes them.

Headers that a handler sets come first, sorted; then Date, Content-Length, Content-Type (net/http, server.go,
`extraHeader`).  Bodies of more than 2048 bytes whose length nobody set are chunked.
"""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from types import TracebackType
from typing import Any
from urllib.parse import unquote

BUFFER = 2048
"""What net/http holds back to learn a body's length."""
PLAIN = "text/plain; charset=utf-8"


@dataclasses.dataclass(frozen=True)
class Request:
    """What a client asks; names of headers are in lower case, `person` and `groups` of its certificate."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""
    person: str | None = None
    groups: tuple[str, ...] = ()

    @property
    def raw_path(self) -> str:
        """The path as it was sent."""
        return self.target.partition("?")[0]

    @property
    def path(self) -> str:
        """The path, decoded."""
        return unquote(self.raw_path)

    @property
    def query(self) -> str:
        """What stands behind the question mark."""
        return self.target.partition("?")[2]

    @property
    def token(self) -> str | None:
        """The bearer token."""
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token if kind == "Bearer" else None


@dataclasses.dataclass
class Reply:
    """An answer; `headers` are those that the handler sets."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)

    def written(self, now: float) -> list[tuple[str, str]]:
        """All its headers in their order; `now` is Unix time."""
        headers = sorted(self.headers.items())
        length = [] if "Content-Length" in self.headers else [("Content-Length", str(len(self.body)))]
        sniffed = [("Content-Type", PLAIN)] if self.body and "Content-Type" not in self.headers else []
        date = [] if "Date" in self.headers else [("Date", formatdate(now, usegmt=True))]
        if length and len(self.body) > BUFFER:
            return [*headers, *date, *sniffed, ("Transfer-Encoding", "chunked")]
        return [*headers, *date, *length, *sniffed]

    def encoded(self, now: float) -> bytes:
        """The bytes on the wire."""
        headers = self.written(now)
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        if ("Transfer-Encoding", "chunked") in headers:
            return head + f"{len(self.body):x}\r\n".encode() + self.body + b"\r\n0\r\n\r\n"
        return head + self.body


class HangUp(Exception):
    """A handler raises it to end the connection without an answer."""


class Server:
    """Serves `handle` on 127.0.0.1 until it is closed; `clock` gives the Unix time of its answers.

    `tls` is a context with a certificate; a client's certificate is read from it if the context asks for one.
    """

    def __init__(
        self,
        handle: Callable[[Request], Reply],
        *,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.handle = handle
        self.clock = clock
        self.closing = threading.Event()
        self._server = _Listener(("127.0.0.1", 0), _Connection)
        self._server.owner = self
        self._server.tls = tls
        self.port: int = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the server and its connections."""
        self.closing.set()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()

    def wait(self, seconds: float) -> None:
        """Let a handler take its time; ends at once when the server is closed."""
        if self.closing.wait(seconds):
            raise HangUp


class _Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    # Joined in server_close, so that no connection outlives the double.
    daemon_threads = False
    block_on_close = True
    owner: Server
    tls: ssl.SSLContext | None

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self._open: set[socket.socket] = set()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """One connection, in its thread."""
        with contextlib.suppress(OSError, HangUp, ValueError):
            wrapped = self.tls.wrap_socket(request, server_side=True) if self.tls else request
            self._open.add(wrapped)
            try:
                with wrapped:
                    _Connection(wrapped, client_address, self)
            finally:
                self._open.discard(wrapped)

    def hang_up(self) -> None:
        """Shut all connections down."""
        for each in [*self._open]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class _Connection(socketserver.StreamRequestHandler):
    """Requests of one connection, one after the other."""

    server: _Listener
    connection: socket.socket

    def handle(self) -> None:
        owner = self.server.owner
        with contextlib.suppress(HangUp, OSError):
            while (request := self._read()) is not None:
                reply = owner.handle(request)
                self.wfile.write(reply.encoded(owner.clock()))

    def _read(self) -> Request | None:
        line = self.rfile.readline(65537).decode("latin-1").split()
        if len(line) != 3:
            return None
        headers = {}
        while (text := self.rfile.readline(65537).decode("latin-1").rstrip("\r\n")) != "":
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", "0")))
        person, groups = self._subject()
        return Request(line[0], line[1], headers, body, person, groups)

    def _subject(self) -> tuple[str | None, tuple[str, ...]]:
        found: Any = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
        subject = [pair for name in (found or {}).get("subject", ()) for pair in name]
        people = [str(value) for key, value in subject if key == "commonName"]
        groups = tuple(str(value) for key, value in subject if key == "organizationName")
        return (people[0] if people else None), groups
