"""Places of the spec: the root, what is masked of the kernel's files, control groups, sysctls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cryoscope.checkpoint.container.dumps import string_map, take
from cryoscope.engines.port import HARD, NOTE, SOFT
from cryoscope.engines.vetting.case import SPEC, Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.checks.mounts import climbs
from cryoscope.engines.vetting.edits import of_json
from cryoscope.engines.vetting.records import Fix, Found

MASKED = ("/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/acpi", "/sys/firmware")
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
"""What every engine masks and protects (containerd oci/spec.go, defaultMaskedPaths, defaultReadonlyPaths)."""

SYSCTLS = re.compile(
    r"net\.[\w./-]+|kernel\.(?:shm\w+|msg\w+|sem|domainname|hostname)|fs\.mqueue\.\w+|kernel\.shm_rmid_forced"
)
"""Those of a namespace (runc refuses others where it is new: libcontainer/configs/validate)."""

PRIVILEGED = "the container was made with more rights than usual"

STORES = re.compile(
    r"/(?:[^/]+/)*(?:overlay|vfs|btrfs|zfs|snapshots|overlay2|diff)/[^/]+(?:/merged|/diff|/fs)?|rootfs"
)


def look(case: Case) -> Iterator[Found]:
    """Each of these places."""
    yield from _root(case)
    yield from _kernel(case, "maskedPaths", MASKED, "spec.masked-paths", "may see")
    yield from _kernel(case, "readonlyPaths", READ_ONLY, "spec.readonly-paths", "may write")
    for name in string_map(take(case.spec, "linux", "sysctl", kind=dict)):
        if not SYSCTLS.fullmatch(name):
            fix = Fix(SPEC, change=of_json(_without(("linux", "sysctl"), name)))
            yield case.of_spec("spec.sysctl", f"sets {shown(name)} of the host", "linux.sysctl", fix)
    group = take(case.spec, "linux", "cgroupsPath", kind=str)
    if group is not None and (climbs(group) or group.strip("/") == ""):
        what = f"puts the container into the control group {shown(group)}"
        yield case.found("spec.cgroup-path", what, f"{SPEC} linux.cgroupsPath", weight=HARD)
    for field in ("intelRdt", "rootfsPropagation"):
        value = take(case.spec, "linux", field, kind=dict) or take(case.spec, "linux", field, kind=str)
        if value in ("shared", "rshared") or isinstance(value, dict):
            fix = Fix(SPEC, change=of_json(_without(("linux",), field)))
            yield case.of_spec("spec.propagation", f"sets {field}", f"linux.{field}", fix)


def _root(case: Case) -> Iterator[Found]:
    """The root is the engine's to make; one elsewhere would be a folder of the host."""
    path = take(case.spec, "root", "path", kind=str)
    if path is not None and (climbs(path) or not STORES.fullmatch(path)):
        what = f"has {shown(path)} of the host as its root"
        yield case.of_spec("spec.root", what, "root.path")


def _kernel(case: Case, field: str, wanted: tuple[str, ...], code: str, may: str) -> Iterator[Found]:
    """The two lists; what is in force after a restore CRIU's images say (see `restored_mounts`)."""
    missing = [path for path in wanted if path not in case.words("linux", field)]
    if missing and case.object("linux"):
        weight = SOFT if case.takes_spec else NOTE
        where = f"{SPEC} linux.{field}"
        yield case.found(code, f"{may} {', '.join(missing)}", where, weight=weight, cure=PRIVILEGED)


def _without(path: tuple[str, ...], name: str) -> Any:
    return lambda spec: (take(spec, *path, kind=dict) or {}).pop(name, None)


CHECK = Check("the places of the spec", look)
