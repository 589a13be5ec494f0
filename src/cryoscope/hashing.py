"""SHA-256 beside other work: hashlib lets other threads run, so that a digest costs no time of its own."""

from __future__ import annotations

import hashlib
import queue
import threading

AHEAD = 8
"""Blocks that may wait for the hashing: 8 MiB of memory, where blocks are of a MiB."""


class Sum:
    """The SHA-256 of blocks in a thread of its own, and how many bytes they were."""

    def __init__(self) -> None:
        self.size = 0
        self._sum = hashlib.sha256()
        self._blocks: queue.Queue[bytes | memoryview | None] = queue.Queue(AHEAD)
        self._thread = threading.Thread(target=self._run, name="sha256", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (block := self._blocks.get()) is not None:
            self._sum.update(block)

    def add(self, block: bytes | memoryview) -> None:
        """Count a block; it must not change any more."""
        self.size += len(block)
        self._blocks.put(block)

    def stop(self) -> None:
        """End the thread."""
        if self._thread.is_alive():
            self._blocks.put(None)
            self._thread.join()

    def hex(self) -> str:
        """The digest of all that was added; nothing can be added after it."""
        self.stop()
        return self._sum.hexdigest()
