"""Several engines' tasks at the same time: all that began is waited for, and all of it is told.

Captures and restores cannot be taken back half-way: an interrupt keeps what has not begun from beginning, and
what an engine is doing already is finished and reported, so that nothing goes on unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import TypeVar

from cryoscope.engines.port import PreflightRefused
from cryoscope.errors import CryoscopeError, Incomplete, Refused
from cryoscope.workflows.examine import Failure

T = TypeVar("T")

AT_ONCE = 16
"""Tasks that run at the same time: more only wait for the disk."""


def together(tasks: Sequence[tuple[str, Callable[[], T]]]) -> tuple[list[T], list[Failure]]:
    """What named tasks gave, and what kept the others; an interrupt is one of the failures (exit code 5).

    A second interrupt raises `KeyboardInterrupt`.
    """
    found: list[T] = []
    failures: list[Failure] = []
    stopped = False
    with ThreadPoolExecutor(min(len(tasks), AT_ONCE)) as pool:
        waiting = [(name, pool.submit(task)) for name, task in tasks]
        for name, future in waiting:
            try:
                stopped |= _finished(future, [each for _, each in waiting], stopped=stopped)
                found.append(future.result())
            except CancelledError:
                failures.append((name, Incomplete("interrupted before it began")))
            except CryoscopeError as error:
                failures += [(name, each) for each in reasons(error)]
    if stopped and not failures:
        failures.append((tasks[-1][0], Incomplete("interrupted, and finished all the same")))
    return found, failures


def _finished(future: Future[T], every: Sequence[Future[T]], *, stopped: bool) -> bool:
    """Wait for a task; whether an interrupt came, after which no other task begins."""
    try:
        future.exception()
    except CancelledError:
        return stopped
    except KeyboardInterrupt:
        if stopped:
            raise
        for each in every:
            each.cancel()
        return _finished(future, every, stopped=True)
    return stopped


def reasons(error: CryoscopeError) -> list[CryoscopeError]:
    """An error, or each reason of a refusal as one of its own."""
    if not isinstance(error, PreflightRefused):
        return [error]
    return [Refused(each.what, hint=each.cure, code=each.code) for each in error.concerns]
