"""Open files in the images: CRIU opens each by its path in a mount, or takes it from its caller."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cryoscope.checkpoint.process.files import File
from cryoscope.engines.port import HARD, NOTE
from cryoscope.engines.vetting.case import Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.checks.mounts import climbs
from cryoscope.engines.vetting.records import Found
from cryoscope.text import readable

KERNEL = re.compile(
    r"/proc/(?:sys(?:/.*)?|sysrq-trigger|kcore|kpage\w+|kmsg|bus/.*|irq/.*|acpi/.*)|/sys/.*"
    r"|/dev/(?:mem|kmem|port|kmsg)|.*/release_agent|.*/(?:core_pattern|uevent_helper)"
)
"""Files by which the host's kernel is ruled or read."""

LEAK = re.compile(r"/(?:proc/(?:self|thread-self|\d+)|dev)/(?:fd|root|cwd|ns)(?:/.*)?|/proc/1/.*")
"""Ways through descriptors of others: the folder of CVE-2024-21626."""

HARMLESS = re.compile(
    r"/dev/(?:null|zero|full|u?random|tty|console|ptmx|pts/\d+|pts/ptmx|fuse|net/tun|shm/.*|mqueue/.*)"
)
BLOCK, CHARACTER, KIND = 0o060000, 0o020000, 0o170000
ANY = -1
"""The mount of a file where CRIU does not say which: the namespace's root."""


def look(case: Case) -> Iterator[Found]:
    """Every file that anybody has open, works in or maps."""
    known = {mount.id for mount in case.checkpoint.mounts}
    for file in case.checkpoint.files:
        where = f"{case.prefix}files.img file {file.id}"
        yield from JUDGES.get(file.type, _others)(case, file, where, known)


def _regular(case: Case, file: File, where: str, known: set[int]) -> Iterator[Found]:
    name = readable(file.name)
    entry = file.entry
    writes = bool(entry.flags & 3)
    if not name.startswith("/") or climbs(name):
        yield case.found("criu.file-outside", f"{shown(name)} leads out of the container", where, weight=HARD)
    elif entry.ext:
        yield case.found("criu.file-external", f"{shown(name)} is a file of the host", where)
    elif entry.mnt_id != ANY and known and entry.mnt_id not in known:
        yield case.found("criu.file-outside", f"{shown(name)} lies in no mount of the container", where)
    elif LEAK.fullmatch(name):
        yield case.found("criu.file-leak", f"{shown(name)} leads through a descriptor", where)
    elif KERNEL.fullmatch(name) and writes:
        yield case.found("criu.file-kernel", f"{shown(name)} is open for writing", where)
    elif _is_device(entry) and not HARMLESS.fullmatch(name) and name not in case.policy.devices:
        yield case.found("criu.file-device", f"{shown(name)} is a device", where)


def _is_device(entry: Any) -> bool:
    return entry.HasField("mode") and entry.mode & KIND in (BLOCK, CHARACTER)


def _namespace(case: Case, file: File, where: str, _: set[int]) -> Iterator[Found]:
    yield case.found("criu.file-namespace", "a namespace is held open", where, weight=NOTE)


def _external(case: Case, file: File, where: str, _: set[int]) -> Iterator[Found]:
    yield case.found("criu.file-external", "is a file that a plugin of CRIU makes", where)


def _program(case: Case, file: File, where: str, _: set[int]) -> Iterator[Found]:
    yield case.found("criu.file-bpf", "has CRIU make a BPF map in this host's kernel", where)


def _tun(case: Case, file: File, where: str, _: set[int]) -> Iterator[Found]:
    yield case.found("criu.file-tun", "has CRIU make a network device", where, weight=NOTE)


def _others(case: Case, file: File, where: str, _: set[int]) -> Iterator[Found]:
    """Kinds that lead nowhere but to each other."""
    return iter(())


JUDGES = {"REG": _regular, "NS": _namespace, "EXT": _external, "BPFMAP": _program, "TUNF": _tun}
"""One function a kind of file that leads out."""

CHECK = Check("open files in CRIU's images", look)
