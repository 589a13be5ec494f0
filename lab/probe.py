"""What this kernel and these engines can do, asked and not assumed.

Each probe returns why something cannot be done, in the words of whoever refuses it, or None if it can.
"""

from __future__ import annotations

from pathlib import Path

from lab.node import Node

SYS_RESOURCE = 24
"""Number of the capability (linux/capability.h)."""


def memory_tracking(node: Node) -> str | None:
    """Incremental dumps: CRIU needs to see which pages were written since the last one."""
    return criu_feature(node, "mem_dirty_track")


def criu_feature(node: Node, feature: str) -> str | None:
    """A feature by the name that `criu check --feature` knows it by."""
    done = node.run("criu", "check", "--feature", feature, check=False)
    if done.returncode == 0:
        return None
    lines = (done.stdout + done.stderr).strip().splitlines() or ["no reason given"]
    return f"criu check --feature {feature}: {lines[-1]}"


def foreign_users(_: Node) -> str | None:
    """Dumping processes of other users than root: CRIU reads and sets their limits."""
    status = Path("/proc/self/status").read_text()
    bounding = next(line for line in status.splitlines() if line.startswith("CapBnd:"))
    if int(bounding.split()[1], 16) >> SYS_RESOURCE & 1:
        return None
    return (
        "CAP_SYS_RESOURCE is not in this machine's bounding set: CRIU cannot read the limits of other users"
    )


def compressed_pages(node: Node) -> str | None:
    """Dumps with compressed pages, which a newer CRIU may write."""
    if "--compress" in node.run("criu", "--help").stdout:
        return None
    return "this CRIU has no --compress"
