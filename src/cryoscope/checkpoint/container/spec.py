"""What the OCI runtime spec says (spec.dump), which is the same for every engine.

Defined in the OCI runtime specification, config.md and config-linux.md.
"""

from __future__ import annotations

from typing import Any

from cryoscope.checkpoint.container.container import BindMount, SpecMount, SpecProcess
from cryoscope.checkpoint.container.dumps import Dumps, objects, string_map, strings, take

SPEC = "spec.dump"


def common(dumps: Dumps) -> dict[str, Any]:
    """The fields of `Container` that the spec gives."""
    return {
        "hostname": dumps.text(SPEC, "hostname"),
        "process": _process(dumps.take(SPEC, "process", kind=dict)),
        "namespaces": _namespaces(dumps),
        "mounts": [_mount(mount) for mount in objects(dumps.take(SPEC, "mounts", kind=list))],
        "bind_mounts": _bind_mounts(dumps),
        "annotations": string_map(dumps.take(SPEC, "annotations", kind=dict)),
    }


def _process(process: Any) -> SpecProcess | None:
    if process is None:
        return None
    capabilities = take(process, "capabilities", kind=dict) or {}
    return SpecProcess(
        args=strings(process.get("args")),
        env=strings(process.get("env")),
        cwd=take(process, "cwd", kind=str),
        uid=take(process, "user", "uid", kind=int),
        gid=take(process, "user", "gid", kind=int),
        terminal=take(process, "terminal", kind=bool) or False,
        capabilities={str(kind): strings(names) for kind, names in capabilities.items()},
        no_new_privileges=take(process, "noNewPrivileges", kind=bool) or False,
        apparmor_profile=take(process, "apparmorProfile", kind=str),
        selinux_label=take(process, "selinuxLabel", kind=str),
    )


def _namespaces(dumps: Dumps) -> dict[str, str | None]:
    """Path to join by kind, None for a new one; a kind that is absent is the host's."""
    found = objects(dumps.take(SPEC, "linux", "namespaces", kind=list))
    return {str(space.get("type")): take(space, "path", kind=str) for space in found}


def _mount(mount: dict[str, Any]) -> SpecMount:
    return SpecMount(
        destination=take(mount, "destination", kind=str) or "",
        type=take(mount, "type", kind=str),
        source=take(mount, "source", kind=str),
        options=strings(mount.get("options")),
    )


def _bind_mounts(dumps: Dumps) -> list[BindMount]:
    found = []
    for mount in objects(dumps["bind.mounts"]):
        permissions = take(mount, "permissions", kind=int)
        found.append(
            BindMount(
                source=take(mount, "source", kind=str) or "",
                destination=take(mount, "destination", kind=str) or "",
                file_type=take(mount, "file_type", kind=str),
                mode=None if permissions is None else f"{permissions & 0o7777:04o}",
            )
        )
    return found
