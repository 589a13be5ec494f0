"""deleted.files: paths that an engine removes below the container's root, with all that is in them.

Podman and CRI-O join each with the root and remove it (crutils, CRRemoveDeletedFiles); older ones follow `..`
and links that the archive itself brings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive.member import normalise
from cryoscope.checkpoint.rootfs.deleted import DELETED
from cryoscope.engines.port import HARD
from cryoscope.engines.vetting.case import Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.records import Fix, Found
from cryoscope.engines.vetting.trees import above


def look(case: Case) -> Iterator[Found]:
    """Each path of the list."""
    if DELETED not in case.archive:
        return
    paths = _paths(case)
    if paths is None:
        yield case.found("deleted.unreadable", "is no list of paths", DELETED, Fix(DELETED), weight=HARD)
        return
    links = {name: at for tree in case.trees if tree.origin == "rootfs" for name, at in tree.links.items()}
    good = [path for path in paths if _fault(path, links) is None]
    fix = Fix(DELETED, change=lambda _: msgspec.json.encode(good))
    for path in paths:
        fault = _fault(path, links)
        if fault is not None:
            yield case.found("deleted.outside", fault, f"{DELETED}: {shown(path)}", fix, weight=HARD)


def _paths(case: Case) -> list[Any] | None:
    try:
        found = msgspec.json.decode(case.archive.read(DELETED, limit=limits.JSON_DOCUMENT))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    return found if isinstance(found, list) else [] if found is None else None


def _fault(path: Any, links: dict[str, int]) -> str | None:
    """What is wrong with a path; None if it stays below the root."""
    if not isinstance(path, str) or "\0" in path:
        return "is no path"
    name = normalise(path)
    if ".." in name.split("/"):
        return "leads out of the container"
    if not name:
        return "is the root itself"
    return "goes through a link of rootfs-diff.tar" if above(name, links) else None


CHECK = Check("deleted.files", look)
