"""seccomp: threads without the filter that the spec asks for, and filters that let everything through.

CRIU installs the filters of seccomp.img again (criu/seccomp.c); the profile of the spec is not asked.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from cryoscope.checkpoint.container.dumps import strings, take
from cryoscope.checkpoint.process.task import Thread
from cryoscope.engines.port import HARD, NOTE, SOFT
from cryoscope.engines.vetting.case import SPEC, Case
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.records import Found

INSTRUCTION = struct.Struct("<HBBI")
RETURN = 0x06
"""BPF_RET | BPF_K (linux/bpf_common.h)."""

ACTION, ALLOW, LOG = 0xFFFF0000, 0x7FFF0000, 0x7FFC0000
"""SECCOMP_RET_ACTION_FULL and the two that let a call through (linux/seccomp.h)."""

MOST = 10
"""Pids that a claim names."""

LETS_THROUGH = ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG")
CURE = "a process that was started past the profile (exec --privileged) cannot be given one by CRIU"
UNCONFINED = (
    "every system call is open to it, and CRIU gives it no filter: make the container with a profile "
    "(Kubernetes: seccompProfile RuntimeDefault) before it is captured, or go past this knowingly"
)


def look(case: Case) -> Iterator[Found]:
    """Each living thread, where the spec has a profile or the engine gives one; and the spec without one."""
    profile = take(case.spec, "linux", "seccomp", kind=dict)
    if not profile and case.object("linux") and case.takes_spec:
        yield case.found("spec.seccomp", "has no seccomp profile", f"{SPEC} linux.seccomp", weight=NOTE)
    if profile and _lets_all(profile):
        yield case.of_spec("spec.seccomp", "has a profile that lets everything through", "linux.seccomp")
    if profile and not _lets_all(profile):
        yield from _against_spec(case)
    elif case.sandbox and case.policy.engine != "criu":
        weight = SOFT if case.policy.engine != "docker" or _unconfined(case) else HARD
        yield from _unfiltered(case, weight)


def _lets_all(profile: dict[str, Any]) -> bool:
    return profile.get("defaultAction") in LETS_THROUGH and not profile.get("syscalls")


def _unconfined(case: Case) -> bool:
    """Whether Docker was told to give no profile: it gives one to every other container."""
    host = take(case.document("docker-inspect.json"), "HostConfig", kind=dict) or {}
    told = strings(take(host, "SecurityOpt", kind=list))
    return bool(host.get("Privileged")) or any("seccomp" in one and "unconfined" in one for one in told)


def _against_spec(case: Case) -> Iterator[Found]:
    for thread, what in _loose(case):
        where = f"{case.prefix}core-{thread.tid}.img pid {thread.tid}"
        code = "criu.seccomp-filter" if thread.seccomp == "filter" else "criu.seccomp-off"
        yield case.found(code, f"{what}, against the spec", where, cure=CURE)


def _unfiltered(case: Case, weight: str) -> Iterator[Found]:
    """One claim for all threads: it is how the container was made."""
    pids = [str(thread.tid) for thread, _ in _loose(case)]
    if pids:
        more = ", ..." if len(pids) > MOST else ""
        what = f"pids {', '.join(pids[:MOST])}{more} have no seccomp filter, and no profile is named"
        yield case.found(
            "criu.seccomp-none", what, f"{case.prefix}core-*.img", weight=weight, cure=UNCONFINED
        )


def _loose(case: Case) -> Iterator[tuple[Thread, str]]:
    """The living threads that no filter stops."""
    strong = _strong(case)
    for process in case.checkpoint.processes:
        for thread in process.threads if process.state != "zombie" else ():
            if thread.seccomp not in ("filter", "strict"):
                yield thread, "has no seccomp filter"
            elif thread.seccomp == "filter" and not _chain(strong, thread.seccomp_filter):
                yield thread, "has a filter that stops nothing"


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
