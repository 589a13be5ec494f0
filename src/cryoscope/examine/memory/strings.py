"""Strings in the memory of processes, each with its address."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from cryoscope.examine.memory.batches import Batch
from cryoscope.examine.memory.runs import Runs, ascii_runs, utf16_runs

T = TypeVar("T")
R = TypeVar("R")

FINDERS: dict[str, Callable[[bytes | memoryview, int], Runs | None]] = {
    "ascii": ascii_runs,
    "utf-16": utf16_runs,
}
"""The encodings, by the names that `--encoding` takes."""


class Found(NamedTuple):
    """The strings of one encoding in a batch: `segment` is the index of the one each begins in."""

    batch: Batch
    encoding: str
    runs: Runs
    segment: NDArray[np.int64]
    address: NDArray[np.uint64]


def find(batch: Batch, encodings: Sequence[str], minimum: int) -> list[Found]:
    """The strings of at least `minimum` characters, by encoding; encodings without any are left out."""
    found = [(name, FINDERS[name](batch.data, minimum)) for name in encodings]
    return [_placed(batch, name, runs) for name, runs in found if runs is not None]


def _placed(batch: Batch, encoding: str, runs: Runs) -> Found:
    at = np.array([segment.at for segment in batch.segments], np.int64)
    base = np.array([segment.address for segment in batch.segments], np.uint64)
    segment = np.searchsorted(at, runs.starts, "right") - 1
    address = base[segment] + (runs.starts - at[segment]).astype(np.uint64)
    return Found(batch, encoding, runs, segment, address)


def in_order(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`work` done to each item by threads, a few ahead: numpy leaves the interpreter to others."""
    workers = min(4, os.cpu_count() or 1)
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
