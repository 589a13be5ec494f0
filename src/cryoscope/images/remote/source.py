"""A file behind an address, read by ranges of it.

RFC 9110, sections 13.1.5 (If-Range), 14.2 (Range) and 14.4 (Content-Range).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from cryoscope.images.remote import address
from cryoscope.images.remote.errors import BadAnswer, Changed, Denied, Missing, NoRanges, RemoteError
from cryoscope.images.remote.web import Web, number

FIRST = 1 << 16
"""Bytes of the first request, which tells size and version, too."""
_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})")
_TAG = re.compile(r"(?!W/)[\x20-\x7e]{1,1024}")
_NOTHING = re.compile(r"bytes \*/0")


class Who(Protocol):
    """Who one is for a server."""

    def headers(self) -> dict[str, str]:
        """What says so, as it is now."""

    def renew(self, answer: Mapping[str, str]) -> bool:
        """After a 401 with these headers: whether there is something new to be said."""


class Nobody:
    """No credentials."""

    def headers(self) -> dict[str, str]:
        return {}

    def renew(self, answer: Mapping[str, str]) -> bool:
        return False


class HttpSource:
    """A ByteSource over `url`: one request a read, from any thread; to be wrapped in a `ReadAhead`.

    `size` and `version` are what it is known to be (a blob of a registry), else the first answer tells.
    Raises `NoRanges` where the server gives only all of it, `Changed` as soon as an answer is of another
    version than the first, `Missing`, `Denied` and other `RemoteError`s.
    """

    def __init__(
        self,
        web: Web,
        url: str,
        name: str,
        *,
        size: int | None = None,
        who: Who | None = None,
        own: bool = True,
    ) -> None:
        self.name = name
        self._web, self._url, self._who, self._own = web, url, who or Nobody(), own
        self._version: dict[str, str] = {}
        self._closed = False
        self._first = b""
        self.size: int = self._start(size)

    def _start(self, expected: int | None) -> int:
        with self._asked(0, FIRST) as response:
            self._version = _version(response)
            if response.status_code == 416:
                size = self._empty(response)
            elif response.status_code == 206:
                size = self._range(response, 0, FIRST)
                self._first = self._read(response, min(FIRST, size))
            else:
                raise self._no_ranges(response)
        if expected is not None and size != expected:
            raise BadAnswer(f"{self.name} has {size} bytes, and its image says {expected}")
        return size

    def read_at(self, offset: int, length: int) -> bytes:
        """Bytes from `offset`, fewer than `length` only at the end."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        if offset + length <= len(self._first):
            return self._first[offset : offset + length]
        try:
            return self._once(offset, length)
        except RemoteError as error:
            if error.code not in ("remote.unreachable", "remote.cut"):
                raise
            return self._once(offset, length)

    def _once(self, offset: int, length: int) -> bytes:
        if self._closed:
            raise RemoteError(f"{self.name} was closed")
        with self._asked(offset, length) as response:
            if response.status_code != 206 or (self._version and _version(response) != self._version):
                raise self._changed()
            if self._range(response, offset, length) != self.size:
                raise self._changed()
            return self._read(response, length)

    def fingerprint(self) -> str | None:
        """Address, size and version; None where the server tells no version that is sure."""
        tag = self._version.get("etag")
        if tag is None:
            return None
        return "http-" + hashlib.sha256(f"{self._url}\n{tag}\n{self.size}".encode()).hexdigest()

    def close(self) -> None:
        self._closed = True
        if self._own:
            self._web.close()

    # --- one request ----------------------------------------------------------------------
    @contextmanager
    def _asked(self, offset: int, length: int) -> Iterator[Any]:
        """An answer with bytes; who one is, is told anew once if it no longer counts."""
        for renewed in (False, True):
            with self._web.open("GET", self._url, headers=self._headers(offset, length)) as response:
                if response.status_code == 401 and not renewed and self._who.renew(response.headers):
                    continue
                if response.status_code not in (200, 206, 416):
                    raise status_error(response.status_code, self.name)
                yield response
                return

    def _headers(self, offset: int, length: int) -> dict[str, str]:
        asked = {"Range": f"bytes={offset}-{offset + length - 1}"} | self._who.headers()
        if validator := self._version.get("etag") or self._version.get("last-modified"):
            asked["If-Range"] = validator
        return asked

    def _range(self, response: Any, offset: int, length: int) -> int:
        """The size of the whole, of an answer that is exactly what was asked for."""
        found = _RANGE.fullmatch(response.headers.get("content-range", ""))
        if found is not None:
            first, last, size = map(int, found.groups())
            if first == offset and last == min(offset + length, size) - 1:
                return size
        raise BadAnswer(f"{self.name} comes in other ranges than were asked for")

    def _empty(self, response: Any) -> int:
        if _NOTHING.fullmatch(response.headers.get("content-range", "")):
            return 0
        raise self._no_ranges(response)

    def _read(self, response: Any, length: int) -> bytes:
        data = b"".join(self._web.body(response, length))
        if len(data) < length:
            raise BadAnswer(f"{self.name} broke off: {len(data)} bytes of {length} came", code="remote.cut")
        return data

    def _no_ranges(self, response: Any) -> NoRanges:
        told = number(response.headers.get("content-length", ""))
        size = "" if told is None else f" of its {told} bytes"
        return NoRanges(
            f"the server of {self.name} gives no part{size} without the rest",
            hint="--stream reads all of it once; or download it and give the file",
        )

    def _changed(self) -> Changed:
        return Changed(
            f"{self.name} was changed while it was read",
            hint="ask again when whoever writes it is done, or download it first",
        )


def _version(response: Any) -> dict[str, str]:
    """What tells one version from another; a weak ETag is none (RFC 9110, 8.8.3).

    One that cannot be given back in a header is none, either.
    """
    headers = response.headers
    tag = headers.get("etag", "")
    if _TAG.fullmatch(tag):
        return {"etag": tag}
    return {"last-modified": headers["last-modified"]} if "last-modified" in headers else {}


def status_error(status: int, name: str) -> RemoteError:
    """What an answer without what was asked for means."""
    if status in (401, 403):
        return Denied(
            f"{name} may not be read: the server answers {status}",
            hint="log in (an image: with podman or docker login), or give an address that is signed",
        )
    if status in (404, 410):
        return Missing(f"there is no {name}", hint="look at the address")
    return BadAnswer(f"{name} cannot be read: the server answers {status}")


def http_source(url: str, *, plain_http: bool = False) -> HttpSource:
    """The file behind an address that a user gave."""
    address.checked(url, plain_http=plain_http)
    web = Web(plain_http=plain_http)
    try:
        return HttpSource(web, url, address.bare(url))
    except BaseException:
        web.close()
        raise
