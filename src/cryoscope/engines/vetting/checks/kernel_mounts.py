"""proc, sysfs and control groups in mountpoints-*.img: what of this host's kernel the container could rule.

What protects it are mounts too (OCI, readonlyPaths and maskedPaths), and CRIU makes those that the images
have, whatever the spec says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cryoscope.checkpoint.process import Mount
from cryoscope.engines.port import NOTE, SOFT
from cryoscope.engines.vetting.case import Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.checks.paths import PRIVILEGED
from cryoscope.engines.vetting.checks.restored_mounts import GROUPS
from cryoscope.engines.vetting.edits import of_image
from cryoscope.engines.vetting.records import Fix, Found

PLACES = {"proc": "/proc", "sysfs": "/sys"}
SYSTEM = {"proc": "/proc/sys"}
"""What engines protect on every kernel; sysfs they protect as a whole."""

MS_RDONLY = 1
"""The bit of mount(2)."""


def look(case: Case) -> Iterator[Found]:
    """Each mount of these types, and what should lie over it and does not."""
    for mount in case.checkpoint.mounts:
        if mount.external or (mount.mountpoint == "/" and mount.fstype not in PLACES):
            continue
        if mount.fstype in PLACES:
            yield from _kernel(case, mount)
        elif mount.fstype in GROUPS and case.sandbox and "ro" not in mount.flags:
            yield _open(case, mount, "the control groups of the host")


def _kernel(case: Case, mount: Mount) -> Iterator[Found]:
    place = PLACES[mount.fstype]
    if mount.root == "/" and (mount.mountpoint == place or not case.sandbox):
        system = SYSTEM.get(mount.fstype, place).replace(place, mount.mountpoint, 1)
        whole = "ro" in mount.flags or not _guarded(case, mount, system)
        if whole and "ro" not in mount.flags:
            yield _open(case, mount, f"the kernel's {system}")
        if case.sandbox and mount.fstype == "proc":
            yield from _unmasked(case, mount, NOTE if whole else SOFT)
    elif case.sandbox and not _guards(case, mount, place):
        what = f"has {shown(mount.root)} of the kernel's {mount.fstype}, where no engine mounts it"
        yield case.found("criu.mount-kernel", what, _where(case, mount))


def _guards(case: Case, mount: Mount, place: str) -> bool:
    """Whether it is what runtimes lay over their own mount: a part of it over itself, read-only."""
    above = [one for one in _of(case, mount) if one.id == mount.parent_id and one.mountpoint == place]
    return (
        mount.mountpoint == place + mount.root
        and "ro" in mount.flags
        and any(one.fstype == mount.fstype and one.device == mount.device for one in above)
    )


def _guarded(case: Case, mount: Mount, path: str) -> bool:
    """Whether a child of the mount lies over a path: the same read-only, or something else that hides it."""
    for one in _of(case, mount):
        if one.parent_id != mount.id or one.mountpoint != path or one.id == mount.id:
            continue
        if one.external or one.fstype not in (*PLACES, *GROUPS):
            return True
        within = path.removeprefix(mount.mountpoint.rstrip("/"))
        return "ro" in one.flags and (one.device, one.root) == (mount.device, within)
    return False


def _of(case: Case, mount: Mount) -> list[Mount]:
    return [one for one in case.checkpoint.mounts if one.namespace == mount.namespace]


def _unmasked(case: Case, mount: Mount, weight: str) -> Iterator[Found]:
    """What engines hide or protect below /proc; the lists of an archive are not asked, they are its own.

    Where all of /proc is read-only, nothing of it can be written.
    """
    if case.policy.engine == "criu":
        return
    missing = [path for path in case.policy.kernel if not _guarded(case, mount, path)]
    if missing:
        what = f"lets the container at {', '.join(missing)} of the kernel, which engines mask or protect"
        yield case.found("criu.mount-unmasked", what, _where(case, mount), weight=weight, cure=PRIVILEGED)


def _open(case: Case, mount: Mount, what: str) -> Found:
    """Something that can be written; a sandbox has it read-only as a whole."""
    name = f"mountpoints-{mount.namespace}.img"
    member = case.images.member(name) or name
    fixes = [Fix(member, change=of_image(name, _read_only(mount.id)))] if case.sandbox else []
    where = f"{member}: {mount.mountpoint}"
    return case.found("criu.mount-unprotected", f"lets the container write to {what}", where, *fixes)


def _where(case: Case, mount: Mount) -> str:
    return f"{case.prefix}mountpoints-{mount.namespace}.img: {mount.mountpoint}"


def _read_only(number: int) -> Callable[[Any], None]:
    def change(entry: Any) -> None:
        if entry.mnt_id == number:
            entry.flags |= MS_RDONLY

    return change


CHECK = Check("the kernel's file systems in CRIU's images", look)
