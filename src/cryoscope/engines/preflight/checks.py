"""What `doctor` looks at on a host, whatever engines it has."""

from __future__ import annotations

import os

from cryoscope.engines.host import Host
from cryoscope.engines.live import content
from cryoscope.engines.port import Check
from cryoscope.engines.preflight.criu import FILES, configuration, criu_checks
from cryoscope.engines.preflight.disk import free_at
from cryoscope.text import readable

CAPABILITIES = {
    "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21,
    "CAP_SYS_RESOURCE": 24,
    "CAP_CHECKPOINT_RESTORE": 40,
}
"""Numbers of those that dumping and restoring take (linux/capability.h)."""
LITTLE_ROOM = 1 << 30


def host_checks(host: Host) -> list[Check]:
    """Kernel, capabilities, CRIU, its configuration, room: one check each."""
    return [_kernel(), _capabilities(host), *criu_checks(host), *_configured(host), _room(host)]


def bounding(number: int) -> int | None:
    """The capability bounding set of a process; None if it cannot be read."""
    return _set(number, b"CapBnd")


def _set(number: int, name: bytes) -> int | None:
    for line in content(number, "status").splitlines():
        if line.startswith(name + b":"):
            return int(line.split()[1], 16)
    return None


def _kernel() -> Check:
    return Check(code="preflight.kernel", state="ok", what=f"Linux {os.uname().release} {os.uname().machine}")


def _capabilities(host: Host) -> Check:
    """Those of the host's first process: what an engine's own can be given."""
    allowed = bounding(host.process or 1)
    if allowed is None:
        allowed = bounding(os.getpid()) or 0
    missing = [name for name, number in CAPABILITIES.items() if not allowed >> number & 1]
    if not missing:
        return Check(code="preflight.capabilities", state="ok", what="all capabilities that CRIU needs")
    lacks_much = "CAP_SYS_ADMIN" in missing or "CAP_SYS_PTRACE" in missing
    return Check(
        code="preflight.capabilities",
        state="fail" if lacks_much else "warn",
        what=f"nothing on this host can have {', '.join(missing)}"
        + ("" if lacks_much else ": processes of other users than root cannot be captured"),
        cure="run the host with them; a container in a user namespace needs no CAP_SYS_RESOURCE",
    )


def _configured(host: Host) -> list[Check]:
    found = configuration(host)
    if not found:
        return []
    given = ", ".join(f"{name} {value}".strip() for name, value in sorted(found.items()))
    places = " or ".join(name for name in FILES if os.path.exists(host.path(name)))
    return [
        Check(code="preflight.criu-options", state="ok", what=f"{places} gives CRIU: {readable(given)[:300]}")
    ]


def _room(host: Host) -> Check:
    free = free_at(host.path("/var/lib"))
    if free is None:
        return Check(code="preflight.disk", state="warn", what="room in /var/lib cannot be told")
    return Check(
        code="preflight.disk",
        state="ok" if free >= LITTLE_ROOM else "warn",
        what=f"{free >> 20:,} MiB are free in /var/lib, where engines write images",
        cure="" if free >= LITTLE_ROOM else "make room: a checkpoint takes as much as the container's memory",
    )
