"""HTTP to strangers: bounded answers, retries where they help, no credentials sent to anybody else.

RFC 9110, sections 10.2.3 (Retry-After) and 15.4 (redirects).
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import msgspec

from cryoscope import limits, needs
from cryoscope.images.remote import address
from cryoscope.images.remote.errors import (
    BadAnswer,
    Busy,
    NotConnected,
    RemoteError,
    TimedOut,
    TlsFailed,
    Unreachable,
    shown,
)

HEADERS = {"Accept-Encoding": "identity", "User-Agent": "cryoscope"}
"""Packed answers are not asked for: offsets would be of other bytes."""
CONNECT, READ = 10.0, 30.0
"""Seconds to a connection with TLS, and between two pieces of an answer."""
WHOLE = 300.0
"""Seconds for one bounded answer: 2 MiB come in that at 7 KB a second."""
LATER = (429, 502, 503, 504)
REDIRECTS = (301, 302, 303, 307, 308)
FIRST_WAIT = 0.5
NUMBER = re.compile("[0-9]{1,18}")

Headers = Mapping[str, str]


class Answer(msgspec.Struct, frozen=True):
    """An answer that was read whole: status, headers (names in lower case), body, where it came from."""

    status: int
    headers: dict[str, str]
    body: bytes
    url: str


class Web:
    """Connections to one server and those it sends to, to be used from any thread.

    `secrets` are what no message may show, though a server says it.

    `plain_http` allows other hosts than this one without TLS.  Authorities are the system's, or those of
    $SSL_CERT_FILE.
    """

    def __init__(self, *, plain_http: bool = False) -> None:
        self.plain_http = plain_http
        self.httpx2 = needs.httpx2()
        self.received = 0
        self.secrets: set[bytes] = set()
        self._met = False
        self._client = self.httpx2.Client(
            verify=ssl.create_default_context(),
            headers=HEADERS,
            follow_redirects=False,
            timeout=self.httpx2.Timeout(READ, connect=CONNECT),
            limits=self.httpx2.Limits(max_connections=2 * limits.REMOTE_REQUESTS),
        )

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Headers | None = None,
        content: bytes | memoryview | None = None,
        most: int = limits.REGISTRY_ERROR,
        again: bool = True,
    ) -> Answer:
        """Ask and read to the end, `most` bytes at most; `again` where asking twice does no harm.

        Raises `RemoteError`; what the status means is the caller's to say.
        """
        for left in reversed(range(limits.REMOTE_TRIES if again else 1)):
            came = False
            try:
                with self.open(method, url, headers=headers, content=content, again=again) as response:
                    came = True
                    body = self._masked(response, b"".join(self.body(response, most)))
                    found = {name.lower(): value for name, value in response.headers.items()}
                    return Answer(response.status_code, found, body, str(response.url))
            except Unreachable:  # it broke off in the middle
                if not came or not left:
                    raise
        raise AssertionError

    @contextmanager
    def open(
        self,
        method: str,
        url: str,
        *,
        headers: Headers | None = None,
        content: bytes | memoryview | None = None,
        again: bool = True,
    ) -> Iterator[Any]:
        """An answer whose body is unread; "later" is waited for, redirects of GET and HEAD are followed."""
        sent = dict(headers or {})
        tries, redirects = 0, 0
        while True:
            with ExitStack() as stack:
                tries += 1
                retry = again and tries < limits.REMOTE_TRIES
                response = self._sent(stack, method, url, sent, content, retry=retry)
                if response is not None:
                    status = response.status_code
                    if status in REDIRECTS and method in ("GET", "HEAD") and "location" in response.headers:
                        redirects += 1
                        url = self._redirected(url, response, sent, redirects)
                        tries = 0
                        continue
                    if status not in LATER or not again:
                        yield response
                        return
                    wait = _wait(url, response, tries)
                else:
                    wait = FIRST_WAIT * 2 ** (tries - 1)
            time.sleep(wait)

    def _sent(
        self,
        stack: ExitStack,
        method: str,
        url: str,
        headers: Headers,
        content: bytes | memoryview | None,
        *,
        retry: bool,
    ) -> Any:
        """The answer; None where there was none and it may be tried again."""
        body = bytes(content) if content is not None else None
        try:
            with self.translated(url):
                found = stack.enter_context(
                    self._client.stream(method, url, headers=dict(headers), content=body)
                )
            self._met = True
            return found
        except (Unreachable, TimedOut) as error:
            # A name that is mistyped will not get better; a server that was there may come back.
            if not retry or (isinstance(error, NotConnected) and not self._met):
                raise
            return None

    def _redirected(self, url: str, response: Any, headers: dict[str, str], count: int) -> str:
        if count > limits.REMOTE_REDIRECTS:
            raise BadAnswer(f"{address.bare(url)} sends in circles", code="remote.redirects")
        target = address.followed(url, response.headers["location"], plain_http=self.plain_http)
        if address.origin(target) != address.origin(url):
            headers.pop("Authorization", None)
        return target

    def body(self, response: Any, most: int) -> Iterator[bytes]:
        """The body in pieces, at most `most` bytes and within `WHOLE` seconds."""
        end = time.monotonic() + WHOLE
        size = 0
        for block in self.blocks(response):
            size += len(block)
            if size > most:
                raise BadAnswer(f"{_host(response)} answers more than {most} bytes", code="remote.too-large")
            if time.monotonic() > end:
                raise TimedOut(f"{_host(response)} did not finish its answer within {WHOLE:.0f} seconds")
            yield block

    def _masked(self, response: Any, body: bytes) -> bytes:
        """The words of an error, without the secrets that a server gives back in them."""
        for secret in self.secrets if response.status_code >= 400 else ():
            body = body.replace(secret, b"***")
        return body

    def blocks(self, response: Any) -> Iterator[bytes]:
        """The body in pieces as they come."""
        if response.headers.get("content-encoding", "identity") not in ("", "identity"):
            raise BadAnswer(f"{_host(response)} answers packed, which it was not asked to")
        with self.translated(str(response.url)):
            for block in response.iter_raw():
                self.received += len(block)
                yield block

    @contextmanager
    def translated(self, url: str) -> Iterator[None]:
        """Errors of httpx2 as ours."""
        httpx2 = self.httpx2
        try:
            yield
        except (httpx2.ReadTimeout, httpx2.WriteTimeout, httpx2.PoolTimeout):
            raise TimedOut(f"{_named(url)} did not answer in time", hint="try again") from None
        except httpx2.HTTPError as error:
            kind = NotConnected if isinstance(error, httpx2.ConnectError) else Unreachable
            raise _broken(url, error, kind) from None
        except (httpx2.InvalidURL, httpx2.StreamError, ssl.SSLError, ValueError, RuntimeError) as error:
            if isinstance(error, RemoteError):
                raise
            raise _broken(url, error) from None


def _broken(url: str, error: Exception, kind: type[Unreachable] = Unreachable) -> RemoteError:
    why = shown(str(error)) or type(error).__name__
    if "CERTIFICATE" in why or "[SSL" in why:
        return TlsFailed(
            f"{_named(url)} is not trusted: {why}",
            hint="name the authority that signed its certificate in $SSL_CERT_FILE",
        )
    return kind(f"{_named(url)} does not answer: {why}", hint="look at the address and the network between")


def _wait(url: str, response: Any, tries: int) -> float:
    """Seconds to wait before the next try; raises `Busy` after the last."""
    asked = number(response.headers.get("retry-after", ""))
    wait = FIRST_WAIT * 2 ** (tries - 1) if asked is None else float(asked)
    if tries >= limits.REMOTE_TRIES or wait > limits.REMOTE_PATIENCE:
        raise Busy(
            f"{_named(url)} answers {response.status_code}: later",
            hint=f"try again in {max(wait, 60):.0f} seconds",
        )
    return wait


def number(text: str) -> int | None:
    """The number that a header is, at most 18 digits of ASCII; None where it is none."""
    return int(text) if NUMBER.fullmatch(text) else None


def _named(url: str) -> str:
    _, host, port = address.origin(url)
    return f"{host}:{port}"


def _host(response: Any) -> str:
    return _named(str(response.url))
