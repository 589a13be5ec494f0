"""A real store for the tests: SQLite, a folder of blobs, a key, and hands that alter what lies there."""

from __future__ import annotations

import io
import os
import sqlite3
from pathlib import Path
from random import Random
from typing import Any

from cryoscope.checkpoint.archive import FileSource, TarWriter
from cryoscope.evidence import clock, keys
from cryoscope.evidence.blobs import open_blobs
from cryoscope.evidence.catalogue import open_catalogue
from cryoscope.evidence.custody import Witness
from cryoscope.evidence.forms import load_identities
from cryoscope.evidence.pieces import Facts
from cryoscope.evidence.records import Piece
from cryoscope.evidence.store import Store
from cryoscope.evidence.verify import Verified, verify_case

CASE = "night"
PAGES = "checkpoint/pages-1.img"
LATER = "2999-01-01T00:00:00.000000Z"


def archive(path: Path, *, seed: int = 1, pages: int = 3 << 20) -> Path:
    """A tar with a page image that does not compress, and small members around it."""
    random = Random(seed)
    buffer = io.BytesIO()
    with TarWriter(buffer) as tar:
        tar.add("config.dump", b'{"id": "%d"}' % seed)
        tar.add(PAGES, random.randbytes(pages))
        tar.add("checkpoint/core-1.img", random.randbytes(3000))
        tar.add("empty", b"")
    path.write_bytes(buffer.getvalue())
    return path


class Kept:
    """A store in a folder, and whoever can write to it."""

    def __init__(self, home: Path, *, recipients: tuple[str, ...] = (), new: bool = True) -> None:
        self.home = home
        self.signer = keys.signer(str(home / "keys" / "signing.pem"), store=str(home / "store"))
        self.trust = keys.trust([], own=self.signer)
        self.database = home / "store" / "catalogue.sqlite"
        self.database.parent.mkdir(parents=True, exist_ok=True)
        self.recipients = recipients
        if new:
            with self.store() as store:
                store.new_case(CASE)

    @classmethod
    def there(cls, home: Path) -> Kept:
        """A store that was made before."""
        return cls(home, new=False)

    def store(self) -> Store:
        return Store(
            open_catalogue(f"sqlite:///{self.database}"),
            open_blobs("", home=str(self.home / "store")),
            self.signer,
            self.trust,
            operator="ida",
            host="bench",
            clock=clock.now,
            recipients=self.recipients,
        )

    def add(self, path: Path, **options: Any) -> Piece:
        with self.store() as store, FileSource(path) as source:
            return store.add(CASE, source, Facts(name=path.name), **options).piece

    def verify(
        self,
        *,
        expect: Witness | None = None,
        now: str = LATER,
        identities: tuple[str, ...] = (),
        piece: str | None = None,
    ) -> Verified:
        with self.store() as store:
            return verify_case(
                CASE,
                store.catalogue,
                store.blobs,
                self.trust,
                identities=load_identities(identities),
                expect=expect,
                now=now,
                piece=piece,
            )

    # --- hands that alter --------------------------------------------------------------------
    def blob(self, key: str) -> Path:
        return self.home / "store" / "blobs" / key

    def manifest(self, piece: Piece) -> Path:
        return self.blob(f"manifests/{piece.manifest}.dsse.json")

    def sql(self, statement: str, *values: object) -> None:
        with sqlite3.connect(self.database) as connection:
            assert connection.execute(statement, values).rowcount > 0
        connection.close()


def flip(path: Path, offset: int, bit: int = 0) -> None:
    """Alter one bit of a file where it lies."""
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1 << bit]))
        os.fsync(file.fileno())


def codes(found: Verified) -> set[str]:
    return {problem.code for problem in found.problems}
