"""The archive itself: names that lead out, links and devices, members that nobody knows, damage."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.checkpoint.archive import Member
from cryoscope.checkpoint.archive.member import resolve
from cryoscope.engines.port import HARD, NOTE, SOFT
from cryoscope.engines.vetting.case import Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.known import LOGS, NEEDED, is_image, known
from cryoscope.engines.vetting.records import Fix, Found
from cryoscope.engines.vetting.trees import SETID

MENDED = ("archive.no-end", "archive.trailing", "archive.header", "archive.pax")
"""Damage that the copy no longer has: it holds what could be read, and nothing else."""

AGAIN = "take the checkpoint again"


def look(case: Case) -> Iterator[Found]:
    """Every member, and what was wrong while the archive was read."""
    for damage in case.archive.damaged:
        yield _damage(case, damage.part, damage.problem, damage.code)
    for member in case.archive.members.values():
        yield from _judged(case, member)


def _damage(case: Case, part: str, problem: str, code: str) -> Found:
    if code == "archive.duplicate-member":
        return case.found("member.duplicate", problem, part, Fix(part, change=_same), weight=HARD)
    if code in MENDED:
        return case.found("member.damaged", problem, part, Fix(part, change=_same), weight=SOFT)
    return case.found("member.damaged", problem, part, weight=HARD, cure=AGAIN)


def _same(data: bytes) -> bytes:
    """Writing the copy mends it."""
    return data


def _judged(case: Case, member: Member) -> Iterator[Found]:
    name = member.name
    gone = Fix(name)
    if ".." in name.split("/"):
        yield case.found("member.outside", "its name leaves the archive", name, gone, weight=HARD)
    elif member.type in ("symlink", "hardlink") and not _is_parent(case, member):
        what = f"is a link to {shown(member.linkname)}"
        yield _unwanted(case, "log.link" if name in LOGS else "member.link", what, member)
    elif member.type in ("chardev", "blockdev", "fifo"):
        yield _unwanted(case, "member.device", f"is a {member.type}", member)
    elif not known(name, case.policy.engine, case.prefix):
        what = f"is nothing that {case.policy.engine} needs"
        yield case.found("member.unknown", what, name, gone, weight=NOTE)
    elif member.runs:
        yield case.found("member.sparse", "is a sparse file, which no engine writes", name, weight=HARD)
    elif member.mode & SETID and member.type == "file":
        what = "would run as its owner"
        yield case.found("member.setuid", what, name, Fix(name, change=_same), weight=SOFT)


def _unwanted(case: Case, code: str, what: str, member: Member) -> Found:
    """What no engine writes: left out, unless nothing can be restored without it."""
    if member.name in NEEDED or (is_image(member.name, case.prefix) and member.name not in LOGS):
        return case.found(code, what, member.name, weight=HARD, cure=AGAIN)
    return case.found(code, what, member.name, Fix(member.name), weight=HARD)


def _is_parent(case: Case, member: Member) -> bool:
    """Whether a link leads to the images of an earlier dump in the same archive (CRIU, `parent`)."""
    folder, _, base = member.name.rpartition("/")
    target = resolve(folder, member.linkname) if base == "parent" and member.type == "symlink" else None
    return bool(target) and f"{target}/inventory.img" in case.archive


CHECK = Check("the members of the archive", look)
