"""Many runs of the command, each in a process forked from one that has imported everything.

A fork costs 10 ms where a start of Python costs 120, and each run still has its own exit code, output,
time limit and peak of memory.  `python forked.py` is the parent of the forks: it reads the runs as JSON
from its standard input.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

TIMEOUT = 20.0
"""Seconds that a run may take before it counts as hanging."""


class Ran(NamedTuple):
    """One run: `code` is negative where a signal ended it, `rss` its peak in KiB."""

    arguments: tuple[str, ...]
    code: int
    out: bytes
    err: bytes
    rss: int
    seconds: float

    def __repr__(self) -> str:
        """What is needed to read a failed assertion."""
        return f"<{' '.join(self.arguments)} -> {self.code} in {self.seconds:.1f} s: {self.err[-1500:]!r}>"


def run_all(
    commands: Iterable[Sequence[str | Path]], *, cwd: Path, timeout: float = TIMEOUT, **variables: str
) -> list[Ran]:
    """Run each command line (without `cryoscope`) in `cwd`; `variables` are added to the environment."""
    asked = [[os.fsencode(argument).decode("latin-1") for argument in command] for command in commands]
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(
            [sys.executable, __file__, scratch],
            input=json.dumps({"commands": asked, "timeout": timeout}),
            env=os.environ | variables,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=len(asked) * (timeout + 1) + 30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        results = json.loads(done.stdout)
        return [
            _ran(arguments, result, Path(scratch)) for arguments, result in zip(asked, results, strict=True)
        ]


def _ran(arguments: list[str], result: dict[str, float], scratch: Path) -> Ran:
    number = result["number"]
    out, err = (scratch / f"{number}.{name}" for name in ("out", "err"))
    return Ran(
        tuple(arguments),
        int(result["code"]),
        out.read_bytes(),
        err.read_bytes(),
        int(result["rss"]),
        result["seconds"],
    )


# --- in the parent of the forks -------------------------------------------------------------
def _serve() -> None:
    import cryoscope.cli
    import cryoscope.workflows.schemas

    for name in cryoscope.cli.COMMANDS:
        __import__(f"cryoscope.cli.{name.replace(chr(45), chr(95))}")
    asked = json.load(sys.stdin)
    results = [
        _fork(number, arguments, asked["timeout"]) for number, arguments in enumerate(asked["commands"])
    ]
    json.dump(results, sys.stdout)


def _fork(number: int, arguments: list[str], timeout: float) -> dict[str, float]:
    started = time.monotonic()
    pid = os.fork()
    if not pid:
        _child(number, arguments, timeout)
    while True:
        found, status, usage = os.wait4(pid, os.WNOHANG)
        seconds = time.monotonic() - started
        if found:
            code = os.waitstatus_to_exitcode(status)
            return {"number": number, "code": code, "rss": usage.ru_maxrss, "seconds": seconds}
        if seconds > timeout:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)


def _child(number: int, arguments: list[str], timeout: float) -> None:
    import faulthandler

    for descriptor, name in ((1, "out"), (2, "err")):
        path = os.path.join(sys.argv[1], f"{number}.{name}")
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    faulthandler.dump_traceback_later(max(timeout - 1, 0.5))
    sys.argv = ["cryoscope", *(os.fsdecode(argument.encode("latin-1")) for argument in arguments)]
    code = 0
    try:
        import cryoscope.cli

        cryoscope.cli.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 99
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
