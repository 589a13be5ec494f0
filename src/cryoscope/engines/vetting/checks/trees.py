"""The tars in the archive: entries that leave their tree when they are unpacked."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cryoscope.checkpoint.archive import Member
from cryoscope.engines.port import HARD, NOTE, SOFT
from cryoscope.engines.vetting.case import Case
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.checks.members import AGAIN
from cryoscope.engines.vetting.records import Fix, Found
from cryoscope.engines.vetting.trees import Problem, Tree

SOFTER = {"tree.attribute": SOFT, "tree.type": SOFT}
LIVE = ("tree.device",)
"""Left to the user in a live restore: a container may own devices that its runtime did not make."""


def look(case: Case) -> Iterator[Found]:
    """Each tar; all of them are written anew in the copy."""
    places = {mount.mountpoint.strip("/") for mount in case.checkpoint.mounts} | {
        str(mount.get("destination")).strip("/") for mount in case.mounts
    }
    for tree in case.trees:
        yield from _of(case, tree, places)


def _of(case: Case, tree: Tree, places: set[str]) -> Iterator[Found]:
    if tree.origin == "rootfs":
        tree.problems += _over_mounts(tree, places)
    if not case.sandbox:
        tree.dropped -= tree.devices - tree.others
    fix = Fix(tree.member, keep=keep(frozenset(tree.dropped)))
    for problem in tree.problems:
        yield _found(case, tree, problem, fix)
    for damage in tree.damaged:
        yield case.found("tree.damaged", damage.problem, tree.member, weight=HARD, cure=AGAIN)
    if tree.mighty:
        what = f"{len(tree.mighty)} files run with rights of their own, such as {tree.mighty[0]}"
        cure = "packages install such files; the container's capabilities and no_new_privs bound them"
        yield case.found("tree.setuid", what, tree.member, weight=NOTE, cure=cure)


def keep(dropped: frozenset[int]) -> Callable[[Member], bool]:
    """Whether an entry stays; entries are known by their place."""
    return lambda member: member.offset not in dropped


def _found(case: Case, tree: Tree, problem: Problem, fix: Fix) -> Found:
    where = f"{tree.member}: {problem.name}"
    if _granted(case, problem):
        return case.found(problem.code, problem.what, where, weight=SOFT)
    mended = problem.gone or problem.code == "tree.absolute"
    weight = SOFTER.get(problem.code, HARD)
    return case.found(problem.code, problem.what, where, *([fix] if mended else []), weight=weight)


def _granted(case: Case, problem: Problem) -> bool:
    return problem.code in LIVE and not case.sandbox


def _over_mounts(tree: Tree, places: set[str]) -> list[Problem]:
    """Links where something is mounted: the runtime would mount over what they lead to."""
    found = []
    for name, offset in tree.links.items():
        if name in places or any(place.startswith(name + "/") for place in places):
            found.append(Problem("tree.mount-link", "is a link where something is mounted", name, True))
            tree.dropped.add(offset)
    return found


CHECK = Check("the tars in the archive", look)
