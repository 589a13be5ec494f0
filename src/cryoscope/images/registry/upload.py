"""A blob on its way into a registry, in chunks that are kept until they have arrived.

distribution-spec 1.1, "Pushing a blob in chunks" and "POST then PUT"; `OCI-Chunk-Min-Length`.
"""

from __future__ import annotations

import re
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from cryoscope import limits
from cryoscope.images.registry import refusal
from cryoscope.images.remote.errors import BadAnswer, Busy, TimedOut, Unreachable
from cryoscope.images.remote.web import Answer, number

if TYPE_CHECKING:
    from cryoscope.images.registry.registry import Registry

OCTETS = {"Content-Type": "application/octet-stream"}
_RANGE = re.compile(r"(?:bytes=)?0-(\d{1,19})")


class BlobUpload:
    """An `Upload`: one request with everything where it is small, else a chunk after the other.

    A chunk is sent by a thread while the next is filled.  After a cut the registry is asked how far it
    got and given the rest.  Left without `commit` the registry forgets what came.
    """

    def __init__(self, registry: Registry, start: str) -> None:
        self._registry, self._start = registry, start
        self._chunk = limits.REGISTRY_CHUNK
        self._location = ""
        self._waiting = bytearray()
        self._sent = 0
        self._pool: ThreadPoolExecutor | None = None
        self._flying: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True)

    def write(self, block: bytes | memoryview) -> None:
        """Append; raises `RemoteError` where an earlier chunk could not be sent."""
        self._waiting += block
        if len(self._waiting) < self._chunk:
            return
        self._begin()
        while len(self._waiting) >= self._chunk:
            chunk = bytes(memoryview(self._waiting)[: self._chunk])
            del self._waiting[: self._chunk]
            self._hand_over(chunk)

    def commit(self, digest: str) -> None:
        """Send the rest and the digest, which the registry checks."""
        self._begin()
        self._settle()
        rest = bytes(self._waiting)
        if self._sent:  # some registries take no bytes with the last request of many
            self._send(rest)
            rest = b""
        url = self._location + ("&" if "?" in self._location else "?") + "digest=" + quote(digest)
        answer = self._registry.ask("PUT", url, headers=OCTETS, content=rest, again=not rest)
        refusal.demand(answer, (201, 204), f"{self._registry.image.name} takes no {digest}")

    def _begin(self) -> None:
        """Ask for a place to send to, once."""
        if self._location:
            return
        answer = self._registry.ask("POST", self._start, content=b"")
        refusal.demand(answer, (202,), f"{self._registry.image.name} takes no blob")
        self._moved(answer)
        least = number(answer.headers.get("oci-chunk-min-length", "")) or 0
        self._chunk = max(self._chunk, min(least, limits.REGISTRY_CHUNK_MOST))

    def _moved(self, answer: Answer) -> None:
        """The place may be another one after each request."""
        if location := answer.headers.get("location"):
            self._location = self._registry.followed(location)
        if not self._location:
            raise BadAnswer("the registry names no place to send a blob to", code="registry.answer")

    # --- chunks ---------------------------------------------------------------------------
    def _hand_over(self, chunk: bytes) -> None:
        self._settle()
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "upload")
        self._flying = self._pool.submit(self._send, chunk)

    def _settle(self) -> None:
        """Wait for the chunk under way; raises what went wrong with it."""
        flying, self._flying = self._flying, None
        if flying is not None:
            flying.result()

    def _send(self, chunk: bytes) -> None:
        start = self._sent
        failures = 0
        while (done := self._sent - start) < len(chunk):
            try:
                if self._patched(chunk[done:]):
                    failures = 0
                    continue
            except (Unreachable, TimedOut, Busy):
                if failures + 1 >= limits.REMOTE_TRIES:
                    raise
            failures += 1
            if failures >= limits.REMOTE_TRIES:
                raise BadAnswer("the registry refuses the chunks of a blob", code="registry.upload")
            self._arrived(start, start + len(chunk))

    def _patched(self, part: bytes) -> bool:
        """Send a part; whether it was taken (if not, the registry has another idea of what is next)."""
        headers = OCTETS | {"Content-Range": f"{self._sent}-{self._sent + len(part) - 1}"}
        answer = self._registry.ask("PATCH", self._location, headers=headers, content=part, again=False)
        if answer.status in (416, 429, 502, 503, 504):
            return False
        refusal.demand(answer, (202, 204), f"{self._registry.image.name} takes no chunk")
        self._moved(answer)
        self._sent += len(part)
        return True

    def _arrived(self, start: int, end: int) -> None:
        """Ask how far the registry got: within the chunk, for the ones before it are no longer here."""
        answer = self._registry.ask("GET", self._location)
        refusal.demand(answer, (204, 202, 200), f"{self._registry.image.name} has lost the blob half-way")
        self._moved(answer)
        found = _RANGE.fullmatch(answer.headers.get("range", ""))
        last = int(found[1]) if found else 0
        sent = last + 1 if last else 0  # "0-0" is what registries answer for nothing
        if not start <= sent <= end:
            raise BadAnswer(
                f"the registry has {sent} bytes of a blob and should have {start} to {end}",
                hint="push again",
                code="registry.upload",
            )
        self._sent = sent
