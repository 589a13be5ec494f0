"""`python -m lab build | run | versions | sweep`."""

from __future__ import annotations

import argparse
import subprocess
import sys

from lab import build, cgroups, manifest
from lab.errors import LabError, NoLab
from lab.node import Node

HOW = "as root on Debian, `make lab` builds it (about a minute, 1.2 GB)"


def _build(asked: argparse.Namespace) -> int:
    try:
        build.build(again=asked.again)
    except NoLab as error:
        print(f"lab: not built, tests of real engines will be skipped: {error}; {HOW}", file=sys.stderr)
        return 0 if asked.if_possible else 1
    return _versions(asked)


def _run(asked: argparse.Namespace) -> int:
    command = asked.command[1:] if asked.command[:1] == ["--"] else asked.command
    with Node() as node:
        return subprocess.run(node.argv(command or ["bash"]), env=node.environment(), check=False).returncode


def _versions(asked: argparse.Namespace) -> int:
    packages = manifest.packages()
    print(f"lab: {manifest.summary(packages)}")
    for sentence in manifest.unknown_majors(packages):
        print(f"lab: {sentence}")
    return 0


def _sweep(asked: argparse.Namespace) -> int:
    left = cgroups.sweep()
    for group in left:
        print(f"lab: {group} cannot be taken away", file=sys.stderr)
    return 1 if left else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab", description="A node with real engines for the tests."
    )
    commands = parser.add_subparsers(required=True)
    build_ = commands.add_parser("build", help="make the lab if it is missing or of another recipe")
    build_.add_argument("--again", action="store_true", help="make it anew in any case")
    build_.add_argument("--if-possible", action="store_true", help="exit 0 where it cannot be made")
    build_.set_defaults(do=_build)
    run = commands.add_parser("run", help="run a command in a node of its own")
    run.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="COMMAND", help="the command, and its arguments"
    )
    run.set_defaults(do=_run)
    versions = commands.add_parser(
        "versions", help="what the lab holds, and which of it the tests do not know"
    )
    versions.set_defaults(do=_versions)
    sweep = commands.add_parser("sweep", help="take away what a killed run left")
    sweep.set_defaults(do=_sweep)
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
