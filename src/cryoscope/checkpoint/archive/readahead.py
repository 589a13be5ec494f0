"""A slow source read as if it lay here: blocks that are kept, and more of them fetched ahead.

For sources whose every read is a request over a network.  A few bytes here and there cost a block each;
who reads on is given more and more ahead of it, by several requests at once, so that the way there and back
is waited for only at the start.  What is fetched ahead is never more than what was read in a row before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from cryoscope import limits
from cryoscope.checkpoint.archive.source import ByteSource

Coming = tuple[int, Future[bytes]]
"""A request under way: its first block, and its bytes when they are there."""


class Run:
    """Somebody who reads on: the next block, how many have been read in a row, how far it was fetched."""

    __slots__ = ("ahead", "next", "row")

    def __init__(self, following: int) -> None:
        self.next = following
        self.ahead = following
        self.row = 0


class ReadAhead:
    """A ByteSource over one that is slow to answer; `fetched` counts the bytes asked of it.

    Takes `block` bytes at least and `limits.REMOTE_REQUEST` at most in one request, keeps `memory` bytes.
    It owns the source.  What the source raises, the read that needed those bytes raises.
    """

    def __init__(
        self,
        source: ByteSource,
        *,
        block: int = limits.REMOTE_BLOCK,
        memory: int = limits.REMOTE_CACHE,
        workers: int = limits.REMOTE_REQUESTS,
    ) -> None:
        if source.size is None:
            raise ValueError("a source without a size")
        self.name = source.name
        self.size: int = source.size
        self.fetched = 0
        self._source = source
        self._block = block
        self._room = max(4, memory // block)
        self._most = max(1, limits.REMOTE_REQUEST // block)
        self._ahead = max(1, min(limits.REMOTE_AHEAD, memory // 2) // block)
        self._workers = workers
        self._pool: ThreadPoolExecutor | None = None
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._flying: dict[int, Coming] = {}
        self._runs: list[Run] = []
        self._lock = Lock()

    def read_at(self, offset: int, length: int) -> bytes:
        """Bytes from `offset`, fewer than `length` only at the end."""
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        step = self._most * self._block
        if end - offset <= step:
            return b"".join(self._piece(offset, end))
        found = bytearray()
        for start in range(offset, end, step):
            for part in self._piece(start, min(start + step, end)):
                found += part
        return bytes(found)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill a buffer from `offset`; returns the bytes read, fewer than it holds only at the end."""
        end = min(offset + len(buffer), self.size)
        done = 0
        step = self._most * self._block
        for start in range(offset, end, step):
            for part in self._piece(start, min(start + step, end)):
                buffer[done : done + len(part)] = part
                done += len(part)
        return done

    def fingerprint(self) -> str | None:
        return self._source.fingerprint()

    def close(self) -> None:
        """Let go of what is kept and close the source; requests under way end by themselves."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)  # what waits in it fails at once: the source is closed
        self._source.close()
        self._blocks.clear()

    # --- blocks ---------------------------------------------------------------------------
    def _piece(self, offset: int, end: int) -> Iterator[bytes | memoryview]:
        """The bytes from `offset` to `end`, block by block."""
        first, last = offset // self._block, (end - 1) // self._block
        for number, found in self._found(first, last):
            block = found if isinstance(found, bytes) else self._arrived(number, *found)
            low = max(0, offset - number * self._block)
            part = memoryview(block)[low : end - number * self._block]
            yield part
            if len(block) < min(self._block, self.size - number * self._block):
                return

    def _arrived(self, number: int, first: int, future: Future[bytes]) -> bytes:
        low = (number - first) * self._block
        return future.result()[low : low + self._block]

    def _found(self, first: int, last: int) -> list[tuple[int, bytes | Coming]]:
        """The blocks from `first` to `last`, or requests that bring them; more is asked for behind them."""
        with self._lock:
            mine = self._missing(first, last)
            found = [(number, self._held(number)) for number in range(first, last + 1)]
            for request in [*mine[1:], *self._missing(*self._beyond(first, last))]:
                self._threads().submit(self._fetch, *request)
        for request in mine[:1]:  # one request needs no other thread
            self._fetch(*request)
        return found

    def _held(self, number: int) -> bytes | Coming:
        if (coming := self._flying.get(number)) is not None:
            return coming
        self._blocks.move_to_end(number)
        return self._blocks[number]

    def _missing(self, first: int, last: int) -> list[tuple[int, int, Future[bytes]]]:
        """Requests (first block, last block, what it will be) for those that are neither here nor coming."""
        requests: list[tuple[int, int, Future[bytes]]] = []
        start = first
        while start <= last:
            if start in self._blocks or start in self._flying:
                start += 1
                continue
            stop = start
            while stop < last and stop - start + 1 < self._most and not self._known(stop + 1):
                stop += 1
            future: Future[bytes] = Future()
            self._flying.update(dict.fromkeys(range(start, stop + 1), (start, future)))
            requests.append((start, stop, future))
            start = stop + 1
        return requests

    def _known(self, number: int) -> bool:
        return number in self._blocks or number in self._flying

    def _fetch(self, first: int, last: int, future: Future[bytes]) -> None:
        """Get some blocks; whoever waits for them has them, or the error, when this returns."""
        offset = first * self._block
        length = min((last + 1) * self._block, self.size) - offset
        try:
            data = self._source.read_at(offset, length)
        except BaseException as error:
            self._landed(first, last, None)
            future.set_exception(error)
            return
        self._landed(first, last, data)
        future.set_result(data)

    def _landed(self, first: int, last: int, data: bytes | None) -> None:
        with self._lock:
            for number in range(first, last + 1):
                self._flying.pop(number, None)
                if data is not None:
                    low = (number - first) * self._block
                    self._blocks[number] = data[low : low + self._block]
            self.fetched += len(data or b"")
            while len(self._blocks) > self._room:
                self._blocks.popitem(last=False)

    # --- reading on -----------------------------------------------------------------------
    def _beyond(self, first: int, last: int) -> tuple[int, int]:
        """Which blocks to fetch behind these: as many as were read in a row, none for who jumps about."""
        run = self._run(first)
        run.row += max(0, last + 1 - max(run.next, first))
        run.next = max(run.next, last + 1)
        reach = min(run.row - 1, self._ahead)
        end = (self.size - 1) // self._block
        if reach < 1 or run.ahead - run.next > reach // 2:
            return 0, -1
        start = max(run.next, run.ahead)
        run.ahead = min(run.next + reach, end + 1)
        return start, run.ahead - 1

    def _run(self, first: int) -> Run:
        """Who reads on at this block; the one that has waited longest makes room for a new one."""
        for run in self._runs:
            if run.next - 1 <= first <= max(run.next, run.ahead):
                self._runs.remove(run)
                self._runs.append(run)
                return run
        run = Run(first)
        self._runs = [*self._runs[1 - limits.REMOTE_READERS :], run]
        return run

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._workers, "read-ahead")
        return self._pool
