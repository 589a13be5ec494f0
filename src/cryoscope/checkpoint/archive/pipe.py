"""A pipe as a source: bytes that can be read once, forward."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

from cryoscope.checkpoint.archive.tape import BLOCK, BlockTape
from cryoscope.errors import ArchiveError, ReadOnce


class PipeSource:
    """Standard input, or anything else that only has `read`.

    A read may go back to where the read before it began; bytes before that raise ReadOnce.
    """

    size: int | None = None

    def __init__(self, fileobj: BinaryIO, name: str) -> None:
        self.name = name
        self._file = fileobj
        self._tape = BlockTape(_blocks(fileobj.read, name))

    def read_at(self, offset: int, length: int) -> bytes:
        """Bytes from `offset`, fewer than `length` only at the end; one thread at a time."""
        try:
            return self._tape.read(offset, length)
        except ReadOnce as error:
            raise ReadOnce(error.message, hint=error.hint) from None

    def fingerprint(self) -> str | None:
        return None

    def close(self) -> None:
        """Forget the pipe; who opened it closes it."""
        self._tape = BlockTape(iter(()))


def _blocks(read: Callable[[int], bytes], name: str) -> Iterator[bytes]:
    try:
        while block := read(BLOCK):
            yield block
    except (OSError, ValueError) as error:
        raise ArchiveError(f"cannot be read: {error}", code="archive.io") from error
