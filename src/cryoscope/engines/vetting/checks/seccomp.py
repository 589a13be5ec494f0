"""seccomp: threads without the filter that the spec asks for, and filters that let everything through.

CRIU installs the filters of seccomp.img again (criu/seccomp.c); the profile of the spec is not asked.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from cryoscope.checkpoint.container.dumps import take
from cryoscope.engines.port import NOTE
from cryoscope.engines.vetting.case import SPEC, Case
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.records import Found

INSTRUCTION = struct.Struct("<HBBI")
RETURN = 0x06
"""BPF_RET | BPF_K (linux/bpf_common.h)."""

ACTION, ALLOW, LOG = 0xFFFF0000, 0x7FFF0000, 0x7FFC0000
"""SECCOMP_RET_ACTION_FULL and the two that let a call through (linux/seccomp.h)."""

LETS_THROUGH = ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG")
CURE = "a process that was started past the profile (exec --privileged) cannot be given one by CRIU"


def look(case: Case) -> Iterator[Found]:
    """Each thread of each process, where the spec has a profile; and the spec without one."""
    profile = take(case.spec, "linux", "seccomp", kind=dict)
    if not profile:
        if case.object("linux") and case.takes_spec:
            yield case.found("spec.seccomp", "has no seccomp profile", f"{SPEC} linux.seccomp", weight=NOTE)
        return
    if profile.get("defaultAction") in LETS_THROUGH and not profile.get("syscalls"):
        yield case.of_spec("spec.seccomp", "has a profile that lets everything through", "linux.seccomp")
        return
    strong = _strong(case)
    for process in case.checkpoint.processes:
        for thread in process.threads:
            where = f"{case.prefix}core-{thread.tid}.img pid {thread.tid}"
            if thread.seccomp not in ("filter", "strict"):
                yield case.found(
                    "criu.seccomp-off", "has no seccomp filter, against the spec", where, cure=CURE
                )
            elif thread.seccomp == "filter" and not _chain(strong, thread.seccomp_filter):
                yield case.found("criu.seccomp-filter", "has a filter that stops nothing", where, cure=CURE)


def _strong(case: Case) -> list[tuple[bool, int | None]]:
    """Of each filter in seccomp.img, whether it stops anything, and the one before it."""
    entry = case.images.first("seccomp.img")
    filters = entry.seccomp_filters if entry is not None else ()
    return [(stops(bytes(each.filter)), each.prev if each.HasField("prev") else None) for each in filters]


def stops(program: bytes) -> bool:
    """Whether a filter can return anything but that the call goes through."""
    whole = len(program) - len(program) % INSTRUCTION.size
    for code, _, _, value in INSTRUCTION.iter_unpack(program[:whole]):
        if code & 0x07 == RETURN and (code != RETURN or value & ACTION not in (ALLOW, LOG)):
            return True
    return False


def _chain(filters: list[tuple[bool, int | None]], number: Any) -> bool:
    """Whether one of a chain of filters stops anything."""
    seen: set[int] = set()
    at = 0 if number is None else number
    while at is not None and at < len(filters) and at not in seen:
        seen.add(at)
        if filters[at][0]:
            return True
        at = filters[at][1]
    return False


CHECK = Check("seccomp", look)
