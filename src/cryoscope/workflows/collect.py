"""Bringing an archive here that a kubelet left on its node: hashed on the way, verified, then named.

node of the pod -> engines.collect into a Sink -> is it whole? -> its name
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from cryoscope.engines.collect import Collected, CollectError, names
from cryoscope.engines.collect import collect as fetch
from cryoscope.engines.kubelet.location import FOLDER
from cryoscope.engines.port import Reach
from cryoscope.engines.target import LABEL, parse
from cryoscope.errors import CryoscopeError, UsageError
from cryoscope.text import escape, readable
from cryoscope.workflows.capture import verified
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, answer
from cryoscope.workflows.roles import permit
from cryoscope.workflows.sink import Sink

if TYPE_CHECKING:
    from cryoscope.workflows.open import Progress

POD = "k8s://"


class CollectPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """An archive that came; `archive` is the file here, `location` where it lay on `node`.

    `size` and `memory` are bytes, `by` is the way it came, `removed` whether the node's copy is gone,
    `resumed` how often a broken stream was taken up again.
    """

    node: str
    location: str
    by: str
    size: int
    sha256: str
    complete: bool = False
    processes: int | None = None
    memory: int | None = None
    removed: bool = False
    resumed: int = 0
    seconds: float = 0.0


class Collecting(msgspec.Struct, kw_only=True):
    """How to collect: `output` is a file, or None for the node's own name here."""

    output: str | None = None
    how: str = "reader-pod"
    remove: bool = False
    progress: Callable[[str], Progress | None] = lambda _target: None


def collect(where: str, path: str, reach: Reach, collecting: Collecting) -> Answer:
    """Bring the archive `path` of a node, or of a pod's node, here; what keeps it is in the failures."""
    permit("capture")
    location = path if "/" in path else f"{FOLDER}/{path}"
    _named(location)
    try:
        node = _node(where, reach)
        part = _collected(node, location, reach, collecting)
    except UsageError:
        raise
    except CryoscopeError as error:
        return answer("collect", [], [], [(readable(location), error)])
    return answer("collect", [part], [], [])


def _named(location: str) -> None:
    """Raises `UsageError` (`collect.name`) for what no kubelet names so: nothing was captured there."""
    try:
        names.split(location)
    except CollectError as error:
        raise UsageError(error.message, hint=error.hint, code=error.code) from None


def _node(where: str, reach: Reach) -> str:
    """The node that is named, or that of the pod that is."""
    if where.startswith(POD):
        return _node_of(where, reach)
    if not LABEL.match(where):
        raise UsageError(
            f"{escape(readable(where))[:100]} is no name of a node",
            hint="give the node, or its pod as k8s://NAMESPACE/POD",
            code="collect.node",
        )
    return where


def _node_of(where: str, reach: Reach) -> str:
    from cryoscope.engines.kubelet.cluster import Cluster
    from cryoscope.engines.kubelet.places import word

    target = parse(where)
    if target.node:
        return target.node
    cluster = Cluster(target, reach)
    try:
        node = word(cluster.pod(target.namespace or "", target.pod or ""), "spec", "nodeName")
    finally:
        cluster.close()
    if not node:
        raise CollectError(f"{where} is on no node", hint="name the node that it was on", code="collect.node")
    return node


def _collected(node: str, location: str, reach: Reach, collecting: Collecting) -> CollectPart:
    name = collecting.output or posixpath.basename(location)
    with Sink(name, collecting.progress(location)) as sink:
        found = fetch(reach, node, location, sink, collecting.how, remove=collecting.remove)
        if found is None:
            raise UsageError("nothing is collected so", hint="leave --fetch out", code="collect.way")
        part = _part(node, location, found, sink)
        overview = verified(sink)
    return msgspec.structs.replace(
        part,
        archive=readable(sink.name),
        complete=True,
        processes=overview.processes,
        memory=overview.memory_size,
    )


def _part(node: str, location: str, found: Collected, sink: Sink) -> CollectPart:
    return CollectPart(
        archive=readable(sink.path),
        node=node,
        location=readable(location),
        by=found.by,
        size=found.size,
        sha256=found.sha256,
        removed=found.removed,
        resumed=found.resumed,
        seconds=round(found.seconds, 3),
    )
