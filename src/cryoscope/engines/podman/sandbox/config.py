"""libpod's configuration of a sandbox, written anew from an archive's config.dump.

Taken over is what names the image and the first process.  Not taken over, among others: networks, ports,
privileges, volumes with options, secrets, overlay and image volumes, a root folder of the host, restart
policy, health checks (libpod runs them by timers of the host), labels (podman-auto-update(1) obeys some),
cgroup parent, paths of logs, pid files and sockets.  Defined in podman libpod/container_config.go.
"""

from __future__ import annotations

from typing import Any

from cryoscope import limits
from cryoscope.checkpoint.container.dumps import strings, take
from cryoscope.engines.podman.sandbox.mounts import Plan

TAKEN: dict[str, type] = {
    "id": str,
    "name": str,
    "createWorkingDir": bool,
    "user": str,
    "stdin": bool,
    "stopSignal": int,
    "umask": str,
    "passwd": bool,
    "createdTime": str,
    "runtime": str,
    "ProcessLabel": str,
    "MountLabel": str,
}
"""Fields that are taken as they are if they are of this type."""
SHM = 64 << 20
"""Bytes of /dev/shm at most that are not asked for: libpod's own default is 62.5 MiB."""
LABEL = "cryoscope.sandbox"
"""`podman ps --filter label=cryoscope.sandbox` lists the sandboxes; its value is the original's id."""


def sandboxed(config: dict[str, Any], made: Plan, *, image: str, name: str, network: bool) -> dict[str, Any]:
    """The configuration of a copy.

    `image` is the id of the image, `name` what it is called here (libpod pulls a name that is not here, so it
    is not the archive's word), `network` whether libpod shall make an (empty) network namespace.
    """
    kept = {key: value for key, kind in TAKEN.items() if (value := take(config, key, kind=kind)) is not None}
    return kept | {
        "rootfsImageID": image,
        "rootfsImageName": name,
        "RawImageName": name,
        "idMappingsOptions": _mappings(config),
        "shmSize": min(max(0, take(config, "shmSize", kind=int) or SHM), limits.SANDBOX_SHM),
        "namedVolumes": made.volumes,
        "privileged": False,
        "labelopts": strings(config.get("labelopts")),
        "createNetNS": network,
        "newNetworks": {},
        "command": strings(config.get("command")),
        "entrypoint": strings(config.get("entrypoint")),
        "labels": {LABEL: take(config, "id", kind=str) or "yes"},
        "stopTimeout": 0,
        "cgroupsMode": "enabled",
        "logDriver": "k8s-file",
        "logSize": limits.SANDBOX_LOG,
        "healthLogDestination": "local",
    }


def _mappings(config: dict[str, Any]) -> dict[str, Any]:
    """Those of a user namespace if it had one."""
    found = take(config, "idMappingsOptions", kind=dict) or {}
    own = take(found, "HostUIDMapping", kind=bool) is False
    if not own:
        return {"HostUIDMapping": True, "HostGIDMapping": True}
    return {
        "HostUIDMapping": False,
        "HostGIDMapping": False,
        "UIDMap": found.get("UIDMap"),
        "GIDMap": found.get("GIDMap"),
    }
