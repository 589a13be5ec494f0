"""Several tasks at once: what began is told, whatever becomes of the others."""

from __future__ import annotations

import os
import signal
import threading
import time

from cryoscope.engines.port import HARD, Concern, PreflightRefused
from cryoscope.errors import CryoscopeError, Incomplete
from cryoscope.workflows.together import AT_ONCE, together


def fail(error: CryoscopeError) -> int:
    raise error


def test_each_gives_its_own_and_a_refusal_each_of_its_reasons() -> None:
    refused = PreflightRefused([Concern(code=f"a.{i}", weight=HARD, what=f"{i}", cure="c") for i in range(3)])
    done, failures = together(
        [
            ("one", lambda: 1),
            ("two", lambda: fail(CryoscopeError("no", code="x"))),
            ("three", lambda: fail(refused)),
            ("four", lambda: 4),
        ]
    )
    assert done == [1, 4]
    assert [(name, error.code, error.exit_code) for name, error in failures] == [
        ("two", "x", 1),
        *(("three", f"a.{i}", 4) for i in range(3)),
    ]


def test_an_interrupt_finishes_what_began_and_begins_nothing_more() -> None:
    began: list[int] = []

    def task(number: int) -> int:
        began.append(number)
        time.sleep(0.6)
        return number

    threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()
    tasks = [(str(i), lambda i=i: task(i)) for i in range(AT_ONCE + 4)]
    done, failures = together(tasks)  # type: ignore[arg-type]
    assert sorted(done) == sorted(began) == [*range(AT_ONCE)]
    assert len(failures) == 4
    assert all(isinstance(error, Incomplete) for _, error in failures)


def test_an_interrupt_of_the_last_is_told_too() -> None:
    threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()
    done, failures = together([("x", lambda: time.sleep(0.5))])
    assert done == [None]
    assert [error.exit_code for _, error in failures] == [5]
