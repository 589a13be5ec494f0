"""What many processes do to one catalogue: run as a program, which forks them and says how it went as JSON.

opening URL N            N processes open a catalogue that is not there yet, at once
making URL CASE N        N processes make one case at once
appending URL CASE N M   N processes append M entries each
killing URL CASE N SEED  a process appends until it is killed, N times
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from typing import BinaryIO

import alembic.command
import psycopg

from cryoscope.errors import CryoscopeError
from cryoscope.evidence.catalogue import open_catalogue, schema, sql
from tests.evidence.catalogue_samples import piece, sign, sign_add

Say = Callable[[object], None]
IMPORTED = alembic.command, psycopg, schema, sql
"""What the children would import themselves, each for a second."""


def opening(url: str, count: str) -> list[list[object]]:
    def one(number: int, say: Say) -> None:
        catalogue = open_catalogue(url)
        catalogue.append(f"case-{number}", sign("new"))
        say(sorted(case.name for case in catalogue.cases())[:1])

    return _together(int(count), one)


def making(url: str, case: str, count: str) -> list[list[object]]:
    def one(number: int, say: Say) -> None:
        try:
            open_catalogue(url).append(case, sign("new", operator=f"operator-{number}"))
            say("made")
        except CryoscopeError as error:
            say(error.code)

    return _together(int(count), one)


def appending(url: str, case: str, count: str, each: str) -> list[list[object]]:
    def one(number: int, say: Say) -> None:
        catalogue = open_catalogue(url)
        for turn in range(int(each)):
            say(catalogue.append(case, sign_add(piece(1 + turn * int(count) + number, case))).number)

    return _together(int(count), one)


def killing(url: str, case: str, count: str, seed: str) -> list[list[object]]:
    """The numbers that each of the killed said were appended."""
    chance = random.Random(seed)

    def one(turn: int, say: Say) -> None:
        catalogue = open_catalogue(url)
        start = catalogue.head(case).number
        say(start)
        for number in range(start, start + 100_000):
            say(catalogue.append(case, _deed(case, number)).number)

    said: list[list[object]] = []
    for turn in range(int(count)):
        child, reader = _fork(lambda say, turn=turn: one(turn, say))  # type: ignore[misc]
        lines = [reader.readline() for _ in range(chance.randint(2, 6))]
        time.sleep(chance.random() * 0.02)  # anywhere in an append
        os.kill(child, signal.SIGKILL)
        said.append(_read([*lines, *reader]))
        os.waitpid(child, 0)
    return said


def _deed(case: str, number: int) -> Callable[..., object]:
    """Add a piece, prune it, and then say that it is gone: in turn, by the number of the entry before."""
    turn, step = divmod(number - 1, 3)
    if step == 0:
        return sign_add(piece(turn, case))
    return sign("prune" if step == 1 else "pruned", piece(turn, case).sha256)


def _together(count: int, task: Callable[[int, Say], None]) -> list[list[object]]:
    """Forked children that begin in the same moment, each with the JSON lines that it said."""
    wait, begin = os.pipe()
    children = []
    for number in range(count):

        def run(say: Say, number: int = number) -> None:
            os.close(begin)
            os.read(wait, 1)
            task(number, say)

        children.append(_fork(run))
    os.close(begin)
    said = [_read(reader) for _, reader in children]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child, _ in children]
    if any(codes):
        sys.exit(f"children ended with {codes}")
    return said


def _fork(task: Callable[[Say], None]) -> tuple[int, BinaryIO]:
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        return child, os.fdopen(reader, "rb")
    os.close(reader)
    code = 1
    try:
        task(lambda what: os.write(writer, json.dumps(what).encode() + b"\n"))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _read(lines: Iterable[bytes]) -> list[object]:
    return [json.loads(line) for line in lines if line.endswith(b"\n")]


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
