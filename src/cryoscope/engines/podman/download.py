"""A long answer as fast as the service sends it.

A thread reads ahead, so that the service need not wait while a block is hashed and written.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator

BLOCK = 1 << 20
WAITING = 4
"""Blocks that are read ahead."""
PATIENCE = 0.2
"""Seconds after which the thread looks whether anybody still wants its blocks."""
Item = bytes | BaseException


@contextlib.contextmanager
def ahead(read: Callable[[int], bytes]) -> Iterator[Iterator[bytes]]:
    """Blocks that a thread reads until there are no more; its error is raised where the blocks are taken."""
    blocks: queue.Queue[Item] = queue.Queue(WAITING)
    stop = threading.Event()
    thread = threading.Thread(target=_read, args=(read, blocks, stop), name="read-ahead", daemon=True)
    thread.start()
    try:
        yield _taken(blocks)
    finally:
        stop.set()
        thread.join(PATIENCE * 2)


def _read(read: Callable[[int], bytes], blocks: queue.Queue[Item], stop: threading.Event) -> None:
    item: Item = b"first"
    while item and not isinstance(item, BaseException):
        try:
            item = read(BLOCK)
        except Exception as error:
            item = error
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                blocks.put(item, timeout=PATIENCE)
                break
        if stop.is_set():
            return


def _taken(blocks: queue.Queue[Item]) -> Iterator[bytes]:
    while item := blocks.get():
        if isinstance(item, BaseException):
            raise item
        yield item
