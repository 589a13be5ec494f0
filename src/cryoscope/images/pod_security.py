"""What a container was allowed, and how much it might use, as a pod says it (core/v1 SecurityContext).

Pods name capabilities by what they add to the runtime's own set and drop from it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from cryoscope.checkpoint.container.dumps import Dumps, take

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint

CRIO = frozenset(
    ("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "SETGID", "SETUID", "SETPCAP", "NET_BIND_SERVICE", "KILL")
)
"""What CRI-O gives every container (pkg/config, DefaultCapabilities)."""
CONTAINERD = CRIO | {"MKNOD", "NET_RAW", "SETFCAP", "SYS_CHROOT", "AUDIT_WRITE"}
"""What containerd gives every container (pkg/oci, spec.go)."""
OWN = {"cri-o": CRIO, "containerd": CONTAINERD}
MIB = 1 << 20
LEAST = 64 * MIB
"""Memory that a node must have free for it, beside what the checkpoint holds."""
MOST_ID = (1 << 31) - 1
"""Users and groups of a pod (core/validation)."""
PERIOD = 100_000


class Was(msgspec.Struct, frozen=True, kw_only=True):
    """What the container was given: ids, names of capabilities without CAP_, limits in bytes and processors.

    `filtered` is whether it had a seccomp profile.
    """

    uid: int | None = None
    gid: int | None = None
    groups: list[int] = []
    capabilities: frozenset[str] | None = None
    no_new_privileges: bool = False
    filtered: bool = False
    root_readonly: bool = False
    memory: int | None = None
    cpus: float | None = None


def was(checkpoint: Checkpoint) -> Was:
    """What spec.dump says that the container was given."""
    dumps, process = Dumps(checkpoint.archive, []), checkpoint.container.process
    spec = dumps["spec.dump"]
    bounding = process.capabilities.get("bounding") if process else None
    found = {name.removeprefix("CAP_") for name in bounding or ()}
    return Was(
        uid=_id(process.uid if process else None),
        gid=_id(process.gid if process else None),
        groups=_groups(take(spec, "process", "user", "additionalGids", kind=list)),
        capabilities=frozenset(found) if process else None,
        no_new_privileges=process is not None and process.no_new_privileges,
        filtered=bool(take(spec, "linux", "seccomp", kind=dict)),
        root_readonly=take(spec, "root", "readonly", kind=bool) or False,
        memory=_positive(take(spec, "linux", "resources", "memory", "limit", kind=int)),
        cpus=_cpus(spec),
    )


def security_context(had: Was, engine: str, *, live: bool) -> dict[str, Any]:
    """Users, capabilities and profile as the container had them; in a sandbox no more than is usual."""
    own = OWN.get(engine, CONTAINERD)
    capabilities = own if had.capabilities is None else had.capabilities
    if not live:
        capabilities &= CONTAINERD
    context: dict[str, Any] = {"privileged": False}
    ids = (("runAsUser", had.uid), ("runAsGroup", had.gid))
    context |= {key: value for key, value in ids if value is not None}
    if had.no_new_privileges:
        context["allowPrivilegeEscalation"] = False
    if had.root_readonly:
        context["readOnlyRootFilesystem"] = True
    if changed := _changed(capabilities, own):
        context["capabilities"] = changed
    profile = "RuntimeDefault" if had.filtered or not live else "Unconfined"
    return context | {"seccompProfile": {"type": profile}}


def _changed(wanted: frozenset[str], own: frozenset[str]) -> dict[str, list[str]]:
    drop, add = sorted(own - wanted), sorted(wanted - own)
    if len(drop) == len(own):
        drop = ["ALL"]
    return {key: value for key, value in (("drop", drop), ("add", add)) if value}


def resources(had: Was, held: int, *, memory: int, cpus: float, live: bool) -> dict[str, Any]:
    """Limits: in a sandbox those given, live those that it had; the least that it needs is what it `held`."""
    limits: dict[str, str] = {}
    most = had.memory if live else memory
    share = had.cpus if live else cpus
    if share:
        limits["cpu"] = f"{max(1, math.ceil(share * 1000))}m"
    if most:
        limits["memory"] = quantity(most)
    needed = -(-held // MIB) * MIB + LEAST
    requests = {"cpu": "10m", "memory": quantity(min(needed, most) if most else needed)}
    return {"requests": requests, **({"limits": limits} if limits else {})}


def quantity(size: int) -> str:
    """Bytes as Kubernetes writes them."""
    return f"{size // MIB}Mi" if size % MIB == 0 else str(size)


def _cpus(spec: Any) -> float | None:
    quota = _positive(take(spec, "linux", "resources", "cpu", "quota", kind=int))
    period = _positive(take(spec, "linux", "resources", "cpu", "period", kind=int)) or PERIOD
    return quota / period if quota else None


def _positive(number: int | None) -> int | None:
    return number if number is not None and 0 < number < 1 << 62 else None


def _id(number: int | None) -> int | None:
    return number if number is not None and 0 <= number <= MOST_ID else None


def _groups(found: Any) -> list[int]:
    return [each for each in found or () if isinstance(each, int) and 0 < each <= MOST_ID][:32]
