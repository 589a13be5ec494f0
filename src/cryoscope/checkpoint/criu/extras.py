"""The raw bytes behind an entry: one codec a payload, each from bytes, to JSON and back to bytes.

Defined by CRIU where it dumps them: pipes.c, sk-queue.c, sk-tcp.c, ipc_ns.c, files-reg.c (ghosts),
bpfmap.c; the JSON is crit's (lib/pycriu/images/images.py).
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any, NamedTuple

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.criu.encoding import from_base64, to_base64
from cryoscope.checkpoint.criu.messages import decode, encode, message_class

U32 = Struct("<I")


class ShortError(Exception):
    """The image ends, or its limit is reached, before the bytes that an entry promises."""


class TcpQueues(msgspec.Struct, frozen=True):
    """What a connection received but nobody read (`inq`), and what is not acknowledged (`outq`)."""

    inq: bytes
    outq: bytes


class QueuedMessage(msgspec.Struct, frozen=True):
    """One message of a System V queue: its type (msgrcv's number) and its bytes."""

    mtype: int
    data: bytes


class Codec(NamedTuple):
    """`read(message, data, at)` gives the value and where it ends; `show` its JSON (None: no key);
    `write(message, json)` the bytes.  `exact`: any bytes that `read` takes, `write` gives back."""

    read: Callable[[Any, bytes | memoryview, int], tuple[Any, int]]
    show: Callable[[Any], Any]
    write: Callable[[Any, Any], bytes]
    exact: bool = True


def take(data: bytes | memoryview, at: int, size: int) -> bytes:
    """`size` bytes at `at`; raises ShortError if they are not all there or more than limits.EXTRA."""
    if size > limits.EXTRA or at + size > len(data):
        raise ShortError(f"{size} bytes promised, {len(data) - at} left")
    return bytes(data[at : at + size])


def padding(size: int, to: int) -> int:
    return -size % to


def _sized(length: Callable[[Any], int]) -> Codec:
    """Bytes, as many as the message says."""

    def read(message: Any, data: bytes | memoryview, at: int) -> tuple[bytes, int]:
        size = length(message)
        return take(data, at, size), at + size

    def write(message: Any, shown: Any) -> bytes:
        data = from_base64(shown)
        _expect(len(data), length(message), "bytes of extra")
        return data

    return Codec(read, to_base64, write)


def _expect(found: int, promised: int, what: str) -> None:
    if found != promised:
        raise ValueError(f"{found} {what}, but the entry promises {promised}")


# --- TCP queues -----------------------------------------------------------------------------
def _read_tcp(message: Any, data: bytes | memoryview, at: int) -> tuple[TcpQueues, int]:
    inq = take(data, at, message.inq_len)
    at += len(inq)
    outq = take(data, at, message.outq_len)
    return TcpQueues(inq, outq), at + len(outq)


def _show_tcp(queues: TcpQueues) -> dict[str, str]:
    return {"inq": to_base64(queues.inq), "outq": to_base64(queues.outq)}


def _write_tcp(message: Any, shown: Any) -> bytes:
    if not isinstance(shown, dict) or set(shown) != {"inq", "outq"}:
        raise ValueError("extra must be an object with inq and outq")
    inq, outq = from_base64(shown["inq"]), from_base64(shown["outq"])
    _expect(len(inq), message.inq_len, "bytes of inq")
    _expect(len(outq), message.outq_len, "bytes of outq")
    return inq + outq


# --- System V -------------------------------------------------------------------------------
def _read_semaphores(message: Any, data: bytes | memoryview, at: int) -> tuple[list[int], int]:
    size = 2 * message.nsems
    values = memoryview(take(data, at, size + padding(size, 8)))[:size]
    return [int.from_bytes(values[i : i + 2], "little") for i in range(0, size, 2)], at + size + padding(
        size, 8
    )


def _write_semaphores(message: Any, shown: Any) -> bytes:
    if not isinstance(shown, list):
        raise ValueError("extra must be a list of semaphores")
    _expect(len(shown), message.nsems, "semaphores")
    try:
        data = b"".join(value.to_bytes(2, "little") for value in shown)
    except (AttributeError, OverflowError, TypeError):
        raise ValueError("a semaphore is a number from 0 to 65535") from None
    return data + bytes(padding(len(data), 8))


def _read_messages(message: Any, data: bytes | memoryview, at: int) -> tuple[list[QueuedMessage], int]:
    if message.qnum > limits.ENTRIES:
        raise ShortError(f"{message.qnum} messages promised")
    queue = []
    for _ in range(message.qnum):
        size = U32.unpack(take(data, at, 4))[0]
        head = decode("ipc_msg", take(data, at + 4, size))
        at += 4 + size
        text = take(data, at, head.msize)
        at += head.msize + padding(head.msize, 8)
        if at > len(data):
            raise ShortError("padding of a message is missing")
        queue.append(QueuedMessage(head.mtype, text))
    return queue, at


def _show_messages(queue: list[QueuedMessage]) -> list[Any]:
    shown: list[Any] = []
    for message in queue:
        shown += [{"mtype": message.mtype, "msize": len(message.data)}, to_base64(message.data)]
    return shown


def _write_messages(message: Any, shown: Any) -> bytes:
    if not isinstance(shown, list):
        raise ValueError("extra must be a list: a message's head, its bytes, and so on")
    _expect(len(shown), 2 * message.qnum, "items of extra (two a message)")
    return b"".join(map(_write_message, shown[::2], shown[1::2]))


def _write_message(head: Any, text: Any) -> bytes:
    if not isinstance(head, dict) or set(head) != {"mtype", "msize"}:
        raise ValueError("a message's head has mtype and msize")
    data = from_base64(text)
    try:
        body = encode(message_class("ipc_msg")(**head))
    except TypeError:
        raise ValueError("mtype and msize are numbers") from None
    _expect(len(data), head["msize"], "bytes of a message")
    return U32.pack(len(body)) + body + data + bytes(padding(len(data), 8))


def _read_segment(message: Any, data: bytes | memoryview, at: int) -> tuple[bytes | None, int]:
    if message.in_pagemaps:
        return None, at
    size = message.size
    return take(data, at, size + padding(size, 4))[:size], at + size + padding(size, 4)


def _show_segment(content: bytes | None) -> str:
    return to_base64(content or b"")


def _write_segment(message: Any, shown: Any) -> bytes:
    data = from_base64(shown)
    if message.in_pagemaps:
        _expect(len(data), 0, "bytes of extra (they lie in a pagemap; crit loses the next segment here)")
        return b""
    _expect(len(data), message.size, "bytes of the segment")
    return data + bytes(padding(len(data), 4))


# --- ghost files ----------------------------------------------------------------------------
def _ghost_size(message: Any, left: int) -> int | None:
    """Bytes behind a ghost's entry: a chunk's length; all that is left; None: nothing of its own."""
    if message.DESCRIPTOR.name == "ghost_chunk_entry":
        return int(message.len)
    return None if message.chunks else left


def _read_ghost(message: Any, data: bytes | memoryview, at: int) -> tuple[bytes | None, int]:
    size = _ghost_size(message, len(data) - at)
    return (None, at) if size is None else (take(data, at, size), at + size)


def _show_ghost(content: bytes | None) -> str | None:
    return None if content is None else to_base64(content)


def _write_ghost(message: Any, shown: Any) -> bytes:
    if shown is None:
        return b""
    data = from_base64(shown)
    _expect(len(data), _ghost_size(message, len(data)) or 0, "bytes of extra")
    return data


EXTRAS: dict[str, Codec] = {
    "pipe": _sized(lambda message: int(message.bytes)),
    "packet": _sized(lambda message: int(message.length)),
    "bpfmap": _sized(lambda message: int(message.keys_bytes + message.values_bytes)),
    "tcp": Codec(_read_tcp, _show_tcp, _write_tcp),
    "semaphores": Codec(_read_semaphores, list, _write_semaphores, exact=False),
    "messages": Codec(_read_messages, _show_messages, _write_messages, exact=False),
    "shm": Codec(_read_segment, _show_segment, _write_segment, exact=False),
    "ghost": Codec(_read_ghost, _show_ghost, _write_ghost),
}
