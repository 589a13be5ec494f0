"""Several processes over one sequence of parts: each goes through all, and scans those that it claims.

They are forked, so that rules and archive need no second opening: both are only read from then on, with
pread(2), which keeps no position.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

from cryoscope.errors import CryoscopeError

Claim = Callable[[int], bool]
"""Whether the part with this number is ours."""

Work = Callable[[Claim], Iterator[Any]]
"""What one process does: yields what it has found, piece by piece."""


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


def spread(work: Work, count: int) -> Iterator[Any]:
    """What `count` processes yield, in no order; raises CryoscopeError if one of them dies."""
    context = multiprocessing.get_context("fork")
    taken = context.Value("q", 0)
    pipes: list[Connection] = []
    children = []
    try:
        for _ in range(count):
            ours, theirs = context.Pipe(duplex=False)
            child = context.Process(target=_run, args=(work, taken, theirs), daemon=True)
            child.start()
            theirs.close()
            pipes.append(ours)
            children.append(child)
        yield from _collect(pipes)
    finally:
        for child in children:
            child.kill()
            child.join()


def _collect(pipes: list[Connection]) -> Iterator[Any]:
    while pipes:
        for pipe in [ready for ready in wait(pipes) if isinstance(ready, Connection)]:
            try:
                found, error, done = pipe.recv()
            except EOFError:
                raise CryoscopeError(
                    "a process that scanned has died", hint="is there enough memory?", code="yara.died"
                ) from None
            if error is not None:
                raise error
            if done:
                pipes.remove(pipe)
            else:
                yield found


def _run(work: Work, taken: Any, pipe: Connection) -> None:
    """In the child: numbers are claimed one after the other, and come by in rising order."""
    mine = -1

    def claim(number: int) -> bool:
        nonlocal mine
        if mine < number:
            with taken.get_lock():
                mine = taken.value
                taken.value += 1
        return mine == number

    try:
        for found in work(claim):
            pipe.send((found, None, False))
        pipe.send((None, None, True))
    except KeyboardInterrupt:
        os._exit(1)
    except CryoscopeError as error:
        pipe.send((None, CryoscopeError(error.message, hint=error.hint, code=error.code), True))
    except Exception as error:
        pipe.send((None, RuntimeError(f"{type(error).__name__}: {error}"), True))
