"""A catalogue with many pieces: `python -m bench.catalogue [URL] [--pieces N] [--runs N]`.

Without a URL (an empty database: `sqlite:///PATH` or `postgresql://...`) a new SQLite file is measured.  The
pieces are of 200 containers in 20 namespaces and ten cases; a thousandth is on hold.  Rows and log are
written at once and then held against each other; what is measured afterwards are single questions and
single appends, each durable when it returns.  Figures are medians of wall and processor time.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import msgspec

from cryoscope.evidence.catalogue import open_catalogue, projection
from cryoscope.evidence.catalogue.sql import SqlCatalogue
from cryoscope.evidence.ports import Filter, Sign
from cryoscope.evidence.records import KEPT, Entry, Head, Piece, SignedEntry, Stored, canonical

TARGET = 1.0
CASES, CONTAINERS, NAMESPACES = 10, 200, 20
BATCH = 5000


def digest(text: object) -> str:
    return hashlib.sha256(str(text).encode()).hexdigest()


def piece(number: int) -> Piece:
    """One of many: every field is known, as after a capture."""
    sha256, container = digest(number), number % CONTAINERS
    added = f"2026-{1 + number // 28 % 12:02}-{1 + number % 28:02}T12:00:00.{number % 1_000_000:06}Z"
    return Piece(
        case=f"case-{number % CASES}",
        sha256=sha256,
        name=f"checkpoint-web-{container}_shop-app-{number}.tar",
        size=1 << 30,
        format="plain",
        added=added,
        captured=added,
        operator="alice",
        engine="containerd",
        container=f"app-{container}",
        container_id=sha256,
        pod=f"web-{container}",
        namespace=f"shop-{container % NAMESPACES}",
        node=f"node-{number % 7}",
        image=f"registry.example/shop/app:{container}@sha256:{digest(container)}",
        manifest=digest(sha256),
        stored=Stored(
            key=f"cases/x/{sha256}.tar.zst.age",
            size=1 << 28,
            sha256=digest(sha256 + "stored"),
            forms=["zstd-frames", "age"],
            recipients=["age1" + "q" * 58],
        ),
    )


def entry(head: Head, action: str, of: Piece | None = None, *, added: bool = False) -> SignedEntry:
    """The entry behind a head, with a signature's length of letters."""
    details = {"piece": msgspec.to_builtins(of)} if of and added else {}
    said = Entry(
        case=head.case,
        number=head.number + 1,
        time=of.added if of else "2026-01-01T00:00:00.000000Z",
        action=action,
        operator="alice",
        host="node-1",
        piece=of.sha256 if of else None,
        details=details,
        previous=head.hash,
    )
    body = canonical(said)
    return SignedEntry(body=body, hash=hashlib.sha256(body).hexdigest(), key_id="0" * 64, signature="A" * 88)


def adding(of: Piece) -> Sign:
    return lambda head: entry(head, "add", of, added=True)


def fill(catalogue: SqlCatalogue, count: int) -> None:
    """Logs and rows of `count` pieces, in one transaction."""
    from cryoscope.evidence.catalogue.tables import CASES, ENTRIES, PIECES

    pieces: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    heads: dict[str, Head] = {}
    for number in range(count):
        of = piece(number)
        head = heads.get(of.case) or Head(case=of.case)
        deeds: list[tuple[str, Piece | None]] = [] if head.number else [("new", None)]
        deeds += [("add", of)] + [("hold", of)] * (number % 1000 == 0)
        for action, about in deeds:
            signed = entry(head, action, about, added=action == "add")
            head = Head(case=of.case, number=head.number + 1, hash=signed.hash)
            entries.append(msgspec.structs.asdict(signed) | {"case": of.case, "number": head.number})
        heads[of.case] = head
    replayed = [projection.replay(logs) for logs in _logs(entries)]
    for _, found in replayed:
        pieces += map(_row, found.values())
    with catalogue._database.writing() as connection:  # noqa: SLF001 (one append at a time would take an hour)
        for table, rows in (
            (CASES, [msgspec.structs.asdict(case) for case, _ in replayed]),
            (ENTRIES, entries),
        ):
            _insert(connection, table, rows)
        _insert(connection, PIECES, sorted(pieces, key=lambda row: str(row["added"])))


def _row(of: Piece) -> dict[str, Any]:
    return msgspec.structs.asdict(of) | {"stored": msgspec.json.encode(of.stored).decode()}


