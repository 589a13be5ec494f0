"""Podman's config.dump, which becomes the container's configuration as it is (libpod/container_config.go).

Podman resets the log's path, and pid files below its own folder (libpod/runtime_ctr.go)
and believes the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from cryoscope.checkpoint.container.dumps import objects, strings, take
from cryoscope.engines.port import HARD, NOTE, SOFT
from cryoscope.engines.vetting.case import CONFIG, Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.checks.mounts import climbs
from cryoscope.engines.vetting.edits import of_json
from cryoscope.engines.vetting.records import Fix, Found

GONE = object()
"""The field is taken out of the copy."""

OWN_FILE = re.compile(
    r"/(?:var/)?(?:run|tmp)/(?:[\w@.-]+/)*(?:overlay|vfs|btrfs|zfs)-containers/[0-9a-f]{64}/userdata/[\w.-]+"
)
"""A file of Podman's for one container, below its run root."""

VOLUME = re.compile(r"[A-Za-z0-9][\w.-]*")
SELINUX = 1
"""inventory_entry.lsmtype (images/inventory.proto)."""

LOGS = ("k8s-file", "json-file", "journald", "none", "")


class Field(NamedTuple):
    """A field: when it is wrong, what it does, and what the copy has in its place."""

    name: str
    code: str
    wrong: Callable[[Any], bool]
    what: str
    instead: Any = GONE
    always: bool = False
    """Cleaned in a live restore too."""


def _filled(value: Any) -> bool:
    return bool(value)


def _strange_file(value: Any) -> bool:
    return bool(value) and not (isinstance(value, str) and OWN_FILE.fullmatch(value))


# fmt: off
FIELDS = (
    Field("rootfs", "podman.rootfs", _filled, "takes a folder of the host as the container's root"),
    Field("rootfs_overlay", "podman.rootfs", _filled, "lays a folder of the host below the container's root"),
    Field("rootfs_mapping", "podman.rootfs", _filled, "maps a folder of the host as the container's root"),
    Field("conmonPidFile", "podman.host-file", _strange_file, "writes a pid to the host", always=True),
    Field("pid_file", "podman.host-file", _strange_file, "writes a pid to the host", always=True),
    Field("sdnotifySocket", "podman.host-file", _filled, "is a socket of the host", always=True),
    Field("sdnotifyMode", "podman.notify", lambda v: v not in ("container", "ignore", "", None),
          "has the container speak for its service"),
    Field("baseHostsFile", "podman.host-file", lambda v: v not in ("", "none", "image", None),
          "copies a file of the host into the container"),
    Field("healthLogDestination", "podman.host-file", lambda v: v not in ("local", "events_logger", "", None),
          "has the results of health checks written to the host", "local", always=True),
    Field("logDriver", "podman.log", lambda v: v not in (*LOGS, None), "has its log elsewhere", "k8s-file"),
    Field("logTag", "podman.log", lambda v: "{{" in str(v), "is a template", ""),
    Field("chroot_directories", "podman.host-file", _filled, "has files made in other folders", always=True),
    Field("storageOpts", "podman.storage", _filled, "sets options of the storage"),
    Field("HostUsers", "podman.users", _filled, "copies users of the host"),
    Field("privileged", "podman.privileged", _filled, "makes the container privileged", False),
    Field("mountAllDevices", "podman.privileged", _filled, "mounts all devices of the host", False),
    Field("device_host_src", "podman.devices", _filled, "brings devices of the host"),
    Field("cdiDevices", "podman.cdi", _filled, "brings devices, mounts and hooks of the host", always=True),
    Field("gpus", "podman.cdi", _filled, "brings devices of the host", always=True),
    Field("overlayVolumes", "podman.volumes", _filled, "mounts folders of the host"),
    Field("ctrImageVolumes", "podman.volumes", _filled, "mounts other images"),
    Field("artifactVolumes", "podman.volumes", _filled, "mounts artifacts"),
    Field("secrets", "podman.secrets", _filled, "mounts secrets of the host"),
    Field("secret_env", "podman.secrets", _filled, "puts secrets of the host into the environment"),
    Field("newPortMappings", "podman.ports", _filled, "listens on ports of the host"),
    Field("portMappings", "podman.ports", _filled, "listens on ports of the host"),
    Field("restart_policy", "podman.restart", lambda v: v not in ("", "no", None), "starts by itself", "no"),
    Field("healthcheck", "podman.healthcheck", _filled, "has a timer run a command", None),
    Field("startupHealthCheck", "podman.healthcheck", _filled, "has a timer run a command"),
    Field("healthcheck_on_failure_action", "podman.healthcheck", _filled, "acts by itself", 0),
    Field("preserveFds", "podman.descriptors", _filled, "inherits descriptors of the engine"),
    Field("preserveFd", "podman.descriptors", _filled, "inherits descriptors of the engine"),
    Field("isService", "podman.service", _filled, "is a service container", False),
    Field("noCgroups", "podman.cgroups", _filled, "is in no control group: no limit holds it", False),
)
# fmt: on
TOLD = (
    "podman.ports",
    "podman.restart",
    "podman.healthcheck",
    "podman.log",
    "podman.notify",
    "podman.service",
)
"""What a live restore brings back without asking: it is what the container was made with."""

