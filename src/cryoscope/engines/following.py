"""Reading a file while another process writes it from its start to its end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self

BLOCK = 1 << 20


class Follower(threading.Thread):
    """Gives what is written to `take`; a context manager that starts it, and ends it in vain or not.

    `begin` opens the file for reading (a descriptor) or gives None where there is none; it is given the event
    that says that the writer is done.  `look` is in seconds, between two looks for more.  `head` is the first
    block, empty as long as there is none.
    """

    def __init__(
        self, begin: Callable[[threading.Event], int | None], take: Callable[[bytes], None], *, look: float
    ) -> None:
        super().__init__(name="following", daemon=True)
        self.head = b""
        self._begin, self._take, self._look = begin, take, look
        self._over, self._in_vain = threading.Event(), threading.Event()
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._in_vain.set()
        self._over.set()
        self.join()

    def finish(self) -> bytes:
        """Take the rest, when the writer is done; the head.  Raises what reading or taking raised."""
        self._over.set()
        self.join()
        if self._error is not None:
            raise self._error
        return self.head

    def run(self) -> None:
        try:
            descriptor = self._begin(self._over)
            if descriptor is not None:
                with open(descriptor, "rb", buffering=0) as file:
                    self._read(file.read)
        except BaseException as error:  # it belongs to whoever waits in `finish`
            self._error = error

    def _read(self, read: Callable[[int], bytes | None]) -> None:
        while not self._in_vain.is_set():
            last = self._over.is_set()
            while (block := read(BLOCK)) and not self._in_vain.is_set():
                self.head = self.head or block
                self._take(block)
            if last:
                return
            self._over.wait(self._look)
