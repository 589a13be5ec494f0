"""docker-inspect.json: the settings that a live restore gives to the new container (moby, HostConfig).

The sandbox's are written anew, whatever an archive says (`engines.docker.settings`): only that the container
was not confined is told there, because CRIU's images bring that back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from cryoscope.checkpoint.container.dumps import strings, take
from cryoscope.engines.port import NOTE, SOFT
from cryoscope.engines.vetting.case import Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.checks.mounts import DECLARE
from cryoscope.engines.vetting.records import Found

INSPECT = "docker-inspect.json"


class Setting(NamedTuple):
    """A field of HostConfig: when it is wrong, and what it does."""

    name: str
    code: str
    wrong: Callable[[Any], bool]
    what: str
    weight: str = SOFT


def _filled(value: Any) -> bool:
    return bool(value)


def _joined(value: Any) -> bool:
    return isinstance(value, str) and (value == "host" or value.startswith(("container:", "ns:")))


def _loose(value: Any) -> bool:
    return any("unconfined" in one or "disable" in one for one in strings(value))


SETTINGS = (
    Setting("Privileged", "docker.privileged", _filled, "makes the container privileged"),
    Setting("CapAdd", "docker.capabilities", _filled, "gives it more capabilities"),
    Setting("SecurityOpt", "docker.confinement", _loose, "takes away its confinement"),
    Setting("Devices", "docker.devices", _filled, "brings devices of the host"),
    Setting("DeviceRequests", "docker.devices", _filled, "brings devices of the host"),
    Setting("DeviceCgroupRules", "docker.devices", _filled, "lets it use devices of the host"),
    Setting("PidMode", "docker.joined", _joined, "is in the process ids of others"),
    Setting("IpcMode", "docker.joined", _joined, "is in the shared memory of others"),
    Setting("UTSMode", "docker.joined", _joined, "has the name of the host"),
    Setting("UsernsMode", "docker.joined", _joined, "is in the user namespace of the host"),
    Setting("NetworkMode", "docker.joined", _joined, "is in the network of others", NOTE),
    Setting("CgroupParent", "docker.cgroups", _filled, "is below a control group of its own choice"),
    Setting("Sysctls", "docker.sysctl", _filled, "sets parameters of the kernel", NOTE),
    Setting("VolumesFrom", "docker.volumes", _filled, "mounts the volumes of other containers"),
    Setting("PortBindings", "docker.ports", _filled, "listens on ports of the host", NOTE),
)


def look(case: Case) -> Iterator[Found]:
    """Each setting, and folders of the host that nobody declared; for a sandbox the confinement alone."""
    host = take(case.document(INSPECT), "HostConfig", kind=dict)
    if case.policy.engine != "docker" or host is None:
        return
    for each in SETTINGS:
        if case.sandbox and each.code != "docker.confinement":
            continue
        value = host.get(each.name)
        if each.wrong(value):
            where = f"{INSPECT} HostConfig.{each.name}"
            yield case.found(each.code, f"{each.what} ({shown(value)})", where, weight=each.weight)
    for bind in strings(host.get("Binds")) if not case.sandbox else ():
        source, _, rest = bind.partition(":")
        if source.startswith("/") and rest.partition(":")[0] not in case.policy.mounts:
            what = f"mounts {shown(source)} of the host"
            yield case.found("docker.binds", what, f"{INSPECT} HostConfig.Binds", cure=DECLARE)


CHECK = Check("Docker's settings", look)