JOINED = ("ipcNsCtr", "mountNsCtr", "netNsCtr", "pidNsCtr", "userNsCtr", "utsNsCtr", "cgroupNsCtr")


def look(case: Case) -> Iterator[Found]:
    """Each field of the table, and those that are judged together; nothing where Podman does not restore."""
    if case.policy.engine != "podman" or not case.config:
        return
    for field in FIELDS:
        value = case.config.get(field.name)
        if field.wrong(value):
            yield _found(case, field)
    yield from _mode(case)
    yield from _volumes(case)
    for name in JOINED:
        if case.config.get(name):
            what = f"is in a namespace of container {shown(case.config[name])}"
            yield case.found("podman.joined", what, f"{CONFIG} {name}")
    told = strings(case.config.get("labelopts"))
    if any("disable" in one for one in told):
        what = f"was made without the labels of SELinux ({shown(', '.join(told))})"
        weight = SOFT if _has_selinux(case) else NOTE
        yield case.found("podman.unlabelled", what, f"{CONFIG} labelopts", weight=weight)
    for name in ("ProcessLabel", "MountLabel"):
        label = case.config.get(name)
        if isinstance(label, str) and any(kind in label for kind in (":spc_t:", ":unconfined_t:")):
            what = f"has the label {shown(label)}"
            fix = [Fix(CONFIG, change=_set(name, ""))] if case.sandbox else []
            yield case.found("podman.label", what, f"{CONFIG} {name}", *fix)


def _has_selinux(case: Case) -> bool:
    """Whether the machine had SELinux: on every other Podman itself notes that there are no labels."""
    inventory = case.images.inventory
    return inventory is not None and inventory.lsmtype == SELINUX


def _found(case: Case, field: Field) -> Found:
    fixes = [Fix(CONFIG, change=_set(field.name, field.instead))] if case.sandbox or field.always else []
    weight = HARD if field.always else NOTE if field.code in TOLD and not case.sandbox else None
    return case.found(field.code, field.what, f"{CONFIG} {field.name}", *fixes, weight=weight)


def _mode(case: Case) -> Iterator[Found]:
    """The namespace of the network by its mode; whose network it is the sandbox decides."""
    mode = take(case.config, "networkMode", kind=str) or ""
    if mode.startswith("ns:") or mode == "host":
        yield case.found(
            "podman.network", f"has the network {shown(mode)}", f"{CONFIG} networkMode", weight=SOFT
        )
    parent = take(case.config, "cgroupParent", kind=str) or ""
    if climbs(parent):
        fix = Fix(CONFIG, change=_set("cgroupParent", ""))
        what = f"is below the control group {shown(parent)}"
        yield case.found("podman.cgroups", what, f"{CONFIG} cgroupParent", fix, weight=HARD)


def _volumes(case: Case) -> Iterator[Found]:
    for volume in objects(case.config.get("namedVolumes")):
        name, dest = take(volume, "volumeName", kind=str) or "", take(volume, "dest", kind=str) or ""
        where = f"{CONFIG} namedVolumes: {shown(name)}"
        if not VOLUME.fullmatch(name) or climbs(dest) or climbs(take(volume, "subPath", kind=str) or ""):
            yield case.found("podman.volume-name", "is no volume", where, weight=HARD)
        else:
            what = f"is made as a volume of this host, for {shown(dest)}"
            yield case.found("podman.volume", what, where, weight=NOTE)


def _set(name: str, value: Any) -> Any:
    def change(config: Any) -> None:
        if not isinstance(config, dict):
            return
        if value is GONE:
            config.pop(name, None)
        else:
            config[name] = value

    return of_json(change)


CHECK = Check("Podman's configuration", look)
