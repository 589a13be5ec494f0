"""bind.mounts: files and folders of the host that CRI-O makes before it restores (internal/lib/restore.go).

CRI-O goes on without the list, as with archives of older releases, so a sandbox is given none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cryoscope.checkpoint.container.dumps import objects, take
from cryoscope.engines.port import HARD, NOTE
from cryoscope.engines.vetting.case import Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.checks.mounts import OWN, climbs
from cryoscope.engines.vetting.records import Fix, Found

BINDS = "bind.mounts"


def look(case: Case) -> Iterator[Found]:
    """Each entry; those that the spec does not have would make files wherever they like."""
    if BINDS not in case.archive:
        return
    fix = Fix(BINDS) if case.sandbox else Fix(BINDS, change=_only(case))
    entries = case.listed(BINDS)
    for entry in entries:
        source, destination = _pair(entry)
        where = f"{BINDS}: {shown(source)}"
        if not _is_good(case, entry):
            what = f"would be made on the host for {shown(destination)}, which is no mount of the container"
            yield case.found("bind.host-path", what, where, fix, weight=HARD)
        elif case.sandbox:
            yield case.found("bind.listed", "is not made on the host for a sandbox", where, fix, weight=NOTE)
        elif destination not in case.policy.mounts and destination not in OWN:
            yield case.found("bind.undeclared", "is made on the host if it is missing", where)


def _pair(entry: dict[str, Any]) -> tuple[str, str]:
    return take(entry, "source", kind=str) or "", take(entry, "destination", kind=str) or ""


def _is_good(case: Case, entry: dict[str, Any]) -> bool:
    """Whether the spec has the same mount, and its source is a plain path."""
    source, destination = _pair(entry)
    listed = {(mount.get("source"), mount.get("destination")) for mount in case.mounts if _hashable(mount)}
    return (source, destination) in listed and source.startswith("/") and not climbs(source)


def _hashable(mount: dict[str, Any]) -> bool:
    return isinstance(mount.get("source"), str) and isinstance(mount.get("destination"), str)


def _only(case: Case) -> Any:
    """The list with those that the spec has."""
    good = [entry for entry in objects(case.listed(BINDS)) if _is_good(case, entry)]
    return lambda _: msgspec.json.encode(good)


CHECK = Check("bind.mounts", look)
