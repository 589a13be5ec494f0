"""Mounts of the runtime's spec: what of the host would be in the container.

Podman mounts what spec.dump says, but for those files that it makes for each container; a CRI runtime mounts
what the request declares, and refuses to restore where one of the archive's mounts is not declared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cryoscope.checkpoint.container.dumps import objects, strings, take
from cryoscope.engines.port import HARD, NOTE
from cryoscope.engines.vetting.case import SPEC, STATUS, Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.edits import of_json
from cryoscope.engines.vetting.records import Fix, Found

OWN = frozenset(
    (
        *("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev/shm", "/run/.containerenv"),  # noqa: S108
        *("/run/secrets", "/var/run/secrets", "/var/run/.containerenv", "/dev/termination-log"),
    )
)
"""Destinations that engines fill themselves, whatever an archive says (Podman libpod/runtime_ctr.go,
setupContainer; CRI-O server/container_restore.go)."""

VOLUME = re.compile(
    r"/(?:[\w.@-]+/)*containers/storage/volumes/(?P<name>[A-Za-z0-9][\w.-]*)/_data(?:/(?!\.\.)[\w.@-]+)*"
)
"""Where Podman keeps a volume of its own."""

PSEUDO = frozenset(("proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2"))
"""Types of mounts that bring nothing of the host by themselves."""

DECLARE = "declare the mount with a source of your own"


def look(case: Case) -> Iterator[Found]:
    """The mounts of spec.dump, and of status.dump where they differ."""
    for mount in case.mounts:
        yield from _judged(case, mount)
    known = {take(mount, "destination", kind=str) for mount in case.mounts}
    for mount in objects(case.document(STATUS).get("mounts")):
        path = take(mount, "container_path", kind=str) or ""
        if path not in known:
            what = f"names a mount that the spec has not, from {shown(mount.get('host_path'))}"
            yield case.found("mount.extra", what, f"{STATUS} mounts: {shown(path)}", weight=NOTE)


def _judged(case: Case, mount: dict[str, Any]) -> Iterator[Found]:
    destination = take(mount, "destination", kind=str) or ""
    source = take(mount, "source", kind=str) or ""
    field = f"mounts: {shown(destination)}"
    if not destination.startswith("/") or climbs(destination):
        what = f"mounts at {shown(destination)}, which is no place in a container"
        yield case.found("mount.destination", what, f"{SPEC} {field}", weight=HARD)
    elif _of_no_host(mount):
        return
    elif destination in case.policy.mounts:
        wanted = case.policy.mounts[destination]
        if wanted and wanted != source:
            fix = Fix(SPEC, change=_sourced(destination, wanted))
            yield case.found(
                "mount.declared", f"comes from {shown(wanted)}", f"{SPEC} {field}", fix, weight=NOTE
            )
    elif not _own(case, destination, source):
        what = f"mounts {shown(source) or 'something'} of the host ({shown(mount.get('type'))})"
        if case.takes_spec:
            yield case.found("mount.host-path", what, f"{SPEC} {field}", cure=DECLARE)
        else:
            yield case.found("mount.host-path", what, f"{SPEC} {field}", weight=NOTE, cure=DECLARE)


def _of_no_host(mount: dict[str, Any]) -> bool:
    bound = {"bind", "rbind"} & set(strings(mount.get("options")))
    return mount.get("type") in PSEUDO and not bound


def _own(case: Case, destination: str, source: str) -> bool:
    """Whether the engine puts something of its own there."""
    if destination in OWN or destination.startswith("/run/secrets/"):
        return True
    found = VOLUME.fullmatch(source)
    listed = objects(case.config.get("namedVolumes"))
    return found is not None and any(volume.get("volumeName") == found["name"] for volume in listed)


def climbs(path: str) -> bool:
    """Whether a path has a part that leads up."""
    return ".." in path.split("/") or "\0" in path


def _sourced(destination: str, source: str) -> Any:
    def change(spec: Any) -> None:
        for mount in objects(take(spec, "mounts", kind=list)):
            if mount.get("destination") == destination:
                mount["source"] = source

    return of_json(change)


CHECK = Check("the mounts of the spec", look)
