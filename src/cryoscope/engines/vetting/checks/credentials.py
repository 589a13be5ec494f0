"""Credentials in core-*.img: CRIU gives every thread back what the image says, whatever the spec grants.

Defined in CRIU's images/creds.proto and images/core.proto; restored in criu/pie/restorer.c, restore_creds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cryoscope.checkpoint.container.dumps import take
from cryoscope.checkpoint.criu.names import CAPABILITIES, capabilities
from cryoscope.checkpoint.process.task import ZOMBIES
from cryoscope.engines.port import HARD, NOTE
from cryoscope.engines.vetting.case import Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.checks.members import AGAIN
from cryoscope.engines.vetting.edits import of_image
from cryoscope.engines.vetting.records import Fix, Found

SETS = ("cap_inh", "cap_prm", "cap_eff", "cap_bnd", "cap_amb")
WORD = 0xFFFFFFFF


def look(case: Case) -> Iterator[Found]:
    """Every thread: one that has no image of its own is not restored."""
    granted = _granted(case)
    for name, tid in case.images.matching("core-*"):
        member = case.images.member(name) or name
        core = case.images.first(name)
        if core is not None and core.HasField("tc") and core.tc.task_state in ZOMBIES:
            continue
        if core is None or not core.HasField("thread_core"):
            yield case.found("criu.core-unreadable", "cannot be read", member, weight=HARD)
        elif core.thread_core.HasField("creds"):
            yield from _of(case, core.thread_core.creds, member, tid, granted)
        else:
            what = "has no credentials: CRIU would give it others, or leave it those of the engine"
            yield case.found("criu.no-credentials", what, member, weight=HARD, cure=AGAIN)


def _granted(case: Case) -> int:
    """The capabilities that a process may have at most, as bits: the spec's, and of those the policy's."""
    names = set(case.words("process", "capabilities", "bounding"))
    allowed = set(case.policy.capabilities)
    if not case.object("process"):
        names = allowed if case.sandbox else set(CAPABILITIES)
    return bits(names & allowed if case.sandbox else names)


def bits(names: set[str]) -> int:
    """Capabilities by name as a mask."""
    return sum(1 << number for number, name in enumerate(CAPABILITIES) if name in names)


def _of(case: Case, creds: Any, member: str, tid: int, granted: int) -> Iterator[Found]:
    where = f"{member} pid {tid}"
    held = 0
    for field in SETS:
        held |= mask(getattr(creds, field))
    beyond = held & ~granted
    if beyond:
        names = ", ".join(capabilities([beyond & WORD, beyond >> 32])[:10])
        fixes = [Fix(member, change=of_image(member, _bounded(granted)))] if case.sandbox else []
        yield case.found("criu.capabilities", f"has {names}, which it was not given", where, *fixes)
    if take(case.spec, "process", "noNewPrivileges", kind=bool) and not creds.no_new_privs:
        fix = Fix(member, change=of_image(member, _fixed))
        yield case.found("criu.new-privileges", "may gain rights, against the spec", where, fix, weight=HARD)
    yield from _ids(case, creds, where)


def mask(words: Any) -> int:
    """A set of capabilities as one number."""
    return sum((int(word) & WORD) << 32 * at for at, word in enumerate(words[:2]))


def _bounded(granted: int) -> Callable[[Any], None]:
    def change(core: Any) -> None:
        for field in SETS:
            words = getattr(core.thread_core.creds, field)
            for at in range(len(words)):
                words[at] = int(words[at]) & (granted >> 32 * at) & WORD

    return change


def _fixed(core: Any) -> None:
    core.thread_core.creds.no_new_privs = 1


def _ids(case: Case, creds: Any, where: str) -> Iterator[Found]:
    """Another user than the spec's: by setuid programs, or by whoever entered the container."""
    uid = take(case.spec, "process", "user", "uid", kind=int)
    if uid and 0 in (creds.uid, creds.euid, creds.suid, creds.fsuid):
        what = f"is root, the container was made for user {shown(uid)}"
        forbidden = take(case.spec, "process", "noNewPrivileges", kind=bool)
        yield case.found("criu.user", what, where, weight=None if forbidden else NOTE)


CHECK = Check("credentials in CRIU's images", look)
