"""The plain bytes of a file that age encrypted, by offset.

age-encryption.org/v1: behind the header 16 bytes of nonce, then chunks of 64 KiB, each encrypted by
ChaCha20-Poly1305 under its number: one that is wanted is decrypted, and the others are not.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

from cryoscope import needs
from cryoscope.checkpoint.archive import ByteSource
from cryoscope.evidence.forms.age_header import NONCE, TAG, AgeHeaderError, file_key, hkdf, read_header
from cryoscope.evidence.forms.identities import Identity
from cryoscope.evidence.ports import EvidenceError

CHUNK = 1 << 16
SEALED = CHUNK + TAG
KEPT = 16
"""Decrypted chunks in memory: headers lie close to each other."""

AT_ONCE = 64
"""Chunks that are read and decrypted at once."""


class AgeChunkError(EvidenceError):
    """A chunk that is not what was encrypted."""

    default_code = "evidence.age-chunk"


class AgeSource:
    """What age encrypted, decrypted where it is read; it owns the source of the encrypted bytes.

    The last chunk is decrypted first: only that it is the last says that nothing was cut off.  Raises
    AgeHeaderError, NoIdentity and, then and while reading, AgeChunkError, which names the offset.
    """

    def __init__(self, source: ByteSource, identities: Sequence[Identity]) -> None:
        if source.size is None:
            raise AgeHeaderError("can be read only once")
        header = read_header(source)
        key = file_key(header, identities)
        nonce = source.read_at(header.size, NONCE)
        self.name = source.name
        self._source = source
        self._start = header.size + NONCE
        sealed = source.size - self._start
        if len(nonce) < NONCE or sealed < TAG:
            raise self._broken(0, "is missing: the file is cut short")
        self._last = (sealed - 1) // SEALED
        self.size: int = sealed - TAG * (self._last + 1)
        aead = needs.module("cryptography.hazmat.primitives.ciphers.aead")
        self._invalid = needs.module("cryptography.exceptions").InvalidTag
        self._cipher = aead.ChaCha20Poly1305(hkdf(key, nonce, b"payload"))
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._demand_end()

    def read_at(self, offset: int, length: int) -> bytes:
        """Plain bytes from `offset`, fewer than `length` only at the end; from any thread."""
        if offset < 0 or length <= 0 or offset >= self.size:
            return b""
        end = min(self.size, offset + length)
        first, last = offset // CHUNK, (end - 1) // CHUNK
        if first == last:
            chunk = self._chunk(first)
            return chunk[offset - first * CHUNK : end - first * CHUNK]
        parts = [part for place in range(first, last + 1, AT_ONCE) for part in self._chunks(place, last)]
        parts[-1] = parts[-1][: end - last * CHUNK]
        parts[0] = parts[0][offset - first * CHUNK :]
        return b"".join(parts)

    def fingerprint(self) -> str | None:
        """None: nothing of what is encrypted is to be remembered."""
        return None

    def close(self) -> None:
        """Forget what is decrypted and close the source."""
        with self._lock:
            self._kept.clear()
        self._source.close()

    def _demand_end(self) -> None:
        if not self._chunk(self._last) and self._last:
            raise self._broken(self._last, "is empty and yet not the only one")

    def _chunk(self, place: int) -> bytes:
        with self._lock:
            if (found := self._kept.get(place)) is not None:
                self._kept.move_to_end(place)
                return found
        (found,) = self._chunks(place, place)
        with self._lock:
            self._kept[place] = found
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found

    def _chunks(self, first: int, last: int) -> list[bytes]:
        """Chunks in a row, at most AT_ONCE."""
        count = min(AT_ONCE, last + 1 - first)
        sealed = memoryview(self._source.read_at(self._start + first * SEALED, count * SEALED))
        return [self._opened(first + place, sealed[place * SEALED :][:SEALED]) for place in range(count)]

    def _opened(self, place: int, sealed: memoryview) -> bytes:
        nonce = place.to_bytes(11, "big") + (b"\x01" if place == self._last else b"\x00")
        try:
            plain: bytes = self._cipher.decrypt(nonce, sealed, None)
        except (self._invalid, ValueError):
            raise self._broken(place, "was altered, or the file was cut off here") from None
        return plain

    def _broken(self, place: int, what: str) -> AgeChunkError:
        start = self._start + place * SEALED
        return AgeChunkError(
            f"chunk {place} at byte {start} (byte {place * CHUNK} of what was encrypted) {what}",
            hint="look for another copy: the other chunks can still be read",
        )
