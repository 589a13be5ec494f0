"""What is said of an archive before an engine gets it: claims, and the edits that answer them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from cryoscope.checkpoint.archive import Member
from cryoscope.engines import port
from cryoscope.engines.host import Host
from cryoscope.engines.port import HARD, SOFT

ENGINES = ("podman", "docker", "cri", "criu")
"""Engines by what they take from an archive."""

ALSO = {"containerd": "cri", "crio": "cri", "cri-o": "cri", "pid": "criu"}
"""Other names of theirs."""

DEFAULT_CAPABILITIES = frozenset(
    f"CAP_{name}"
    for name in (
        *("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP"),
        *("SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"),
    )
)
"""What Docker and containerd give every container (moby oci/caps/defaults.go); others give fewer."""


PROTECTED = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/keys", "/proc/timer_list")
"""What engines mask or protect below /proc and almost every kernel has."""

DANGEROUS = ("/proc/sysrq-trigger", "/proc/kcore")
"""More of it, which many kernels have not: a mask is missing there that no host needed."""


class Claim(port.Record, frozen=True, kw_only=True):
    """Something that an archive claims and that a policy does not grant.

    `weight` is HARD, SOFT or NOTE; `cleaned` whether the copy no longer has it; `where` is the member, with
    the field, the entry or the pid behind it.
    """

    code: str
    weight: str
    cleaned: bool
    what: str
    where: str
    cure: str = ""


class Policy(port.Record, frozen=True, kw_only=True):
    """What an engine may be given.

    `engine` is one of `ENGINES` or `ALSO`.  `mounts` are the destinations that are declared, each with its
    source on the engine's host, which takes the place of what the archive says (empty: as the archive says).
    A sandbox keeps of the capabilities those in `capabilities`; `devices` are paths of devices that are
    granted; `kernel` are paths below /proc that the kernel of the engine's host has and that have to be
    masked or protected.
    """

    engine: str
    live: bool = False
    mounts: dict[str, str] = {}
    capabilities: tuple[str, ...] = tuple(sorted(DEFAULT_CAPABILITIES))
    devices: tuple[str, ...] = ()
    kernel: tuple[str, ...] = PROTECTED


class Verdict(port.Record, frozen=True, kw_only=True):
    """The claims of an archive, and the edits that make the copy for the engine."""

    claims: list[Claim]
    edits: port.Edits

    def against(self, *, force: bool = False) -> list[Claim]:
        """The claims that keep the archive from the engine; `force` goes past the soft ones."""
        weights = (HARD,) if force else (HARD, SOFT)
        return [claim for claim in self.claims if not claim.cleaned and claim.weight in weights]


def kernel_of(host: Host) -> tuple[str, ...]:
    """What has to be masked or protected on an engine's host, for `Policy.kernel`."""
    return (*PROTECTED, *(path for path in DANGEROUS if os.path.lexists(host.path(path))))


class Fix(NamedTuple):
    """One edit of one member: its bytes changed, or entries of the tar in it left out; neither: dropped."""

    member: str
    change: port.Edit | None = None
    keep: Callable[[Member], bool] | None = None


class Found(NamedTuple):
    """A claim with what answers it."""

    claim: Claim
    fixes: tuple[Fix, ...] = ()
