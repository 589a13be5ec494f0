"""What an engine can save next to an archive, and the form that logs of Docker and Podman come in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

KINDS = ("image", "logs", "inspect", "events", "pod")
"""What may be asked for."""
HEADER = 8
STREAMS = (0, 1, 2)


class Beside(NamedTuple):
    """One file: its `kind` of `KINDS`, its name, its bytes as they come, and where they are from.

    Errors of the engine are raised by the bytes, so that one that cannot be had does not keep the others.
    """

    kind: str
    name: str
    blocks: Iterator[bytes]
    source: str


def unframed(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The payloads of a multiplexed log, in their order: a header of 8 bytes has stream and length of each.

    Defined in moby's api/swagger.yaml (ContainerAttach, "Stream format").  The log of a terminal has no
    headers, and comes through as it is.
    """
    left, head, plain = 0, b"", None
    for block in blocks:
        while block:
            if plain is None and len(head) + len(block) >= 4:
                first = (head + block)[:4]
                plain = first[0] not in STREAMS or first[1:] != b"\0\0\0"
                block, head = (head + block, b"") if plain else (block, head)
            if plain:
                yield block
                break
            if left:
                yield block[:left]
                left, block = max(0, left - len(block)), block[left:]
                continue
            taken = HEADER - len(head)
            head, block = head + block[:taken], block[taken:]
            if len(head) == HEADER:
                left, head = int.from_bytes(head[4:], "big"), b""
    if head and plain is None:
        yield head
