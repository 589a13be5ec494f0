"""Measure Cryoscope beside its peers and print the ratios: `python -m bench.run [--quick]`.

Each pair is run A B A B ... on files in the page cache; figures are medians of the runs. Generated
archives are kept in .bench/ of the checkout, the peers are the lab's.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.data import ROOT, VERSION, Data
from bench.measure import Result, floor, interleave, private_mounts, warm
from bench.peers import Peers, find_peers, host_version
from bench.rows import GROUPS, Bench, Row, Side

FIGURES = ("wall s", "cpu s", "MB")
HEAD = ("what", "of", "ours", *FIGURES, "other", *FIGURES, "ratio", "cpu ratio", "target", "")


@dataclass(frozen=True, slots=True)
class Measured:
    """A row with its figures; `verdict` is reached, short, or why there is none."""

    row: Row
    ours: Result
    other: Result | None
    verdict: str

    @property
    def ratio(self) -> float | None:
        """Ours to the other's in the figure that decides."""
        return self._ratio(self.row.figure)

    @property
    def cpu_ratio(self) -> float | None:
        return self._ratio("cpu")

    def _ratio(self, figure: str) -> float | None:
        if self.other is None or not (self.ours.samples and self.other.samples):
            return None
        return value(self.ours, figure) / max(value(self.other, figure), 1e-9)


def value(result: Result, figure: str) -> float:
    """A figure of a result: seconds, or peak memory in MB."""
    return result.rss / 1e6 if figure == "rss" else float(getattr(result, figure))


def _judge_side(side: Side | None, result: Result | None) -> str | None:
    """Why this side gives no figure, or None."""
    if side is None or result is None:
        return None
    if side.command is None:
        return f"not installed ({side.why})"
    if result.failure is not None:
        return f"failed: {result.failure}"
    wrong = side.check(result.output)
    return f"wrong answer: {wrong}" if wrong else None


def _verdict(row: Row, ours: Result, other: Result | None) -> str:
    for name, reason in (("ours", _judge_side(row.ours, ours)), ("other", _judge_side(row.other, other))):
        if reason:
            return f"{name} {reason}"
    if row.target is None:
        return "orientation"
    got = value(ours, row.figure)
    if other is not None:
        got /= max(value(other, row.figure), 1e-9)
    return "reached" if got <= row.target else "short"


def measure(row: Row, runs: int) -> Measured:
    """Run both sides of a row in turn."""
    sides = [row.ours.command, row.other.command if row.other else None]
    for side in filter(None, sides):
        warm(*(Path(a) for a in side.argv if side.root is None and os.path.isfile(a)))
    results = interleave(sides, runs)
    other = results[1] if row.other else None
    return Measured(row, results[0], other, _verdict(row, results[0], other))


def _figures(result: Result | None) -> tuple[str, str, str]:
    if result is None or not result.samples:
        return "-", "-", "-"
    return f"{result.wall:.3f}", f"{result.cpu:.3f}", f"{result.rss / 1e6:.0f}"


def _number(number: float | None) -> str:
    return "-" if number is None else f"{number:.3f}"


def _target(row: Row) -> str:
    if row.target is None:
        return "-"
    unit = "" if row.other else {"rss": " MB"}.get(row.figure, f" s {row.figure}")
    return f"<= {row.target:.3g}{unit}"


def cells(measured: Measured) -> tuple[str, ...]:
    """A row of the printed table."""
    row = measured.row
    other = row.other.name if row.other else "-"
    return (row.title, row.of, row.ours.name, *_figures(measured.ours), other, *_figures(measured.other),
            _number(measured.ratio), _number(measured.cpu_ratio), _target(row), measured.verdict)  # fmt: skip


def as_record(measured: Measured) -> dict[str, Any]:
    """The same for `--format json`, with every sample."""

    def side(side: Side | None, result: Result | None) -> dict[str, Any] | None:
        if side is None or result is None:
            return None
        runs = [{"wall_s": s.wall, "cpu_s": s.cpu, "rss_bytes": s.rss} for s in result.samples]
        return {"name": side.name, "runs": runs, "problem": _judge_side(side, result)}

    row = measured.row
    return {
        "what": row.title, "of": row.of, "figure": row.figure, "target": row.target,
        "limit": row.limit, "note": row.note,
        "ratio": measured.ratio, "cpu_ratio": measured.cpu_ratio, "verdict": measured.verdict,
        "ours": side(row.ours, measured.ours), "other": side(row.other, measured.other),
    }  # fmt: skip


def setting(peers: Peers, runs: int) -> dict[str, Any]:
    """The machine and the versions: what the figures hold for."""
    versions = peers.found | {name: f"not installed ({why})" for name, why in peers.missing.items()}
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "runs": runs,
        "rss_floor_bytes": floor(),
        "generator": VERSION,
        "versions": versions | {"GNU tar": host_version("tar").rpartition(" ")[2]},
    }


def warm_byte_code() -> None:
    """Compile the package where it lies: an installed package always has its byte code."""
    sys.dont_write_bytecode = False
    for folder in (ROOT / "src" / "cryoscope", Path(__file__).parent):
        compileall.compile_dir(str(folder), quiet=2)


def draw(rows: list[tuple[str, ...]]) -> None:
    """A plain table; figures to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    for row in rows:
        line = "  ".join(
            cell.rjust(width) if cell[:1].isdigit() or cell in ("-", *FIGURES) else cell.ljust(width)
            for cell, width in zip(row[:-1], widths, strict=True)
        )
        print(f"{line}  {row[-1]}")


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="256 MiB and 1 GiB of pages, not 1 and 8")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    parser.add_argument("--runs", type=int, default=5, help="measured runs of each side (default: 5)")
    parser.add_argument(
        "--only", nargs="+", choices=GROUPS, default=list(GROUPS), help="these groups of rows"
    )
    folder = ROOT / ".bench"
    parser.add_argument("--folder", type=Path, default=folder, help="where the archives are kept")
    return parser.parse_args()


def main() -> None:
    """Measure all rows and print them."""
    chosen = options()
    private_mounts([sys.executable, "-m", "bench.run", *sys.argv[1:]])
    warm_byte_code()
    peers = find_peers()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    for folder in (chosen.folder.resolve(), Path(__file__).resolve().parent):
        peers.bind(folder)
    sizes = ("256M", "1G") if chosen.quick else ("1G", "8G")
    bench = Bench(Data(chosen.folder.resolve()), peers, *sizes)
    measured = []
    for group in chosen.only:
        for row in GROUPS[group](bench):
            print(f"measuring {row.title} ...", file=sys.stderr)
            measured.append(measure(row, max(1, chosen.runs)))
    report(chosen.format, setting(peers, chosen.runs), measured)


def report(form: str, facts: dict[str, Any], measured: list[Measured]) -> None:
    """Print everything."""
    if form == "json":
        print(json.dumps({"setting": facts, "rows": [as_record(m) for m in measured]}, indent=1))
        return
    versions = ", ".join(f"{name} {version}" for name, version in facts.pop("versions").items())
    print(", ".join(f"{name} {fact}" for name, fact in facts.items()))
    print(f"{versions}\n")
    draw([HEAD, *(cells(m) for m in measured)])
    notes = {". ".join(filter(None, (f"  {m.row.title}: {m.row.limit}", m.row.note))) for m in measured}
    print("\nWhat sets the limit:", *sorted(notes), sep="\n")


if __name__ == "__main__":
    main()
