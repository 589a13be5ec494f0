"""Threads that take blocks in order: hashing, compressing and encrypting release the interpreter's lock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import Queue
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WAITING = 3
"""Blocks that wait for a thread: enough that neither side waits for the other's hiccups."""


class Stopped(Exception):
    """The work is given up."""


class Worker(Generic[Item, Result]):
    """A thread for `work`, which is given an iterator of what is `put` and whose value is the `result`.

    What it raises is raised by the next `put`, or by `result`.
    """

    def __init__(self, name: str, work: Callable[[Iterator[Item]], Result]) -> None:
        self._queue: Queue[Any] = Queue(WAITING)
        self._error: BaseException | None = None
        self._given_up = False
        self._ended = False
        self._drained = False
        self._result: list[Result] = []
        self._work = work
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hand over one item; waits while WAITING others do."""
        if self._error is not None:
            raise self._error
        self._queue.put((item,))

    def result(self) -> Result:
        """What the work came to, when all that was put is done."""
        self._end()
        if self._error is not None:
            raise self._error
        return self._result[0]

    def stop(self) -> None:
        """Give up: the work sees `Stopped` in its iterator.  Nothing is raised, and the thread has ended."""
        self._given_up = True
        self._end()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._result.append(self._work(self._items()))
        except BaseException as error:  # it is raised where the items come from
            self._error = error
        while not self._drained:
            self._next()

    def _items(self) -> Iterator[Item]:
        while (entry := self._next()) is not None:
            yield entry[0]

    def _next(self) -> tuple[Item] | None:
        entry: tuple[Item] | None = self._queue.get()
        self._drained = entry is None
        if self._given_up and self._error is None:
            self._error = Stopped()
            raise self._error
        return entry
