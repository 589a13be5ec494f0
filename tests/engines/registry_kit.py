"""Cryoscope beside a registry in a node: its network is the node's, everything else is this machine's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lab.node import Node


def inside(node: Node, *arguments: str | Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run the real command in the node's network."""
    command = ["nsenter", f"--target={node.pid}", "--net", "--", sys.executable, "-m", "cryoscope"]
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False
    )


def received(node: Node) -> int:
    """Bytes that went over the node's loopback so far, headers and acknowledgements included."""
    rows = Path(f"/proc/{node.pid}/net/dev").read_text().splitlines()
    loopback = next(row for row in rows if row.strip().startswith("lo:"))
    return int(loopback.partition(":")[2].split()[0])
