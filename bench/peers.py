"""Where the peers are (checkpointctl, crit, pycriu), which versions, and how to run them.

On PATH if the host has them, else in the lab's root filesystem. The runner is in
a mount namespace of its own, so the data are bound into that root once, read-only, and a peer's
figures hold nothing of the set-up: a chroot(2) and the peer's own execve.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from bench.measure import Command, run_once
from lab import build
from lab.errors import NoLab

INSIDE = Path("/mnt")
"""Where a peer sees the data: an empty folder of the root, under which mount points are made in memory."""
PEER_PATH = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
VERSIONS = {  # neither tool has an option that says it
    "checkpointctl": ("dpkg-query", "-W", "-f", "${Version}", "checkpointctl"),
    "crit": ("dpkg-query", "-W", "-f", "${Version}", "python3-pycriu"),
    "rg": ("dpkg-query", "-W", "-f", "${Version}", "ripgrep"),
}


@dataclass(slots=True)
class Peers:
    """The peers that were found; `missing` says why another was not."""

    root: Path | None = None
    found: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    folders: dict[Path, Path] = field(default_factory=dict)

    def command(self, name: str, *arguments: str | Path) -> Command | None:
        """The peer's program `name` with arguments; paths are those of the host. None if it is missing."""
        if name not in self.found:
            return None
        program = "python3" if name == "pycriu" else name
        argv = tuple(str(self.path(a)) if isinstance(a, Path) else a for a in arguments)
        return Command((program, *argv), self.root, PEER_PATH if self.root else {})

    def path(self, host: Path) -> Path:
        """Where the peer sees a file of a bound folder."""
        if self.root is None:
            return host
        for folder, inside in self.folders.items():
            if host.is_relative_to(folder):
                return inside / host.relative_to(folder)
        raise ValueError(f"{host} is not in a bound folder")

    def bind(self, folder: Path) -> None:
        """Show a folder of the host to the peers, read-only."""
        if self.root is None or folder in self.folders:
            return
        inside = INSIDE / str(len(self.folders))
        target = self.root / inside.relative_to("/")
        target.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "--bind", str(folder), str(target)], check=True)
        subprocess.run(["mount", "-o", "remount,ro,bind", str(target)], check=True)
        self.folders[folder] = inside

    def mount_scratch(self) -> None:
        """Give the peers the host's /tmp kind of disk: they unpack there, and it must not be a slower one."""
        if self.root is not None:
            subprocess.run(["mount", "--bind", "/tmp", str(self.root / "tmp")], check=True)
            subprocess.run(
                ["mount", "-t", "tmpfs", "tmpfs", str(self.root / INSIDE.relative_to("/"))], check=True
            )


def find_peers() -> Peers:
    """All peers, from PATH if every one is there, else from the root filesystem."""
    if shutil.which("checkpointctl") and shutil.which("crit"):
        peers = Peers()
    elif not os.environ.get("CRYOSCOPE_BENCH_NS"):
        return _none("a mount namespace of its own needs root")
    else:
        try:
            peers = Peers(build.build())
        except (NoLab, OSError) as error:
            return _none(str(error))
        peers.mount_scratch()
    for name in ("checkpointctl", "crit", "rg"):
        version = _version(peers, name)
        if version:
            peers.found[name] = version
        else:
            peers.missing[name] = "does not run"
    if "crit" in peers.found:
        peers.found["pycriu"] = peers.found["crit"]
    return peers


def _none(why: str) -> Peers:
    return Peers(missing=dict.fromkeys(("checkpointctl", "crit", "pycriu", "rg"), why))


def _version(peers: Peers, name: str) -> str:
    """What the peer says about itself, or its package does (crit has no version of its own)."""
    if not shutil.which(name, path=_search_path(peers)):
        return ""
    command = Command(VERSIONS[name], peers.root, PEER_PATH if peers.root else {})
    _, code, output, _ = run_once(command, keep=True)
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[0] if lines and not code else "version unknown"


def _search_path(peers: Peers) -> str | None:
    if peers.root is None:
        return None
    return os.pathsep.join(str(peers.root / part.lstrip("/")) for part in PEER_PATH["PATH"].split(":"))


def host_version(program: str) -> str:
    """The first line of a host program's --version."""
    if not shutil.which(program):
        return "not installed"
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0]
