"""The new container of a restore: what of the old one's settings it gets.

Live it gets all of them.  For the sandbox each is written here: what the archive says of it is taken only
where it gives no right and CRIU needs it to find the mounts again that it dumped.
"""

from __future__ import annotations

import posixpath
from typing import Any

import msgspec

from cryoscope.engines.docker.network import LABEL
from cryoscope.engines.port import RestoreOptions

CPU = 1_000_000_000
LOG = {"Type": "json-file", "Config": {"max-size": "64m", "max-file": "2"}}
COMMAND = ("Cmd", "Entrypoint", "Env", "User", "WorkingDir", "Tty", "OpenStdin", "StdinOnce")
PATHS = ("MaskedPaths", "ReadonlyPaths")


class Old(msgspec.Struct, frozen=True):
    """What the archive says of the container, every part of the expected type or empty."""

    config: dict[str, Any]
    host: dict[str, Any]
    mounts: list[dict[str, Any]]
    image: str
    name: str

    @property
    def network(self) -> str:
        return str(self.host.get("NetworkMode") or "default")


def old(inspect: Any) -> Old:
    """The settings in a container's inspection."""
    mounts = inspect.get("Mounts")
    return Old(
        config=_dict(inspect.get("Config")),
        host=_dict(inspect.get("HostConfig")),
        mounts=[each for each in mounts if isinstance(each, dict)] if isinstance(mounts, list) else [],
        image=str(inspect.get("Image") or ""),
        name=str(inspect.get("Name") or "").lstrip("/"),
    )


def sandboxed(
    old: Old, image: str, network: str, options: RestoreOptions, files: dict[str, str]
) -> dict[str, Any]:
    """Settings of the sandbox; `files` are empty files of ours on the host by where they stand for binds."""
    host: dict[str, Any] = {
        "NetworkMode": f"container:{network}",
        "Memory": options.memory,
        "MemorySwap": options.memory,
        "PidsLimit": options.processes,
        "NanoCpus": int(options.cpus * CPU),
        "SecurityOpt": ["no-new-privileges"],
        "CapDrop": _strings(old.host.get("CapDrop")),
        "Privileged": False,
        "RestartPolicy": {"Name": "no"},
        "IpcMode": "private",
        "LogConfig": LOG,
        "Mounts": [_copy(place, files) for place in places(old)],
        "Tmpfs": {key: str(value) for key, value in _dict(old.host.get("Tmpfs")).items() if _is_place(key)},
        "ShmSize": old.host.get("ShmSize") if isinstance(old.host.get("ShmSize"), int) else 0,
        "ReadonlyRootfs": bool(old.host.get("ReadonlyRootfs")),
    }
    host |= {key: _strings(old.host[key]) for key in PATHS if isinstance(old.host.get(key), list)}
    if old.host.get("CgroupnsMode") in ("host", "private"):
        host["CgroupnsMode"] = old.host["CgroupnsMode"]
    config = {key: old.config[key] for key in COMMAND if key in old.config}
    healthy = {"Healthcheck": {"Test": ["NONE"]}, "Labels": {LABEL: options.name}}
    return config | healthy | {"Image": image, "HostConfig": host}


def lively(old: Old, image: str, options: RestoreOptions) -> dict[str, Any]:
    """Settings of a container that goes on in the place of the old one."""
    host = {key: value for key, value in old.host.items() if key not in ("ContainerIDFile", "Links")}
    if options.pod:
        host["NetworkMode"] = f"container:{options.pod}"
    config = {key: value for key, value in old.config.items() if key not in ("Hostname", "Domainname")}
    return config | {"Image": image, "HostConfig": host}


def places(old: Old) -> list[str]:
    """Where volumes and folders of the host were mounted."""
    found = [each.get("Destination") for each in old.mounts if each.get("Type") in ("volume", "bind")]
    return sorted({posixpath.normpath(str(path)) for path in found if _is_place(path)})


def _copy(place: str, files: dict[str, str]) -> dict[str, Any]:
    if place in files:
        return {"Type": "bind", "Source": files[place], "Target": place, "ReadOnly": True}
    return {"Type": "volume", "Target": place, "VolumeOptions": {"NoCopy": True}}


def _is_place(path: Any) -> bool:
    return isinstance(path, str) and path.startswith("/") and posixpath.normpath(path) != "/"


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _strings(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
