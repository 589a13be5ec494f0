"""Podman: config.dump is libpod's whole container configuration.

Defined in podman libpod/container_config.go; network.status in its libnetwork types.
"""

from __future__ import annotations

from typing import Any

from cryoscope.checkpoint.container.container import Network
from cryoscope.checkpoint.container.dumps import Dumps, moment, objects, string_map, strings, take

NAME = "podman"
CONFIG = "config.dump"
OWN = (
    "CreateCommand",
    "command",
    "entrypoint",
    "user",
    "privileged",
    "pod",
    "networkMode",
    "newPortMappings",
    "exposedPorts",
    "namedVolumes",
    "overlayVolumes",
    "userVolumes",
    "secrets",
    "secret_env",
    "hostsAdd",
    "restart_policy",
    "stopSignal",
    "stopTimeout",
    "cgroupManager",
    "cgroupParent",
    "logDriver",
    "labelopts",
    "ProcessLabel",
    "MountLabel",
    "healthcheck",
    "cdiDevices",
    "device_host_src",
    "idMappingsOptions",
)
"""Fields of libpod's configuration that no other engine has, kept under their own names."""


def recognise(dumps: Dumps) -> str | None:
    """What tells that Podman wrote the archive."""
    if dumps.annotation("io.container.manager") == "libpod":
        return "annotation io.container.manager is libpod in spec.dump"
    if dumps.take(CONFIG, "rootfsImageID", kind=str) is not None and dumps["config.dump"].get("staticDir"):
        return "config.dump is a libpod configuration"
    return None


def describe(dumps: Dumps) -> dict[str, Any]:
    """The fields of `Container` that Podman gives."""
    config = dumps.take(CONFIG, kind=dict) or {}
    networks = _networks(dumps["network.status"])
    return {
        "id": take(config, "id", kind=str),
        "name": take(config, "name", kind=str),
        "image": take(config, "rootfsImageName", kind=str) or take(config, "RawImageName", kind=str),
        "image_id": take(config, "rootfsImageID", kind=str) or None,
        "runtime": take(config, "runtime", kind=str),
        "created": moment(take(config, "createdTime", kind=str)),
        "labels": string_map(config.get("labels")),
        "log_path": take(config, "logPath", kind=str),
        "networks": networks,
        "ips": [address.partition("/")[0] for network in networks for address in network.addresses],
        "facts": {key: config[key] for key in OWN if config.get(key)},
    }


def _networks(status: Any) -> list[Network]:
    """Interfaces of network.status: {network: {interfaces: {name: {subnets, mac_address}}}}."""
    found = []
    for network, attached in (status if isinstance(status, dict) else {}).items():
        for interface, facts in (take(attached, "interfaces", kind=dict) or {}).items():
            subnets = objects(take(facts, "subnets", kind=list))
            found.append(
                Network(
                    network=network,
                    interface=interface,
                    addresses=strings([subnet.get("ipnet") for subnet in subnets]),
                    gateways=strings([subnet.get("gateway") for subnet in subnets]),
                    mac=take(facts, "mac_address", kind=str),
                )
            )
    return found
