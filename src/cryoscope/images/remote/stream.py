"""All of a file behind an address, once, from its start to its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from cryoscope.images.remote import address
from cryoscope.images.remote.errors import BadAnswer
from cryoscope.images.remote.source import status_error
from cryoscope.images.remote.web import Web, number


class HttpStream:
    """What `PipeSource` reads: the body of one answer; for servers that give no ranges.

    Raises `RemoteError`, also where fewer bytes come than the answer announced.
    """

    def __init__(self, url: str, *, plain_http: bool = False) -> None:
        self.name = address.bare(address.checked(url, plain_http=plain_http))
        self._open = ExitStack()
        web = Web(plain_http=plain_http)
        self._open.callback(web.close)
        try:
            response = self._open.enter_context(web.open("GET", url))
            if response.status_code != 200:
                raise status_error(response.status_code, self.name)
            told = response.headers.get("content-length", "")
        except BaseException:
            self._open.close()
            raise
        self._missing = number(told)
        self._blocks: Iterator[bytes] = web.blocks(response)
        self._rest = b""

    def read(self, length: int) -> bytes:
        """Up to `length` bytes, none only at the end."""
        if not self._rest:
            self._rest = next(self._blocks, b"")
            self._count(len(self._rest))
        found, self._rest = self._rest[:length], self._rest[length:]
        return found

    def _count(self, came: int) -> None:
        if self._missing is None:
            return
        self._missing -= came
        if not came and self._missing > 0:
            raise BadAnswer(f"{self.name} broke off: {self._missing} bytes are missing", code="remote.cut")

    def close(self) -> None:
        """Hang up."""
        self._open.close()