def _logs(entries: list[dict[str, Any]]) -> Iterator[list[SignedEntry]]:
    """The entries of each case."""
    names = SignedEntry.__struct_fields__
    for case in sorted({str(row["case"]) for row in entries}):
        yield [SignedEntry(**{name: row[name] for name in names}) for row in entries if row["case"] == case]


def _insert(connection: Any, table: Any, rows: list[dict[str, Any]]) -> None:
    left = iter(rows)
    while batch := [*islice(left, BATCH)]:
        connection.execute(table.insert(), batch)


def questions(catalogue: SqlCatalogue, count: int) -> dict[str, Callable[[], int]]:
    """What is measured: each says how many it found."""
    some = piece(count // 2 + 1)
    asked = {
        "list all": Filter(),
        "list one case": Filter(case="case-3"),
        "the newest 100": Filter(limit=100),
        "filter: container": Filter(container=some.container),
        "filter: namespace, case": Filter(namespace=some.namespace, case=some.case),
        "filter: node (no index)": Filter(node="node-3", limit=100),
        "filter: held": Filter(held=True),
        "filter: a month": Filter(added_from="2026-03", added_to="2026-04"),
    }
    found: dict[str, Callable[[], int]] = {
        name: functools.partial(_count, catalogue, wanted) for name, wanted in asked.items()
    }
    found["cases"] = lambda: len(catalogue.cases())
    found["one by its first digits"] = lambda: int(catalogue.piece(some.case, some.sha256[:12]) == some)
    found["head"] = lambda: catalogue.head("case-3").number
    found["prune plan: all, by age and size"] = lambda: len(plan(catalogue))
    return found


def _count(catalogue: SqlCatalogue, wanted: Filter) -> int:
    return len(catalogue.pieces(wanted))


def plan(catalogue: SqlCatalogue) -> list[Any]:
    """What two rules would take of everything that is kept."""
    from cryoscope.evidence.retention import Rule, plan

    kept = catalogue.pieces(Filter(state=KEPT))
    rules = [Rule(per="container", count=100), Rule(per="all", size=1 << 43)]
    return [*plan(kept, rules, "2026-12-01T00:00:00.000000Z")]


def measure(catalogue: SqlCatalogue, count: int, runs: int) -> bool:
    """Print a row for each question; whether all stay under the target."""
    good = True
    for name, ask in questions(catalogue, count).items():
        found, walls, cpus = 0, [], []
        for _ in range(runs):
            wall, cpu = time.perf_counter(), time.process_time()
            found = ask()
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
        wall, cpu = statistics.median(walls), statistics.median(cpus)
        good &= wall < TARGET
        print(f"{name:36} {found:>8}  {wall * 1000:9.1f} ms, {cpu * 1000:9.1f} ms of a processor")
    return good


def appends(catalogue: SqlCatalogue, first: int, runs: int) -> float:
    """The median time of an `add`, in milliseconds."""
    times = []
    for number in range(first, first + runs):
        of = msgspec.structs.replace(piece(number), case="case-0")
        started = time.perf_counter()
        catalogue.append("case-0", adding(of))
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url", nargs="?")
    parser.add_argument("--pieces", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = chosen.url or f"sqlite:///{folder}/catalogue.db"
        catalogue = open_catalogue(url)
        catalogue.append("case-0", lambda head: entry(head, "new"))
        before = appends(catalogue, 10_000_000, 50)
        with catalogue._database.writing() as connection:  # noqa: SLF001
            for table in ("evidence_cases", "evidence_pieces", "evidence_entries"):
                connection.exec_driver_sql(f"DELETE FROM {table}")
        fill(catalogue, chosen.pieces)
        for case in catalogue.cases():
            assert catalogue.snapshot(case.name) == projection.replay(catalogue.entries(case.name))
        catalogue.close()
        started = time.perf_counter()
        catalogue = open_catalogue(url)
        print(f"{'open':36} {'':>8}  {(time.perf_counter() - started) * 1000:9.1f} ms")
        good = measure(catalogue, chosen.pieces, chosen.runs)
        after = appends(catalogue, 20_000_000, 50)
        print(f"add: {before:.1f} ms in an empty catalogue, {after:.1f} ms among {chosen.pieces} pieces")
        catalogue.close()
    sys.exit(not good)


if __name__ == "__main__":
    main()
