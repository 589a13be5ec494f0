"""The command line, pointed at an engine of the lab."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.engines import Engine, Running
from lab.engines.containerd import Containerd

TIMEOUT = 120
TO = {
    "podman-crun": "podman",
    "podman-runc": "podman",
    "docker": "docker",
    "containerd": "cri",
    "criu": "criu",
}


@dataclass(frozen=True)
class Done:
    """One run of the command: its exit code, the document it printed, and what it said."""

    code: int
    document: dict[str, Any]
    said: str

    @property
    def part(self) -> dict[str, Any]:
        """What it says of the only archive."""
        assert len(self.document["archives"]) == 1, (self.code, self.document, self.said)
        found: dict[str, Any] = self.document["archives"][0]
        return found


def target_of(engine: Engine, running: Running) -> str:
    """The URL of a workload."""
    if engine.name == "criu":
        pid = engine.node.outside(running.id + "/pid").read_text().strip()
        return f"pid://{pid}"
    if engine.name == "containerd":
        return f"cri://containerd/{running.id}"
    return f"{TO[engine.name]}://{running.id}"


def reaching(engine: Engine) -> list[str]:
    """Options that lead to an engine's machine and socket."""
    found = ["--host", str(engine.node.pid)]
    if engine.name.startswith("podman"):
        found += ["--endpoint", f"/run/{engine.name}.sock"]
    return found


def command(name: str, *arguments: str | Path) -> list[str]:
    """What runs the command with its answer as JSON."""
    return [sys.executable, "-m", "cryoscope", name, *map(str, arguments), "--format", "json"]


def run(name: str, *arguments: str | Path) -> Done:
    """Run a command to its end."""
    done = subprocess.run(command(name, *arguments), capture_output=True, timeout=TIMEOUT, check=False)
    said = done.stderr.decode()
    assert "Traceback" not in said, said
    assert "internal error" not in said, said
    return Done(done.returncode, json.loads(done.stdout) if done.stdout else {}, said)


def count(pid: int) -> int:
    """The last number that a counter wrote, read through one of its processes."""
    for name in ("log", "tmp/log"):
        path = Path(f"/proc/{pid}/root/{name}")
        if path.exists():
            return int(path.read_text().splitlines()[-1].split()[1])
    return 0


def remove(engine: Engine, words: str) -> None:
    """Take a restored container away as the answer says; the lab has no crictl."""
    if isinstance(engine, Containerd):
        assert words.startswith("crictl ")
        engine.cri.remove_pod(words.split()[-1])
    else:
        engine.node.sh(words)
