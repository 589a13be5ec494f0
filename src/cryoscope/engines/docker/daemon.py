"""The daemon's HTTP API over its unix socket: requests, and its refusals as our errors.

The requests are those of moby's api/swagger.yaml.  Answers are bounded, and what they say is made readable
before it gets into a message.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from cryoscope import limits, needs
from cryoscope.engines.docker.troubles import refusal
from cryoscope.engines.port import EngineError, EngineHung, EngineUnreachable
from cryoscope.text import escape, readable

if TYPE_CHECKING:
    import httpx2

TAR = "application/x-tar"
JSON = "application/json"
CONNECT = 5.0
PATIENCE = 30.0
"""Seconds for an answer of which nothing says that it may take longer."""
BAD = 400


class Daemon:
    """dockerd behind a socket: `path` is where this process connects, `shown` how its machine names it."""

    def __init__(self, path: str, shown: str) -> None:
        self.path, self.shown = path, shown
        self._answers()
        self._library = needs.httpx2()
        none_kept = self._library.Limits(max_keepalive_connections=0)  # nobody would close them
        transport = self._library.HTTPTransport(uds=path, limits=none_kept)
        self._client: httpx2.Client = self._library.Client(
            transport=transport, base_url="http://docker", trust_env=False, timeout=PATIENCE
        )

    def close(self) -> None:
        """Give back what the connections took."""
        self._client.close()

    def _answers(self) -> None:
        """Whether somebody listens; raises `EngineUnreachable`."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(CONNECT)
            try:
                probe.connect(self.path)
            except OSError as error:
                raise unreachable(self.shown, error) from None

    def ask(
        self, method: str, path: str, body: object = None, /, *, patience: float = PATIENCE, **query: str
    ) -> Any:
        """Make a request, of JSON for JSON; raises `EngineError` with a code."""
        content = None if body is None else msgspec.json.encode(body)
        with self._sent(method, path, query, content, JSON, patience) as response:
            data = _bounded(response.iter_raw(), path)
        try:
            return msgspec.json.decode(data) if data else None
        except msgspec.DecodeError as error:
            raise self._nonsense(f"{method} {path}: {error}") from None

    def put(
        self,
        path: str,
        content: Iterable[bytes],
        /,
        *,
        method: str = "PUT",
        patience: float = PATIENCE,
        **query: str,
    ) -> bytes:
        """Send a tar; returns what the daemon says to that."""
        with self._sent(method, path, query, content, TAR, patience) as response:
            return _bounded(response.iter_raw(), path)

    @contextmanager
    def stream(self, path: str, /, *, patience: float = PATIENCE, **query: str) -> Iterator[Iterator[bytes]]:
        """The pieces of an answer; whoever has enough of it leaves."""
        with self._sent("GET", path, query, None, JSON, patience) as response:
            yield self._pieces(response)

    def headers(self, path: str, /, **query: str) -> dict[str, str]:
        """The headers of an answer."""
        with self._sent("HEAD", path, query, None, JSON, PATIENCE) as response:
            return dict(response.headers)

    def _pieces(self, response: httpx2.Response) -> Iterator[bytes]:
        try:
            yield from response.iter_raw()
        except (self._library.TransportError, self._library.StreamError) as error:
            raise self._gone(error) from None

    @contextmanager
    def _sent(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        content: bytes | Iterable[bytes] | None,
        kind: str,
        patience: float,
    ) -> Iterator[httpx2.Response]:
        timeout = self._library.Timeout(patience, connect=CONNECT)
        request = self._client.build_request(
            method,
            path,
            params=query or None,
            content=content,
            headers={"Content-Type": kind, "Accept-Encoding": "identity"},
            timeout=timeout,
        )
        try:
            response = self._client.send(request, stream=True)
        except self._library.TransportError as error:
            raise self._gone(error) from None
        try:
            if response.status_code >= BAD:
                raise refusal(response.status_code, self._message(response), path)
            yield response
        finally:
            response.close()

    def _message(self, response: httpx2.Response) -> str:
        """The reason that the daemon gives (ErrorResponse)."""
        data = b"".join(_upto(self._pieces(response), limits.ENGINE_ANSWER))
        try:
            told = msgspec.json.decode(data)
            return str(told["message"])
        except (msgspec.DecodeError, KeyError, TypeError):
            return readable(data).strip()

    def _gone(self, error: Exception) -> EngineError:
        if isinstance(error, self._library.ConnectError | self._library.ConnectTimeout):
            return unreachable(self.shown, error)
        if isinstance(error, self._library.TimeoutException):
            return EngineHung(
                f"docker did not answer in time on {escape(self.shown)}",
                hint="look at `docker ps` and dockerd's log, or give it longer with --timeout",
                code="docker.hung",
            )
        return EngineError(
            f"docker broke off its answer on {escape(self.shown)}: {_words(error)}",
            hint="see dockerd's log; the container goes on whatever happened",
            code="docker.broken-off",
        )

    def _nonsense(self, what: str) -> EngineError:
        return EngineError(
            f"docker answered what is no JSON: {escape(what)[:200]}",
            hint=f"is dockerd what listens on {escape(self.shown)}?",
            code="docker.answer",
        )


def unreachable(shown: str, error: Exception) -> EngineUnreachable:
    """The error for a socket that cannot be connected to."""
    denied = "ermission" in str(error)
    return EngineUnreachable(
        f"docker does not answer on {escape(shown)}: {_words(error)}",
        hint="be root, or in the group docker"
        if denied
        else "start it: systemctl start docker; or give --endpoint",
        code="docker.denied" if denied else "docker.unreachable",
    )


def _words(error: Exception) -> str:
    return escape(readable(str(error)))[:200] or type(error).__name__


def _upto(pieces: Iterable[bytes], most: int) -> Iterator[bytes]:
    for piece in pieces:
        yield piece[:most]
        most -= len(piece)
        if most <= 0:
            return


def _bounded(pieces: Iterable[bytes], path: str) -> bytes:
    found = bytearray()
    for piece in pieces:
        found += piece
        if len(found) > limits.JSON_DOCUMENT:
            raise EngineError(
                f"docker's answer to {escape(path)[:200]} is larger than {limits.JSON_DOCUMENT} bytes",
                hint="no real answer is: is dockerd what listens there?",
                code="docker.answer",
            )
    return bytes(found)
