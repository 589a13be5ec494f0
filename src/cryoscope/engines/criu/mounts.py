"""The file systems of a host as a sandbox sees them: each below a layer of its own that lies in memory.

From mountinfo (proc(5)).  The kernel's own file systems (proc, sysfs, …) are made anew in the sandbox
or left out; what cannot carry a layer is left out and named.
"""

from __future__ import annotations

import re
from typing import NamedTuple

KERNELS = frozenset(
    (
        *("proc", "sysfs", "devtmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "debugfs", "tracefs", "bpf"),
        *("securityfs", "pstore", "configfs", "fusectl", "binfmt_misc", "hugetlbfs", "efivarfs", "selinuxfs"),
        *("rpc_pipefs", "nsfs", "autofs"),
    )
)
OCTAL = re.compile(r"\\([0-7]{3})")
OWN = ("/proc", "/sys", "/dev")
"""Made anew in the sandbox, with all below."""
HIDDEN = (
    *("/var/lib/cryoscope", "/var/lib/kubelet", "/var/lib/containerd", "/var/lib/containers"),
    *("/var/lib/docker", "/run/containerd", "/run/containers", "/run/docker", "/run/secrets"),
)
"""Other people's containers, tokens and volumes, other archives: empty in the sandbox, with all below."""
AWKWARD = re.compile(r"[:,\\\"'\n]")
"""What the options of an overlay take for something else."""


class Layers(NamedTuple):
    """Mount points that get a layer, parents first, and those that are left out, with the reason."""

    covered: list[str]
    left_out: list[str]


def layers(mountinfo: list[str]) -> Layers:
    """What of a host's mounts the sandbox shows."""
    covered: list[str] = []
    left_out: list[str] = []
    for point, kind in _mounts(mountinfo):
        if kind in KERNELS or any((point + "/").startswith(each + "/") for each in (*OWN, *HIDDEN)):
            continue
        if AWKWARD.search(point):
            left_out.append(f"{point!r}: its name cannot be given to an overlay")
        elif point not in covered:
            covered.append(point)
    return Layers(covered, left_out)


def _mounts(mountinfo: list[str]) -> list[tuple[str, str]]:
    """Mount point and type of each mount, in the order in which they were made."""
    found = []
    for line in mountinfo:
        before, mark, after = line.partition(" - ")
        fields = before.split()
        if mark and len(fields) > 4:
            found.append((OCTAL.sub(lambda code: chr(int(code[1], 8)), fields[4]), after.split()[0]))
    return found
