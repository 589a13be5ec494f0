"""CRIU's own log of the dump, which alone says with which version and kernel it was taken.

Lines are `(seconds) [pid: ]message` (criu/log.c); "Version:" and "Running on" come first.
"""

from __future__ import annotations

import re

import msgspec

from cryoscope.text import readable

LINE = re.compile(rb"^\((\d+\.\d+)\)\s*(.*)$")
VERSION = re.compile(rb"^Version: (\S+)")
RUNNING_ON = re.compile(rb"^Running on (\S+) (.*)$")
NOTABLE = re.compile(rb"^(?:\s*\d+: )?(Error|Warn)\s+\(([^)]*)\):\s*(.*)$")
FIRST_LINES = 100
MOST = 200


class LogProblem(msgspec.Struct, frozen=True):
    """An error or warning of CRIU: seconds since the dump began, place in its source, text."""

    level: str
    at: float
    where: str
    text: str


class DumpLog(msgspec.Struct, frozen=True, omit_defaults=True):
    """What dump.log says about the dump; `seconds` is the time of its last line."""

    version: str | None = None
    node: str | None = None
    kernel: str | None = None
    seconds: float | None = None
    problems: list[LogProblem] = []


def read_log(data: bytes) -> DumpLog:
    """The record of a dump.log; unknown lines are passed over, at most `MOST` problems kept."""
    lines = [match.groups() for match in map(LINE.match, data.splitlines()) if match]
    heads = [text for _, text in lines[:FIRST_LINES]]
    version = next((found.group(1) for found in map(VERSION.match, heads) if found), None)
    running = next((found for found in map(RUNNING_ON.match, heads) if found), None)
    return DumpLog(
        version=readable(version) if version else None,
        node=readable(running.group(1)) if running else None,
        kernel=readable(running.group(2)) if running else None,
        seconds=float(lines[-1][0]) if lines else None,
        problems=_problems(lines),
    )


def _problems(lines: list[tuple[bytes, ...]]) -> list[LogProblem]:
    found: list[LogProblem] = []
    for at, text in lines:
        match = NOTABLE.match(text)
        if match and len(found) < MOST:
            level, where, message = map(readable, match.groups())
            found.append(LogProblem(level.lower(), float(at), where, message))
    return found
