"""Docker: what its daemon said of the container and its image, in the archive that Cryoscope makes.

docker-inspect.json and docker-image.json are ContainerInspectResponse and ImageInspect of moby's
api/swagger.yaml.  A checkpoint of Docker itself is a folder of bare CRIU images (moby daemon/checkpoint.go);
who it was is then only in the cgroup paths and the host name.  descriptors.json is runc's
(libcontainer/criu_linux.go).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any

from cryoscope.checkpoint.container.cgroup import OF_DOCKER, id_in_cgroup, image_member
from cryoscope.checkpoint.container.container import Network, SpecMount, SpecProcess
from cryoscope.checkpoint.container.dumps import Dumps, moment, objects, string_map, strings, take

NAME = "docker"
INSPECT, IMAGE = "docker-inspect.json", "docker-image.json"
OF_HOST = (
    "NetworkMode",
    "PortBindings",
    "RestartPolicy",
    "AutoRemove",
    "Privileged",
    "CapAdd",
    "CapDrop",
    "SecurityOpt",
    "Binds",
    "Tmpfs",
    "VolumesFrom",
    "PidMode",
    "IpcMode",
    "UTSMode",
    "UsernsMode",
    "CgroupnsMode",
    "ReadonlyRootfs",
    "Devices",
    "Memory",
    "NanoCpus",
    "PidsLimit",
    "ExtraHosts",
)
"""Settings of Docker's that are kept under their own names."""
OF_CONFIG = ("User", "ExposedPorts", "Healthcheck", "StopSignal", "Volumes")


def recognise(dumps: Dumps) -> str | None:
    """What tells that Docker had the checkpoint made."""
    if dumps.text(INSPECT, "Id"):
        return f"{INSPECT}, the answer of docker's daemon"
    if any(name in dumps.archive for name in ("config.dump", "spec.dump")):
        return None
    if id_in_cgroup(dumps, OF_DOCKER) is None:
        return None
    return "a docker container's cgroup path in cgroup.img, and no config.dump"


def describe(dumps: Dumps) -> dict[str, Any]:
    """The fields of `Container` that can be told of a Docker checkpoint."""
    if dumps[INSPECT] is None:
        runtime = "runc" if image_member(dumps, "descriptors.json") else None
        return {"id": id_in_cgroup(dumps, OF_DOCKER), "runtime": runtime}
    networks = [*_networks(dumps)]
    return {
        "id": dumps.text(INSPECT, "Id"),
        "name": (dumps.text(INSPECT, "Name") or "").lstrip("/") or None,
        "image": dumps.text(INSPECT, "Config", "Image"),
        "image_id": dumps.text(INSPECT, "Image"),
        "runtime": dumps.text(INSPECT, "HostConfig", "Runtime"),
        "created": moment(dumps.text(INSPECT, "Created")),
        "started": moment(dumps.text(INSPECT, "State", "StartedAt")),
        "labels": string_map(dumps.take(INSPECT, "Config", "Labels", kind=dict)),
        "log_path": dumps.text(INSPECT, "LogPath"),
        "networks": networks,
        "ips": [address.partition("/")[0] for network in networks for address in network.addresses],
        "facts": _facts(dumps),
    } | (_without_spec(dumps) if "spec.dump" not in dumps.archive else {})


def _networks(dumps: Dumps) -> Iterator[Network]:
    """NetworkSettings.Networks: {network: EndpointSettings}; the interface has no name there."""
    for network, facts in (dumps.take(INSPECT, "NetworkSettings", "Networks", kind=dict) or {}).items():
        found = [
            f"{take(facts, address, kind=str)}/{take(facts, prefix, kind=int)}"
            for address, prefix in (
                ("IPAddress", "IPPrefixLen"),
                ("GlobalIPv6Address", "GlobalIPv6PrefixLen"),
            )
            if take(facts, address, kind=str)
        ]
        yield Network(
            network=str(network),
            interface="",
            addresses=found,
            gateways=[gateway for gateway in strings([facts.get("Gateway")]) if gateway]
            if isinstance(facts, dict)
            else [],
            mac=take(facts, "MacAddress", kind=str) or None,
        )


def _facts(dumps: Dumps) -> dict[str, Any]:
    host = dumps.take(INSPECT, "HostConfig", kind=dict) or {}
    config = dumps.take(INSPECT, "Config", kind=dict) or {}
    facts = {key: host[key] for key in OF_HOST if host.get(key)}
    facts |= {key: config[key] for key in OF_CONFIG if config.get(key)}
    facts["namedVolumes"] = [
        {"volumeName": mount.get("Name"), "dest": mount.get("Destination"), "source": mount.get("Source")}
        for mount in objects(dumps.take(INSPECT, "Mounts", kind=list))
        if mount.get("Type") == "volume"
    ]
    facts["image"] = {
        key: dumps.take(IMAGE, key, kind=list)
        for key in ("RepoTags", "RepoDigests")
        if dumps.take(IMAGE, key, kind=list)
    }
    return {key: value for key, value in facts.items() if value}


def _without_spec(dumps: Dumps) -> dict[str, Any]:
    """What the runtime's specification would say, where its bundle was not found."""
    config = dumps.take(INSPECT, "Config", kind=dict) or {}
    program = dumps.text(INSPECT, "Path")
    return {
        "process": SpecProcess(
            args=([program] if program else []) + strings(dumps.take(INSPECT, "Args", kind=list)),
            env=strings(config.get("Env")),
            cwd=take(config, "WorkingDir", kind=str) or None,
            terminal=take(config, "Tty", kind=bool) or False,
        ),
        "hostname": take(config, "Hostname", kind=str) or None,
        "mounts": [_mount(each) for each in objects(dumps.take(INSPECT, "Mounts", kind=list))],
    }


def _mount(mount: dict[str, Any]) -> SpecMount:
    return SpecMount(
        destination=posixpath.normpath(take(mount, "Destination", kind=str) or "/"),
        type="bind",
        source=take(mount, "Source", kind=str),
        options=["rw" if mount.get("RW") else "ro"],
    )
