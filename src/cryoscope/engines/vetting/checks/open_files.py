"""Open files in the images: CRIU opens each by its path in a mount, or takes it from its caller."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from cryoscope.checkpoint.process.files import File
from cryoscope.engines.port import HARD, NOTE
from cryoscope.engines.vetting.case import Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.checks.mounts import climbs
from cryoscope.engines.vetting.links import OUTSIDE, Links
from cryoscope.engines.vetting.records import Found
from cryoscope.text import readable

KERNEL = re.compile(
    r"/proc/(?:sys(?:/.*)?|sysrq-trigger|kcore|kpage\w+|kmsg|bus/.*|irq/.*|acpi/.*)|/sys/.*"
    r"|/dev/(?:mem|kmem|port|kmsg)|.*/release_agent|.*/(?:core_pattern|uevent_helper)"
)
"""Files by which the host's kernel is ruled or read."""

LEAK = re.compile(
    r"/proc/(?:self|thread-self|\d+)/(?:.*/)?(?:fd|root|cwd|ns|task|map_files|exe)(?:/.*)?"
    r"|/dev/fd(?:/.*)?|/proc/1/.*"
)
"""Ways through descriptors of others: the folder of CVE-2024-21626."""

KERNELS = ("/proc", "/sys", "/dev")

HARMLESS = re.compile(
    r"/dev/(?:null|zero|full|u?random|tty|console|ptmx|pts/\d+|pts/ptmx|fuse|net/tun|shm/.*|mqueue/.*)"
)
BLOCK, CHARACTER, KIND = 0o060000, 0o020000, 0o170000
ANY = -1
"""The mount of a file where CRIU does not say which: the namespace's root."""


class Known(NamedTuple):
    """What names are held against: the numbers of the mounts, and the links of the trees."""

    mounts: set[int]
    links: Links


def look(case: Case) -> Iterator[Found]:
    """Every file that anybody has open, works in or maps."""
    mounts = case.checkpoint.mounts
    known = Known({mount.id for mount in mounts}, Links(case.trees, mounts))
    for file in case.checkpoint.files:
        where = f"{case.prefix}files.img file {file.id}"
        yield from JUDGES.get(file.type, _others)(case, file, where, known)


def _regular(case: Case, file: File, where: str, known: Known) -> Iterator[Found]:
    told = readable(file.name)
    name = posixpath.normpath(told).replace("//", "/") if told.startswith("/") else told
    entry = file.entry
    writes = bool(entry.flags & 3)
    if not told.startswith("/") or climbs(told):
        yield case.found("criu.file-outside", f"{shown(name)} leads out of the container", where, weight=HARD)
    elif entry.ext:
        yield case.found("criu.file-external", f"{shown(name)} is a file of the host", where)
    elif entry.mnt_id != ANY and known.mounts and entry.mnt_id not in known.mounts:
        yield case.found("criu.file-outside", f"{shown(name)} lies in no mount of the container", where)
    elif (end := _end(name, known.links)) is not None:
        what = f"{shown(name)} leads to {shown(end)} through a link of the archive"
        yield case.found("criu.file-link", what, where)
    elif LEAK.fullmatch(name):
        yield case.found("criu.file-leak", f"{shown(name)} leads through a descriptor", where)
    elif KERNEL.fullmatch(name) and writes:
        yield case.found("criu.file-kernel", f"{shown(name)} is open for writing", where)
    elif _is_device(entry) and not HARMLESS.fullmatch(name) and name not in case.policy.devices:
        yield case.found("criu.file-device", f"{shown(name)} is a device", where)


def _end(name: str, links: Links) -> str | None:
    """Where a name leads through links of the archive, if that is out or to the kernel's files."""
    end = links.end(name)
    if end is None or (end != OUTSIDE and not _of_kernel(end)) or HARMLESS.fullmatch(end):
        return None
    return end


def _of_kernel(path: str) -> bool:
    return any(path == one or path.startswith(one + "/") for one in KERNELS)


def _is_device(entry: Any) -> bool:
    return entry.HasField("mode") and entry.mode & KIND in (BLOCK, CHARACTER)


def _namespace(case: Case, file: File, where: str, _: Known) -> Iterator[Found]:
    yield case.found("criu.file-namespace", "a namespace is held open", where, weight=NOTE)


def _external(case: Case, file: File, where: str, _: Known) -> Iterator[Found]:
    yield case.found("criu.file-external", "is a file that a plugin of CRIU makes", where)


def _program(case: Case, file: File, where: str, _: Known) -> Iterator[Found]:
    yield case.found("criu.file-bpf", "has CRIU make a BPF map in this host's kernel", where)


def _tun(case: Case, file: File, where: str, _: Known) -> Iterator[Found]:
    yield case.found("criu.file-tun", "has CRIU make a network device", where, weight=NOTE)


def _others(case: Case, file: File, where: str, _: Known) -> Iterator[Found]:
    """Kinds that lead nowhere but to each other."""
    return iter(())


JUDGES = {"REG": _regular, "NS": _namespace, "EXT": _external, "BPFMAP": _program, "TUNF": _tun}
"""One function a kind of file that leads out."""

CHECK = Check("open files in CRIU's images", look)
