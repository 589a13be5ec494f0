"""The CRIU of a host: its version, what it says that the kernel can, and the options it reads from files.

`criu check`: criu/cr-check.c.  Files with options: criu.org, "Configuration files"; CRIU reads default.conf
itself, runc passes runc.conf and crun passes crun.conf on.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence

from cryoscope.engines.host import Host
from cryoscope.engines.port import Check
from cryoscope.text import readable

VERSION = re.compile(r"^Version: (\d+(?:\.\d+){1,3})", re.MULTILINE)
PATIENCE = 20.0
"""Seconds for a `criu check`, which takes under one."""
ANSWER = 4000
"""Characters of an answer that are looked at, from its end."""
FILES = ("/etc/criu/default.conf", "/etc/criu/runc.conf", "/etc/criu/crun.conf")
FILE_SIZE = 64 * 1024
FEATURES = {
    "mem_dirty_track": "dumps of what changed since the last one (--pre-checkpoint)",
    "uffd-noncoop": "restores that fetch their pages later",
}
"""Features that something here depends on, by the names of `criu check --feature`."""


def criu_version(host: Host) -> tuple[int, ...] | None:
    """Its version as numbers; None if there is no criu in the host's path (an engine may have its own)."""
    done = _run(host, "--version")
    found = VERSION.search(done[1]) if done is not None else None
    return version_of(found[1]) if found else None


def version_of(text: str | None) -> tuple[int, ...] | None:
    """A version as numbers: 4.2.1 is (4, 2, 1); None if it is none."""
    found = re.match(r"\d+(?:\.\d+)*", text or "")
    return tuple(map(int, found[0].split("."))) if found else None


def criu_checks(host: Host) -> list[Check]:
    """What CRIU says of itself and of the kernel, for `doctor`."""
    version = criu_version(host)
    if version is None:
        return [_missing()]
    return [
        Check(code="preflight.criu", state="ok", what=f"criu {'.'.join(map(str, version))}"),
        _basic(host),
        *(_feature(host, name, what) for name, what in FEATURES.items()),
    ]


def _missing() -> Check:
    return Check(
        code="preflight.criu",
        state="fail",
        what="there is no criu on this host",
        cure="install criu 4.0 or newer, with the libraries for plugins of your runtime",
    )


def _basic(host: Host) -> Check:
    done = _run(host, "check")
    if done is not None and done[0] == 0:
        return Check(code="preflight.criu-check", state="ok", what="criu check: the kernel can all it must")
    return Check(
        code="preflight.criu-check",
        state="fail",
        what=f"criu check: {_reason(done)}",
        cure="be root with all capabilities; the kernel needs CONFIG_CHECKPOINT_RESTORE",
    )


def _feature(host: Host, name: str, what: str) -> Check:
    done = _run(host, "check", "--feature", name)
    code = f"preflight.criu-{name.replace('_', '-')}"
    if done is not None and done[0] == 0:
        return Check(code=code, state="ok", what=f"{name}: {what}")
    return Check(code=code, state="warn", what=f"no {what}: {_reason(done)}", cure="another kernel is needed")


def _reason(done: tuple[int, str] | None) -> str:
    """The first error of an answer, without its place in CRIU's source."""
    if done is None:
        return "did not answer"
    lines = [line.strip() for line in done[1].splitlines() if line.strip()]
    first = next((line for line in lines if line.startswith(("Error", "Warn"))), lines[-1] if lines else "")
    return readable(re.sub(r"^(?:Error|Warn)\s*\([^)]*\):\s*", "", first)) or f"exit code {done[0]}"


def _run(host: Host, *arguments: str) -> tuple[int, str] | None:
    """Exit code and answer of criu on the host; None if it could not be run or took too long."""
    try:
        done = subprocess.run(  # noqa: S603 (words of our own, no shell)
            host.argv(["criu", *arguments]),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")[-ANSWER:]


def configuration(host: Host, files: Sequence[str] = FILES) -> dict[str, str]:
    """Options that files on the host give CRIU, whoever asks: `tcp-established`, `file-locks`, …"""
    found: dict[str, str] = {}
    for name in files:
        for line in _lines(host.path(name)):
            option, _, value = line.partition("#")[0].strip().removeprefix("--").partition(" ")
            if option:
                found[option] = value.strip()
    return found


def _lines(path: str) -> list[str]:
    try:
        with open(path, errors="replace") as file:
            return file.read(FILE_SIZE).splitlines()
    except OSError:
        return []
