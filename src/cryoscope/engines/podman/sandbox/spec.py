"""The OCI runtime spec of a sandbox, written anew from an archive's spec.dump.

Not taken over: hooks, resources, devices, sysctls, paths of namespaces, annotations that somebody obeys, the
cgroup's path, listeners of seccomp.  Defined in the OCI runtime specification, config.md and config-linux.md.
"""

from __future__ import annotations

from typing import Any

from cryoscope.checkpoint.container.dumps import objects, strings, take
from cryoscope.engines.podman.sandbox.mounts import Plan, mounts
from cryoscope.engines.port import RestoreOptions

CAPABILITIES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
)
"""What Podman grants by default (containers.conf(5)): for `podman exec`, not for what is restored."""
MANAGER = {"io.container.manager": "libpod"}
"""Marks the archive of a later checkpoint as Podman's."""
PERIOD = 100_000
"""Microseconds of which `cpus` is the share (kernel, CFS bandwidth control)."""


def sandboxed(spec: dict[str, Any], made: Plan, options: RestoreOptions) -> dict[str, Any]:
    """The spec of a copy without a network, host or privileges."""
    return {
        "ociVersion": take(spec, "ociVersion", kind=str) or "1.0.0",
        "process": _process(take(spec, "process", kind=dict) or {}),
        "root": {"path": "rootfs", "readonly": take(spec, "root", "readonly", kind=bool) or False},
        "hostname": take(spec, "hostname", kind=str) or "",
        "mounts": mounts(spec, made),
        "annotations": dict(MANAGER),
        "linux": _linux(take(spec, "linux", kind=dict) or {}, options),
    }


def _process(process: dict[str, Any]) -> dict[str, Any]:
    """What was started; CRIU takes none of it, but the runtimes want it there."""
    user = take(process, "user", kind=dict) or {}
    kept: dict[str, Any] = {
        "terminal": take(process, "terminal", kind=bool) or False,
        "user": {key: user[key] for key in ("uid", "gid", "umask") if take(user, key, kind=int) is not None},
        "args": strings(process.get("args")) or ["/"],
        "env": strings(process.get("env")),
        "cwd": take(process, "cwd", kind=str) or "/",
        "capabilities": _capabilities(take(process, "capabilities", kind=dict) or {}),
        "noNewPrivileges": take(process, "noNewPrivileges", kind=bool) or False,
    }
    for label in ("apparmorProfile", "selinuxLabel"):
        if value := take(process, label, kind=str):
            kept[label] = value
    return kept


def _capabilities(granted: dict[str, Any]) -> dict[str, list[str]]:
    sets = ("bounding", "effective", "permitted")
    return {name: [one for one in strings(granted.get(name)) if one in CAPABILITIES] for name in sets}


def _linux(linux: dict[str, Any], options: RestoreOptions) -> dict[str, Any]:
    spaces = objects(linux.get("namespaces"))
    kept: dict[str, Any] = {
        "namespaces": [{"type": kind} for each in spaces if (kind := take(each, "type", kind=str))],
        "resources": limits_of(options),
        "maskedPaths": strings(linux.get("maskedPaths")),
        "readonlyPaths": strings(linux.get("readonlyPaths")),
    }
    for key in ("uidMappings", "gidMappings"):
        if mapping := objects(linux.get(key)):
            kept[key] = mapping
    if seccomp := take(linux, "seccomp", kind=dict):
        kept["seccomp"] = {key: value for key, value in seccomp.items() if not key.startswith("listener")}
    if label := take(linux, "mountLabel", kind=str):
        kept["mountLabel"] = label
    return kept


def limits_of(options: RestoreOptions) -> dict[str, Any]:
    """Memory without swap beyond it, processes, processors; no devices but those a runtime always gives."""
    return {
        "memory": {"limit": options.memory, "swap": options.memory},
        "pids": {"limit": options.processes},
        "cpu": {"quota": max(1000, int(options.cpus * PERIOD)), "period": PERIOD},
        "devices": [{"allow": False, "access": "rwm"}],
    }
