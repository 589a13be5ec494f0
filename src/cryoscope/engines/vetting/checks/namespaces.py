"""Namespaces: those of the host that the spec or CRIU's images would have the container in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cryoscope.checkpoint.container.dumps import objects, take
from cryoscope.engines.port import HARD, NOTE
from cryoscope.engines.vetting.case import Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.records import Found

WANTED = ("pid", "mount", "ipc", "uts", "network")
KEYS = (b"", b"extRootNetNS", b"extRootPidNS", b"extRootIPCNS", b"extRootUTSNS", b"extRootUserNS")
"""Names by which runc and crun have CRIU join a namespace that they give (libcontainer/criu_linux.go)."""

NETWORKS = re.compile(r"/(?:var/)?run/(?:user/\d+/)?netns/[\w-]+")
"""Where engines keep the network namespaces that they make; they put a new one in their place."""

KERNEL = {"pid": "pid", "mount": "mnt", "ipc": "ipc", "uts": "uts", "network": "net"}
IMAGES = ("netns-*", "pidns-*")
OLD = "the images are damaged or were changed: take the checkpoint again"


def look(case: Case) -> Iterator[Found]:
    """What the spec lacks or joins, what the images join, and what they share with whoever dumped them."""
    if case.object("linux"):
        yield from _of_spec(case)
    for pattern in IMAGES:
        for name, _ in case.images.matching(pattern):
            entry = case.images.first(name)
            key = bytes(entry.ext_key) if entry is not None else b""
            if key not in KEYS:
                what = f"joins a namespace called {shown(key)}, which no runtime gives"
                yield case.found("criu.namespace", what, case.images.member(name) or name, weight=HARD)
    if case.policy.engine != "criu":
        yield from _absent(case)
    yield from _shared(case)


def _of_spec(case: Case) -> Iterator[Found]:
    given = {
        take(space, "type", kind=str) or "": take(space, "path", kind=str) or ""
        for space in objects(take(case.spec, "linux", "namespaces", kind=list))
    }
    for kind in WANTED:
        if kind not in given:
            what = f"has no {kind} namespace of its own: it would be in the host's"
            yield case.of_spec("spec.host-namespace", what, "linux.namespaces")
    for kind, path in given.items():
        if path and not NETWORKS.fullmatch(path):
            what = f"joins the {shown(kind)} namespace at {shown(path)}"
            yield case.of_spec("spec.namespace-path", what, "linux.namespaces")


def _absent(case: Case) -> Iterator[Found]:
    """Numbers that are not there or 0: CRIU makes a new namespace only for one that differs from its own's
    (criu/pstree.c, get_clone_mask), and 0 is what it reads for none on either side."""
    inventory = case.images.inventory
    numbers = {"inventory.img root_ids": _numbers(inventory.root_ids if inventory is not None else None)}
    for name, _ in case.images.matching("ids-*"):
        numbers[case.images.member(name) or name] = _numbers(case.images.first(name))
    for process in case.images.messages("pstree.img") if "pstree.img" in case.images else ():
        name = f"ids-{process.pid}.img"
        if not process.ppid and name not in case.images:
            numbers[name] = {}
    for where, found in numbers.items():
        missing = [kind for kind in KERNEL.values() if not found.get(kind)]
        if missing:
            what = f"does not say which {', '.join(missing)} namespace it had: it would get the host's"
            yield case.found("criu.namespace-absent", what, where, weight=HARD, cure=OLD)


def _numbers(entry: Any) -> dict[str, int]:
    """The raw numbers of a task_kobj_ids_entry (images/core.proto), 0 for what is absent."""
    kinds = (*KERNEL.values(), "cgroup")
    return {kind: int(getattr(entry, f"{kind}_ns_id")) for kind in kinds} if entry is not None else {}


def _shared(case: Case) -> Iterator[Found]:
    """Namespaces that any process shares with whoever took the checkpoint: CRIU restores into the host's."""
    inventory = case.images.inventory
    own = _numbers(inventory.root_ids if inventory is not None else None)
    given = [_numbers(case.images.first(name)) for name, _ in case.images.matching("ids-*")]
    shared = {kind for one in given for kind, number in one.items() if number and number == own.get(kind)}
    for kind in sorted(shared & set(KERNEL.values())):
        where = f"{case.prefix}ids-*.img {kind}"
        what = "is the namespace of whoever took the checkpoint: it would be the host's"
        yield case.found("criu.host-namespace", what, where, weight=_weight(case, kind))
    if case.sandbox and case.policy.engine != "criu" and ("cgroup" in shared or _lacks_groups(given)):
        what = "has no cgroup namespace of its own: it sees the names of the host's control groups"
        yield case.found("criu.cgroup-namespace", what, f"{case.prefix}ids-*.img cgroup", weight=NOTE)


def _lacks_groups(given: list[dict[str, int]]) -> bool:
    return any(one and not one["cgroup"] for one in given)


def _weight(case: Case, kind: str) -> str:
    """A sandbox has none of the host's, whatever the archive says that it was made with.

    Of Docker's restores the network is written anew (`engines.docker.netns`); bare CRIU runs in namespaces
    of the sandbox itself.
    """
    engine = case.policy.engine
    if engine == "criu" or (engine == "docker" and kind == "net"):
        return NOTE
    spaces = objects(take(case.spec, "linux", "namespaces", kind=list))
    new = {KERNEL.get(str(space.get("type"))) for space in spaces if not space.get("path")}
    return case.strict if case.sandbox or kind in new else NOTE


CHECK = Check("namespaces", look)
