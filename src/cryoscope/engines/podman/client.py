"""HTTP to a service of Podman over its unix socket; every failure becomes an `EngineError`.

Answers are bounded.  A service that accepts and stays silent (stopped, or waiting for a runtime that hangs)
is told by the time between two bytes, not by the length of the work.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from cryoscope import limits
from cryoscope.engines.podman.answers import Failure
from cryoscope.engines.podman.connection import CONNECT, Connection, NotAnswering, Unframed, asked, blocks
from cryoscope.engines.podman.download import ahead
from cryoscope.engines.podman.sockets import START
from cryoscope.engines.port import EngineError, EngineHung, EngineUnreachable, NoSuchContainer
from cryoscope.errors import Incomplete
from cryoscope.text import escape

BASE = "/v4.0.0/libpod"
"""The oldest version that services of Podman 4 to 6 answer to; behind a host it is taken for Docker's."""
FINE = range(200, 300)
"""Statuses of success."""
ASK = 20.0
"""Seconds until a service must answer a plain question."""
T = TypeVar("T")
Parameters = Mapping[str, str]


class Answered(EngineError):
    """An error that the service itself reports: `status` is HTTP's, `said` its message."""

    default_code = "podman.failed"

    def __init__(self, status: int, said: str, **rest: Any) -> None:
        super().__init__(said, **rest)
        self.status = status
        self.said = said


class Client:
    """A service on a socket; `shown` is how its host names it.  Connections end with their answers."""

    def __init__(self, path: str, *, shown: str) -> None:
        self.shown = shown
        self.path = path

    def get(self, path: str, kind: type[T], **parameters: str) -> T:
        """A plain question; raises `NoSuchContainer`, `Answered` and what `stream` raises."""
        with self.stream("GET", path, parameters, timeout=ASK) as response:
            return _decoded(response, kind)

    def post(
        self, path: str, kind: type[T], parameters: Parameters, *, body: Iterable[bytes], timeout: float
    ) -> T:
        """Send a body of any length and decode the answer."""
        with self.stream("POST", path, parameters, timeout=timeout, body=body) as response:
            return _decoded(response, kind)

    @contextlib.contextmanager
    def stream(
        self,
        method: str,
        path: str,
        parameters: Parameters,
        *,
        timeout: float,
        body: Iterable[bytes] | None = None,
    ) -> Iterator[HTTPResponse]:
        """A successful response whose body has not been read yet; `timeout` is seconds of silence.

        Raises `EngineUnreachable`, `EngineHung`, `Incomplete` for a body that is cut, `NoSuchContainer`,
        `Answered`.
        """
        connection = Connection(self.path, patience=timeout)
        with self._asked(connection, method, path, parameters, body) as response:
            yield response

    @contextlib.contextmanager
    def download(
        self, path: str, parameters: Parameters, *, timeout: float, begun: Callable[[], bool] = bool
    ) -> Iterator[Iterator[bytes]]:
        """The blocks of a long answer to POST, whose end the reader must know; raises what `stream` does.

        `begun` says whether something of it has come some other way: a cut is in the middle then.
        """
        connection = Unframed(self.path, patience=timeout)
        with (
            self._asked(connection, "POST", path, parameters, begun=begun) as response,
            ahead(response.read) as blocks,
        ):
            yield blocks

    @contextlib.contextmanager
    def _asked(
        self,
        connection: Connection,
        method: str,
        path: str,
        parameters: Parameters,
        body: Iterable[bytes] | None = None,
        begun: Callable[[], bool] = bool,
    ) -> Iterator[HTTPResponse]:
        url = BASE + quote(path, safe="/%") + ("?" + urlencode(parameters) if parameters else "")
        reading = False
        try:
            with asked(connection, method, url, body) as response:
                if response.status not in FINE:
                    raise _failed(response.status, response.read(limits.PODMAN_ERROR))
                reading = True
                yield response
        except NotAnswering as error:
            raise self._unreachable(error.__cause__) from None
        except TimeoutError:
            raise self._hung(connection.patience) from None
        except (ConnectionError, HTTPException) as error:
            raise self._cut(error, reading or begun()) from None

    def _hung(self, seconds: float) -> EngineHung:
        return EngineHung(
            f"Podman on {self.shown} said nothing for {seconds:.0f} s",
            hint="see whether the service or its runtime hangs (ps, journalctl -u podman); "
            "give a longer --timeout if the container is large",
            code="podman.hung",
        )

    def _unreachable(self, error: BaseException | None) -> EngineError:
        if isinstance(error, TimeoutError):
            return self._hung(CONNECT)
        refused = isinstance(error, PermissionError)
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return EngineUnreachable(
            f"Podman on {self.shown} cannot be reached: {escape(said)[:200]}",
            hint="run as root, or as the user whose service it is" if refused else START,
            code="podman.permission" if refused else "podman.unreachable",
        )

    def _cut(self, error: Exception, reading: bool) -> EngineError | Incomplete:
        said = f"Podman on {self.shown} closed the connection"
        cure = "see why the service ended (journalctl -u podman), then try again"
        if reading:
            return Incomplete(f"{said} in the middle of its answer", hint=cure, code="podman.stream-cut")
        return EngineUnreachable(f"{said} before it answered", hint=cure, code="podman.closed")


def _failed(status: int, body: bytes) -> EngineError:
    """The error in the body of an answer that is none."""
    try:
        said = msgspec.json.decode(body, type=Failure).message
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = body.decode(errors="replace")
    said = escape(" ".join(said.split()))[:1000] or f"HTTP {status}"
    if status == HTTPStatus.NOT_FOUND and "no such container" in said:
        return NoSuchContainer(said, hint="cryoscope targets lists what can be captured here")
    return Answered(status, said, hint="see journalctl -u podman, and Podman's own `podman events`")


def _decoded(response: HTTPResponse, kind: type[T]) -> T:
    body = _bounded(response, limits.PODMAN_ANSWER)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EngineError(
            f"Podman answered something else than was asked: {escape(str(error))[:200]}",
            hint="is it a service of Podman 4 or later that listens there?",
            code="podman.answer",
        ) from None


def _bounded(response: HTTPResponse, most: int) -> bytes:
    body = bytearray()
    for block in blocks(response, 64 << 10):
        body += block
        if len(body) > most:
            raise EngineError(
                f"Podman's answer is longer than {most} bytes", hint="ask for less", code="podman.answer"
            )
    return bytes(body)
