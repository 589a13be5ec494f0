"""`python -m lab build|run|versions|sweep`."""

from __future__ import annotations

import argparse
import sys

from lab import build, manifest, places
from lab.errors import LabError, NoLab

HOW = "as root on Debian, `make lab` builds it (2 minutes, 1.5 GB)"


def _build(asked: argparse.Namespace) -> int:
    try:
        build.build(again=asked.again)
    except NoLab as error:
        print(f"lab: not built, tests of real engines will be skipped: {error}; {HOW}", file=sys.stderr)
        return 0 if asked.if_possible else 1
    found = manifest.read(places.home())
    print(f"lab: {manifest.summary(found['packages'])}")
    for sentence in manifest.unknown_majors(found["packages"]):
        print(f"lab: {sentence}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description="A node with real engines for the tests.")
    commands = parser.add_subparsers(required=True)
    build_ = commands.add_parser("build", help="make the lab if it is missing or of another recipe")
    build_.add_argument("--again", action="store_true", help="make it anew in any case")
    build_.add_argument("--if-possible", action="store_true", help="exit 0 where it cannot be made")
    build_.set_defaults(do=_build)
    return parser


def main() -> int:
    """Run a command of the lab; returns its exit code."""
    asked = _parser().parse_args()
    try:
        return int(asked.do(asked))
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
