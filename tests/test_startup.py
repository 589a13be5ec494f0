"""What a start costs: nothing heavy is imported by the commands that are run most."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"numpy", "rich", "asyncio", "ssl", "http", "xml", "sqlite3", "unittest", "email"}

PROBE = """
import sys
sys.argv = ["cryoscope", *sys.argv[1:]]
from cryoscope.cli import main
try:
    main()
finally:
    print(*sorted(sys.modules), sep="\\n", file=sys.stderr)
"""


def modules(*arguments: str | Path) -> set[str]:
    """What is imported when the command ends."""
    command = [sys.executable, "-c", PROBE, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return set(done.stderr.splitlines())


@pytest.mark.parametrize("command", ["show", "ps"])
@pytest.mark.parametrize("name", ["crio-counter.tar", "podman-looper-crun.tar.gz", "docker-looper"])
def test_show_and_ps_import_nothing_heavy(command: str, name: str, data: Path) -> None:
    assert modules(command, data / name) & HEAVY == set()


def test_help_imports_no_command() -> None:
    found = {name for name in modules("--help") if name.startswith("cryoscope.")}
    assert found <= {"cryoscope.cli", "cryoscope.cli.lazy", "cryoscope.errors", "cryoscope.limits"}


def test_show_imports_no_protobuf_where_an_engine_wrote_beside(data: Path) -> None:
    assert not any(name.startswith("google") for name in modules("show", data / "crio-counter.tar"))
