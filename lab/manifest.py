"""Which versions the lab holds, and which of them nobody has looked at yet."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from lab import places
from lab.errors import NoLab
from lab.recipe import KNOWN, PACKAGES, digest

NAME = "manifest.json"
SHOWN = ("criu", "podman", "crun", "runc", "containerd", "docker.io", "checkpointctl", "sysdig", "gdb")
"""What is printed at the start of a run."""


def versions_in(root: Path) -> dict[str, str]:
    """Versions of the recipe's packages as dpkg has them in a root filesystem."""
    command = ("chroot", str(root), "dpkg-query", "-W", "-f", "${Package} ${Version}\\n", *PACKAGES)
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(line.split(" ", 1) for line in found.splitlines())


def write(root: Path, folder: Path, seconds: float) -> None:
    """Write what was built beside the root filesystem."""
    debian = (root / "etc/debian_version").read_text().strip()
    document = {
        "recipe": digest(),
        "debian": debian,
        "seconds": round(seconds),
        "packages": versions_in(root),
    }
    (folder / NAME).write_text(json.dumps(document, indent=1) + "\n")


def read(folder: Path) -> dict[str, Any]:
    """What was built here; empty if nothing was, or only half of it."""
    try:
        found = json.loads((folder / NAME).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def packages() -> dict[str, str]:
    """Versions by package of the lab that is there; raises `NoLab` if none is."""
    found = read(places.home())
    if not found:
        raise NoLab("it is not built: `make lab` builds it")
    return dict(found["packages"])


def upstream(version: str) -> str:
    """A Debian version without epoch and revision: `5.8.6+ds1-2` is `5.8.6`."""
    found = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", version)
    return found[1] if found else version


def unknown_majors(packages: dict[str, str]) -> list[str]:
    """One sentence for each package of a major version that the tests were not written against."""
    found = []
    for name, known in KNOWN.items():
        version = upstream(packages.get(name, "0"))
        if int(version.split(".")[0]) != known:
            found.append(f"{name} {version} is unknown to these tests: they know {known}.x")
    return found


def summary(packages: dict[str, str]) -> str:
    """The engines' versions on one line."""
    return ", ".join(f"{name} {upstream(packages.get(name, 'missing'))}" for name in SHOWN)
