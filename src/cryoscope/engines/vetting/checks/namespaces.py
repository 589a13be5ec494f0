"""Namespaces: those of the host that the spec or CRIU's images would have the container in."""

from __future__ import annotations

import re
from collections.abc import Iterator

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


def _shared(case: Case) -> Iterator[Found]:
    """Images that say so of a namespace that the spec has new; what there is no spec of is only told."""
    spaces = objects(take(case.spec, "linux", "namespaces", kind=list))
    new = {KERNEL.get(str(space.get("type"))) for space in spaces if not space.get("path")}
    shared = {space.kind for space in case.checkpoint.namespaces if space.host}
    for kind in sorted(shared & set(KERNEL.values())):
        where = f"{case.prefix}ids-*.img {kind}"
        if kind in new:
            what = "is the namespace of whoever took the checkpoint, against the spec"
            yield case.found("criu.host-namespace", what, where)
        elif not case.spec:
            what = "was the namespace of whoever took the checkpoint"
            yield case.found("criu.host-namespace", what, where, weight=NOTE)


CHECK = Check("namespaces", look)
