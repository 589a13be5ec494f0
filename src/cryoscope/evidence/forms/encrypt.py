"""Encryption for recipients, as age does it (age-encryption.org/v1), while the bytes go by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from cryoscope import needs

BLOCK = 1 << 20

Block = bytes | memoryview


def encrypt(write: Callable[[bytes], object], recipients: Sequence[str], blocks: Iterator[Block]) -> None:
    """Encrypt blocks to recipients (`age1…`, checked before); `write` gets pieces of about a MiB.

    What reading or writing raises is raised.
    """
    pyrage = needs.module("pyrage")
    keys = [pyrage.x25519.Recipient.from_str(recipient) for recipient in recipients]
    reader, writer = _Reader(blocks), _Writer(write)
    try:
        pyrage.encrypt_io(reader, writer, keys)
        writer.finish()
    except BaseException as error:
        raise reader.error or writer.error or error from None


class _Reader:
    """Blocks as a file that is read in small pieces."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        self._blocks = iter(blocks)
        self._view = memoryview(b"")
        self.error: BaseException | None = None

    def read(self, length: int = -1) -> bytes:
        while not self._view:
            try:
                self._view = memoryview(next(self._blocks))
            except StopIteration:
                return b""
            except BaseException as error:
                self.error = error
                raise
        part, self._view = self._view[:length], self._view[length:]
        return bytes(part)


class _Writer:
    """A file that gives on what is written to it in larger pieces."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._parts: list[bytes] = []
        self._held = 0
        self.error: BaseException | None = None

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        self._held += len(data)
        if self._held >= BLOCK:
            self.finish()
        return len(data)

    def flush(self) -> None:
        """Nothing: pieces are given on when they are large enough."""

    def finish(self) -> None:
        parts, self._parts, self._held = self._parts, [], 0
        try:
            if parts:
                self._write(b"".join(parts))
        except BaseException as error:
            self.error = error
            raise
