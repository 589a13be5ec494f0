"""`parent` links inside an archive: an incremental dump names the one that it builds on.

CRIU writes a symbolic link `parent` beside the images (criu/image.c, `open_parent`); Podman puts
parent and child into one archive, as `pre-checkpoint/` and `checkpoint/`.
"""

from __future__ import annotations

from collections.abc import Mapping

from cryoscope import limits
from cryoscope.checkpoint.archive.member import Member, resolve
from cryoscope.checkpoint.archive.report import Report

LINK = "parent"


def linked_prefix(members: Mapping[str, Member], prefix: str, report: Report) -> str | None:
    """The prefix that the link under `prefix` leads to; None, and a report, if it leads nowhere."""
    found = _step(members, prefix)
    if found is None:
        return None
    if not _exists(members, found):
        _name(report, prefix, f"leads to {members[prefix + LINK].linkname}, which is not here", "missing")
        return None
    if problem := _circle(members, prefix):
        _name(report, prefix, problem, "cycle")
        return None
    return found


def _step(members: Mapping[str, Member], prefix: str) -> str | None:
    """One link on from `prefix`; `/` for one that leads out of the archive."""
    link = members.get(prefix + LINK)
    if link is None or link.type != "symlink":
        return None
    target = resolve(prefix, link.linkname)
    if target is None:
        return "/"
    return f"{target}/" if target else ""


def _exists(members: Mapping[str, Member], prefix: str) -> bool:
    return prefix.rstrip("/") in members or any(name.startswith(prefix) for name in members)


def _circle(members: Mapping[str, Member], prefix: str) -> str:
    seen = {prefix}
    here = _step(members, prefix)
    while here is not None:
        if here in seen:
            return "leads back to where it began"
        if len(seen) >= limits.PARENTS:
            return f"begins a chain of more than {limits.PARENTS} parents"
        seen.add(here)
        here = _step(members, here)
    return ""


def _name(report: Report, prefix: str, problem: str, kind: str) -> None:
    code = f"criu.parent-{kind}"
    if not any(record.part == prefix + LINK and record.code == code for record in report.records):
        report.add(prefix + LINK, problem, code)
