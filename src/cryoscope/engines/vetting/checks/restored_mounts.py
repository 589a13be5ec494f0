"""Mounts in the images: CRIU makes them all again, as root, from what mountpoints-*.img says.

What comes from outside has a key for which the runtime gives a path of the host (criu/mount.c, ext_key);
all else CRIU mounts itself, by type, source and options.  What is of the kernel `kernel_mounts` judges.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterator

from cryoscope.checkpoint.container.dumps import take
from cryoscope.checkpoint.process import Mount
from cryoscope.engines.port import HARD, NOTE
from cryoscope.engines.vetting.case import Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.checks.mounts import OWN, climbs
from cryoscope.engines.vetting.records import Found

MADE = frozenset(("proc", "sysfs", "tmpfs", "devpts", "mqueue"))
"""Types that have nothing of the host in them when they are mounted anew in the container's namespaces."""

GROUPS = ("cgroup", "cgroup2")
GROUPS_AT = "/sys/fs/cgroup"
RUNTIME = re.compile(
    r"/dev/(?:null|zero|full|random|urandom|tty|console|ptmx)"
    r"|/(?:run|var/run)(?:/user/\d+)?/crun/\.empty-directory"
    r"|/proc/(?:acpi|asound|bus|fs|interrupts|irq|kcore|keys|latency_stats|sched_debug|scsi|sys"
    r"|sysrq-trigger|timer_list|timer_stats)|/sys/(?:firmware|fs/selinux|devices/virtual/powercap)"
    r"|/sys/devices/system/cpu/cpu\d+/thermal_throttle|/sys/fs/cgroup(?:/[\w,=.-]+)?|CRIU:\w+"
)
"""Keys of what runtimes mask, and of control groups (libcontainer/criu_linux.go, crun criu.c)."""


def look(case: Case) -> Iterator[Found]:
    """Each mount of each namespace."""
    keys = _keys(case)
    for mount in case.checkpoint.mounts:
        yield from _judged(case, mount, keys)
    if case.sandbox:
        yield from _twice(case)


def _twice(case: Case) -> Iterator[Found]:
    """Two mounts at one place, of which the judgement of one would hide the other; or with one number."""
    mounts = case.checkpoint.mounts
    counts = Counter((mount.namespace, mount.mountpoint) for mount in mounts)
    counts += Counter((mount.namespace, f"number {mount.id}") for mount in mounts)
    for (namespace, at), count in counts.items():
        if count > 1:
            where = f"{case.prefix}mountpoints-{namespace}.img: {at}"
            yield case.found("criu.mount-twice", f"has {count} mounts in one place", where)


def _keys(case: Case) -> set[str]:
    """What the runtime gives a path for: the mounts of the spec, those that engines make, declared ones."""
    listed = {take(mount, "destination", kind=str) or "" for mount in case.mounts}
    devices = case.object("linux").get("devices")
    made = {str(device.get("path")) for device in devices or () if isinstance(device, dict)}
    return listed | made | set(OWN) | set(case.policy.mounts)


def _judged(case: Case, mount: Mount, keys: set[str]) -> Iterator[Found]:
    where = f"{case.prefix}mountpoints-{mount.namespace}.img: {mount.mountpoint}"
    crooked = posixpath.normpath(mount.mountpoint) != mount.mountpoint
    if crooked or climbs(mount.root) or climbs(mount.key or ""):
        yield case.found("criu.mount-path", "has a path that leads out", where, weight=HARD)
    elif mount.external:
        key = mount.key or mount.root
        if key not in keys and not RUNTIME.fullmatch(key):
            what = f"comes from outside by the key {shown(key)}, which the container does not have"
            weight = (
                None if case.spec else NOTE
            )  # then only the runtime knows, and CRIU refuses what it does not
            yield case.found("criu.external-mount", what, where, weight=weight)
    elif mount.mountpoint == "/" or _made(case, mount):
        return
    elif mount.fstype in GROUPS:
        yield case.found("criu.mount-cgroup", "mounts control groups where no engine does", where)
    else:
        what = f"has CRIU mount {shown(mount.fstype)} from {shown(mount.source)}"
        yield case.found("criu.mount-type", what, where)


def _made(case: Case, mount: Mount) -> bool:
    if mount.fstype in MADE:
        return True
    return mount.fstype in GROUPS and (mount.mountpoint + "/").startswith(GROUPS_AT + "/")


CHECK = Check("mounts in CRIU's images", look)
