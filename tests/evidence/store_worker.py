"""What many processes do to one store: run as a program, which forks them and says how it went as JSON.

killing FOLDER CASE N SEED VERB   `case add`, `prune` or `export`, killed N times; what each had reported
adding FOLDER CASE N M            N processes add M archives each to one case, at once

The store is the one of the environment (CRYOSCOPE_SETTINGS, CRYOSCOPE_HOME).  Children are forks of a process
that has imported everything, so that a kill comes anywhere in the work and not in the imports.
"""

from __future__ import annotations

import io
import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import alembic.command
import psycopg
import pyrage

from cryoscope.checkpoint.archive import TarWriter
from cryoscope.evidence.catalogue import schema, sql
from cryoscope.evidence.ports import Filter
from cryoscope.workflows import case_export, case_verify, cases
from cryoscope.workflows.case_add import Adding, add
from cryoscope.workflows.store import store_for

IMPORTED = alembic.command, psycopg, pyrage, schema, sql, case_verify, cases
"""What the children would import themselves, each for a second."""
SIZE = 3 << 20
"""Bytes of an archive: a few blocks of everything."""


def archive(folder: str, seed: str) -> str:
    """A tar with bytes of its own."""
    data = random.Random(seed).randbytes(SIZE)
    path = os.path.join(folder, f"{seed}.tar")
    tar = io.BytesIO()
    with TarWriter(tar) as writer:
        writer.add("pages-1.img", data)
    Path(path).write_bytes(tar.getvalue())
    return path


def put(case: str, path: str) -> str:
    """Add it; the SHA-256 that was reported as kept."""
    answer = add(case, [path], Adding(as_is=True))
    for _, error in answer.failures:
        raise error
    sha256: str = answer.document.archives[0].piece.sha256
    return sha256


def killing(folder: str, case: str, count: str, seed: str, verb: str) -> list[list[str]]:
    """What each child had reported when it was killed."""
    chance = random.Random(seed)
    work = {"add": _add, "prune": _prune, "export": _export}[verb]
    reach = _time_of(folder, case, work)
    said = []
    for turn in range(int(count)):
        child, reader = fork(lambda say, turn=turn: work(folder, case, f"{seed}-{verb}-{turn}", say))  # type: ignore[misc]
        with os.fdopen(reader, "rb") as lines:
            lines.readline()
            time.sleep(chance.random() * reach)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            said.append([json.loads(line) for line in lines if line.endswith(b"\n")])
    return said


Say = Callable[[object], None]
Work = Callable[[str, str, str, Say], None]


def _time_of(folder: str, case: str, work: Work) -> float:
    """Seconds that one deed takes here, so that kills come anywhere in it and in the next ones."""
    seed = f"first-{work.__name__}"
    child, reader = fork(lambda say: work(folder, case, seed, lambda what: _once(say, what)))
    with os.fdopen(reader, "rb") as lines:
        lines.readline()
        started = time.monotonic()
        lines.readline()
        took = time.monotonic() - started
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return took * 1.3


def _once(say: Say, what: object) -> None:
    say(what)
    if what != "begun":
        time.sleep(60)


def _add(folder: str, case: str, seed: str, say: Say) -> None:
    paths = [archive(folder, f"{seed}-{number}") for number in range(2)]
    say("begun")
    for path in paths:
        say(put(case, path))
    time.sleep(60)


def _prune(folder: str, case: str, seed: str, say: Say) -> None:
    with store_for("prune", case) as store:
        store.finish()
        pieces = store.pieces(Filter(case=case, state="kept"))[-2:]
        say("begun")
        for piece in pieces:
            store.prune(piece, "the test says so")
            say(piece.sha256)
    time.sleep(60)


def _export(folder: str, case: str, seed: str, say: Say) -> None:
    say("begun")
    for number in range(2):
        place = os.path.join(folder, f"bundle-{seed}-{number}")
        case_export.export(case, case_export.Exporting(folder=place, plain=number == 1))
        say(place)
    time.sleep(60)


def adding(folder: str, case: str, count: str, each: str) -> list[list[object]]:
    """What each process was told of its own archives, and of those that all add: digests."""
    shared = [archive(folder, f"shared-{turn}") for turn in range(int(each))]
    children = [
        fork(lambda say, number=number: _many(folder, case, number, shared, say))  # type: ignore[misc]
        for number in range(int(count))
    ]
    said = []
    for child, reader in children:
        with os.fdopen(reader, "rb") as lines:
            said.append([json.loads(line) for line in lines])
        os.waitpid(child, 0)
    return said


def _many(folder: str, case: str, number: int, shared: list[str], say: Say) -> None:
    for turn, path in enumerate(shared):
        say(put(case, archive(folder, f"own-{number}-{turn}")))
        say(put(case, path))


def fork(task: Callable[[Say], None]) -> tuple[int, int]:
    """A child that does something, and what it says, line by line."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        return child, reader
    os.close(reader)
    try:
        task(lambda what: os.write(writer, json.dumps(what).encode() + b"\n"))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
