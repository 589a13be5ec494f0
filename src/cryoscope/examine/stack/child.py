"""A program that reads what a stranger wrote: bounded in time, memory and answer, without our environment.

It answers on a descriptor of its own, whose number is in its environment, so that whatever it prints
besides is no part of the answer.
"""

from __future__ import annotations

import os
import resource
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.errors import CryoscopeError

ANSWER = "CRYOSCOPE_ANSWER"
"""The variable with the number of the descriptor to answer on."""
PATH = "/usr/local/bin:/usr/bin:/bin"


def ask(argv: Sequence[str], folder: str, *, descriptors: Sequence[int] = (), seconds: float) -> Any:
    """The JSON value that a program answers; raises CryoscopeError if there is none that can be read.

    It runs in `folder` and inherits `descriptors`.
    """
    read, write = os.pipe()
    try:
        try:
            process = _start(argv, folder, [*descriptors, write], {ANSWER: str(write)})
        finally:
            os.close(write)
        try:
            data = _answer(read, time.monotonic() + seconds, argv[0])
        finally:
            code = _end(process)
    finally:
        os.close(read)
    try:
        return msgspec.json.decode(data)
    except msgspec.MsgspecError:
        raise _failed(argv[0], f"ended with code {code} and no answer") from None


def _start(
    argv: Sequence[str], folder: str, descriptors: Sequence[int], environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603  (our own words, no shell)
            argv,
            cwd=folder,
            env={"PATH": PATH, "HOME": folder, "TMPDIR": folder, "LC_ALL": "C.UTF-8"} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=descriptors,
            start_new_session=True,
            preexec_fn=_bound,
        )
    except OSError as error:
        raise _failed(argv[0], f"did not start: {error.strerror or error}") from None


def _bound() -> None:
    """In the child: no core of its own, no large files, and not more than this machine can bear."""
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, limits.STACK_ANSWER),
        (resource.RLIMIT_AS, limits.STACK_MEMORY),
    ):
        hard = resource.getrlimit(what)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))


def _answer(read: int, deadline: float, name: str) -> bytes:
    """Everything up to the end of the pipe."""
    found = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(read, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not selector.select(left):
                raise _failed(name, "took too long")
            data = os.read(read, 1 << 16)
            if not data:
                return bytes(found)
            found += data
            if len(found) > limits.STACK_ANSWER:
                raise _failed(name, "answered too much")


def _end(process: subprocess.Popen[bytes]) -> int:
    """Whatever is left of the program and of those that it started ends with it; its exit code."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(1)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def _failed(name: str, problem: str) -> CryoscopeError:
    return CryoscopeError(f"{os.path.basename(name)} {problem}", code="stack.program")
