"""Entries and pieces for tests of the catalogue, chained and signed with a word; what is asked of them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from cryoscope.errors import CryoscopeError
from cryoscope.evidence.catalogue import projection
from cryoscope.evidence.catalogue.sql import SqlCatalogue
from cryoscope.evidence.ports import Sign
from cryoscope.evidence.records import Entry, Head, Piece, SignedEntry, Stored, canonical


def digest(text: object) -> str:
    return hashlib.sha256(str(text).encode()).hexdigest()


def moment(number: int) -> str:
    """A time that is later the larger the number is."""
    return f"2026-11-22T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.{number:06}Z"


def piece(number: int, case: str = "c", **fields: Any) -> Piece:
    """One piece of many."""
    sha256 = digest(f"{case}/{number}")
    known: dict[str, Any] = {
        "case": case,
        "sha256": sha256,
        "name": f"checkpoint-{number}.tar",
        "size": 1000 + number,
        "format": "plain",
        "added": moment(number),
        "operator": "alice",
        "manifest": digest(f"manifest {sha256}"),
        "stored": Stored(key=f"data/{sha256}", size=100 + number, sha256=digest(f"stored {sha256}")),
    }
    return Piece(**known | fields)


def signed(entry: Entry) -> SignedEntry:
    body = canonical(entry)
    return SignedEntry(
        body=body, hash=hashlib.sha256(body).hexdigest(), key_id="k" * 64, signature="signature"
    )


def entry(
    head: Head, action: str, piece: str | None = None, details: dict[str, Any] | None = None, **fields: Any
) -> Entry:
    """The entry behind a head."""
    known: dict[str, Any] = {
        "case": head.case,
        "number": head.number + 1,
        "time": moment(head.number + 1),
        "action": action,
        "operator": "alice",
        "host": "node-1",
        "piece": piece,
        "details": details or {},
        "previous": head.hash,
    }
    return Entry(**known | fields)


def sign(action: str, piece: str | None = None, **options: Any) -> Sign:
    """What `append` wants: the next entry with that action."""
    return lambda head: signed(entry(head, action, piece, **options))


def sign_add(added: Piece, action: str = "add") -> Sign:
    return sign(action, added.sha256, details={"piece": msgspec.to_builtins(added)})


def new(catalogue: SqlCatalogue, case: str = "c") -> None:
    catalogue.append(case, sign("new", details={"description": f"what happened in {case}"}))


def add(catalogue: SqlCatalogue, *pieces: Piece) -> None:
    for one in pieces:
        catalogue.append(one.case, sign_add(one))


def problems_of_chain(entries: list[SignedEntry]) -> list[str]:
    """What is wrong with a log: the hash of an entry, its number or what it says of the one before."""
    found, before = [], Head(case="")
    for number, one in enumerate(entries, 1):
        said = msgspec.json.decode(one.body, type=Entry)
        if one.hash != hashlib.sha256(one.body).hexdigest():
            found.append(f"{number}: hash")
        if (said.number, said.previous) != (number, before.hash):
            found.append(f"{number}: not behind {before.number}")
        before = Head(case=said.case, number=number, hash=one.hash)
    return found


def execute(catalogue: SqlCatalogue, text: str, **values: Any) -> None:
    """Edit the database, as somebody might who has it."""
    with catalogue._database.writing() as connection:
        connection.execute(sa.text(text), values)


def code(action: Any) -> str:
    """The code of the error that an action must raise."""
    with pytest.raises(CryoscopeError) as caught:
        action()
    return caught.value.code


def many(*arguments: object) -> list[list[Any]]:
    """Let many processes do something (catalogue_worker.py)."""
    command = [sys.executable, "-m", "tests.evidence.catalogue_worker", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    said: list[list[Any]] = json.loads(done.stdout)
    return said


def whole(catalogue: SqlCatalogue, case: str) -> int:
    """Hold a case's rows against its log, and that against its chain; the number of entries."""
    entries = list(catalogue.entries(case))
    assert problems_of_chain(entries) == []
    assert catalogue.snapshot(case) == projection.replay(entries)
    assert catalogue.head(case).number == catalogue.case(case).head == len(entries)
    return len(entries)
