"""Archives, keys and places to keep them for the tests of forms."""

from __future__ import annotations

import hashlib
import io
import random
from pathlib import Path

from cryoscope.checkpoint.archive import ByteSource, BytesSource, TarWriter
from cryoscope.evidence.forms import Identity, Kept, keep, original
from cryoscope.evidence.forms.bech32 import encode
from cryoscope.evidence.records import Stored

DATA = Path(__file__).parent.parent / "data"
PAGES = random.Random(7).randbytes(5 << 20)
FILES = {
    "checkpoint/inventory.img": b"i" * 600,
    "checkpoint/pages-1.img": PAGES,
    "checkpoint/empty.img": b"",
    "config.dump": b"{}",
}


class Blob:
    """An upload that stays in memory, and what was written to it."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, block: bytes | memoryview) -> None:
        self.data += block


class Counting(BytesSource):
    """Bytes in memory that know how many of them were read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data, "stored")
        self.count = 0

    def read_at(self, offset: int, length: int) -> bytes:
        found = super().read_at(offset, length)
        self.count += len(found)
        return found


def secret(number: int) -> bytes:
    return random.Random(number).randbytes(32)


def identity(number: int) -> Identity:
    return Identity(secret(number))


def key_line(number: int) -> str:
    """A private key as age-keygen prints it."""
    return encode("age-secret-key-", secret(number)).upper()


def tar(files: dict[str, bytes] | None = None) -> bytes:
    buffer = io.BytesIO()
    with TarWriter(buffer) as writer:
        for name, data in (FILES if files is None else files).items():
            writer.add(name, data)
    return buffer.getvalue()


def kept(data: bytes, **options: object) -> tuple[Kept, bytes]:
    """What `keep` said of some bytes, and what it wrote."""
    blob = Blob()
    said = keep(BytesSource(data, "given"), blob, **options)  # type: ignore[arg-type]
    return said, bytes(blob.data)


def stored(said: Kept) -> Stored:
    return Stored(
        key="k",
        size=said.stored_size,
        sha256=said.stored_sha256,
        index_sha256=None if said.index is None else hashlib.sha256(said.index).hexdigest(),
        forms=said.forms,
        recipients=said.recipients,
    )


def again(said: Kept, data: bytes, *identities: Identity) -> ByteSource:
    """The original out of what was written."""
    return original(stored(said), Counting(data), identities=identities)


def whole(source: ByteSource) -> bytes:
    return source.read_at(0, source.size or 0)
