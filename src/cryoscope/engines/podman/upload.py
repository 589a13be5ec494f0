"""The cleaned copy on its way up, with what only this one restore needs.

Several restores may share one copy, and each must make volumes of its own.  The copy has a placeholder in
names of members, in config.dump and in spec.dump, which a word of its own replaces here.  The spec also gets
the annotation that runc needs to close connections (`tcp_close`): vetting lets no such annotation pass, so it
is put behind it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import BinaryIO

from cryoscope import limits
from cryoscope.checkpoint.archive.header import BLOCK, ZEROS, number, padded, text
from cryoscope.engines.podman import tcp_close
from cryoscope.engines.podman.documents import CONFIG, SPEC, edit

READ = 1 << 20
PLACEHOLDER = "cryoscope-000000000000"
NAME, SIZE, CHECKSUM = slice(0, 100), slice(124, 136), slice(148, 156)
"""Fields of a header: POSIX.1-1988, ustar."""


def blocks(archive: str, *, closing: bool) -> Iterator[bytes]:
    """The bytes of a plain tar that `engines.vetting` wrote, with names of its own."""
    old, new = PLACEHOLDER.encode(), f"cryoscope-{secrets.token_hex(6)}".encode()
    with open(archive, "rb") as file:
        while (header := file.read(BLOCK)) not in (b"", ZEROS):
            name, size = text(header[NAME]), number(header[SIZE])
            header = header[NAME].replace(old, new) + header[NAME.stop :]
            if name in (CONFIG, SPEC) and size <= limits.JSON_DOCUMENT:
                data = file.read(padded(size))[:size].replace(old, new)
                if closing and name == SPEC:
                    data = edit(tcp_close.told)(data)
                yield _header(header, len(data)) + data + bytes(padded(len(data)) - len(data))
            else:
                yield _header(header, size)
                yield from _copied(file, padded(size))
        yield header
        yield from _copied(file, None)


def _header(header: bytes, size: int) -> bytes:
    """A header with another size, and its checksum."""
    made = bytearray(header)
    if size != number(header[SIZE]):
        made[SIZE] = b"%011o\0" % size
    made[CHECKSUM] = b" " * 8
    made[CHECKSUM] = b"%06o\0 " % sum(made)
    return bytes(made)


def _copied(file: BinaryIO, left: int | None) -> Iterator[bytes]:
    while left is None or left > 0:
        block = file.read(READ if left is None else min(READ, left))
        if not block:
            return
        left = None if left is None else left - len(block)
        yield block
