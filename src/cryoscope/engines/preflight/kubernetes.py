"""What stands against letting a checkpoint go on in a cluster: the archive alone, then each node.

Of a node only what it tells the API server is known (core/v1 NodeSystemInfo): its runtime and version, its
kernel and processor's kind.  What runtimes are told in their settings is not among it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cryoscope.engines.cri.abilities import CONTAINERD, CRIO, CRIO_CAREFUL, SWITCHED, Runtime, restoring
from cryoscope.engines.kubelet.places import Object, each, word
from cryoscope.engines.port import HARD, NOTE, SOFT, Concern
from cryoscope.engines.preflight.cpu import MACHINES
from cryoscope.engines.preflight.criu import version_of
from cryoscope.text import escape

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint

BARE = re.compile(r"(?:sha256:)?[0-9a-f]{64}\Z")
"""A base image by its digest alone: no registry can be asked for that."""
SHM = "/dev/shm/"  # noqa: S108
DOCKER = ("docker", "cri-dockerd")
BUILT = "cryoscope image build --for converts where that can be"
ENABLE = "enable_experimental_restore_via_create = true in its containerd's settings, on a node for it alone"
ABLE = "choose a node with CRI-O or containerd 2.1 to 2.3"
CLOSE = "a line `tcp-close` in /etc/criu/runc.conf on the node"
LEVEL = 'container_level_enabled = "checkpoint_restore" below [crio.checkpoint_restore] of its CRI-O'


def archive_concerns(
    checkpoint: Checkpoint, *, live: bool, engine: str | None = None, base: str = ""
) -> list[Concern]:
    """What the archive itself says.

    `engine` is whose form the image has if that is converted, `base` the name it has for its base image then.
    """
    made = engine or checkpoint.container.engine
    return [
        *_whose(made),
        *_base(base or checkpoint.container.image_id or "", checkpoint, made),
        *_namespaces(checkpoint, live=live),
        *_connections(checkpoint),
        *_shared_memory(checkpoint),
    ]


def _whose(made: str) -> Iterator[Concern]:
    if made not in (CONTAINERD, CRIO):
        what = f"the archive was made by {escape(made)[:50]}: runtimes of a cluster restore only their own"
        yield Concern(code="k8s.foreign-archive", weight=HARD, what=what, cure=f"--to podman; {BUILT}")


def _base(recorded: str, checkpoint: Checkpoint, made: str) -> Iterator[Concern]:
    """containerd pulls the base image by what the archive calls it; CRI-O has it on the node or has not."""
    shown = escape(recorded)[:100] or "nothing"
    if made == CONTAINERD and (BARE.match(recorded) or not recorded):
        what = f"the archive names its base image by {shown}, which containerd cannot pull"
        cure = "name it as a registry has it, in an image made for that: --push --base-image NAME@DIGEST"
        yield Concern(code="k8s.base-image", weight=HARD, what=what, cure=cure)
    elif made == CRIO:
        what = f"CRI-O looks for the base image {shown} on the node, and for nothing else"
        cure = "pull it there first: crictl pull " + escape(checkpoint.container.image or "NAME")[:200]
        yield Concern(code="k8s.base-image", weight=NOTE, what=what, cure=cure)


def _namespaces(checkpoint: Checkpoint, *, live: bool) -> Iterator[Concern]:
    spaces = checkpoint.container.namespaces
    shared = {space.kind for space in checkpoint.namespaces if space.host}
    if "net" in shared or (spaces and "network" not in spaces):
        what = "the container was on the network of its host, and would be on the node's again"
        yield Concern(
            code="k8s.host-network",
            weight=SOFT if live else HARD,
            what=what,
            cure="restore it with --to podman on a host for it alone",
        )
    if spaces and ("pid" not in spaces or spaces["pid"] or "pid" in shared):
        what = "the container shared its process ids with its pod or host: the same ones are not free there"
        yield Concern(code="k8s.pid-namespace", weight=SOFT, what=what, cure="restore it with --to podman")


def _connections(checkpoint: Checkpoint) -> Iterator[Concern]:
    states = [each.socket for each in checkpoint.sockets]
    if any(each.protocol == "tcp" and each.state == "ESTABLISHED" for each in states):
        what = "it had open TCP connections, and runtimes neither keep nor close them unless the node says so"
        yield Concern(
            code="k8s.tcp",
            weight=SOFT,
            what=what,
            cure=CLOSE,
        )


def _shared_memory(checkpoint: Checkpoint) -> Iterator[Concern]:
    inside = (file.name for file in checkpoint.files if file.name.startswith(SHM.encode()))
    if name := next(inside, None):
        shown = escape(name.decode("utf-8", "replace"))[:200]
        what = f"it has {shown} open, which was its pod's and is not in the archive"
        yield Concern(code="k8s.shared-memory", weight=SOFT, what=what, cure="no runtime can restore it")


# --- nodes ----------------------------------------------------------------------------------


def node_concerns(
    checkpoint: Checkpoint, nodes: Sequence[Object], *, chosen: bool, engine: str | None = None
) -> list[Concern]:
    """Concerns about the node that was `chosen`, or about those that the scheduler may choose from.

    Of several nodes one that can is enough: what the others lack is soft, since the pod may come there.
    """
    made = engine or checkpoint.container.engine
    told = [[*_of_node(checkpoint, node, made)] for node in nodes]
    able = [not any(each.weight == HARD for each in concerns) for concerns in told]
    if chosen or len(nodes) == 1 or not any(able):
        return [concern for concerns in told for concern in concerns]
    found = [concern for concerns, can in zip(told, able, strict=True) if can for concern in concerns]
    if not all(able):
        fit = [word(node, "metadata", "name") for node, can in zip(nodes, able, strict=True) if can]
        what = f"{able.count(False)} of {len(nodes)} nodes cannot restore it, and the scheduler does not know"
        cure = f"name one that can: --node {escape(fit[0])[:253]}"
        found.append(Concern(code="k8s.node-any", weight=SOFT, what=what, cure=cure))
    return found


def _of_node(checkpoint: Checkpoint, node: Object, made: str) -> Iterator[Concern]:
    name = escape(word(node, "metadata", "name"))[:253]
    yield from _ready(node, name)
    yield from _machine(checkpoint, node, name)
    yield from _kernel(checkpoint, node, name)
    yield from _runtime(node, name, made)
    handler = escape(checkpoint.container.runtime or "")[:60]
    if handler:
        what = f"it was run by {handler}: another runtime below {name} (crun for runc) cannot restore it"
        yield Concern(code="k8s.runtime-handler", weight=NOTE, what=what)


def _ready(node: Object, name: str) -> Iterator[Concern]:
    states = {word(item, "type"): word(item, "status") for item in each(node, "status", "conditions")}
    if states.get("Ready", "True") != "True":
        cure = f"kubectl describe node {name}"
        yield Concern(code="k8s.node-not-ready", weight=HARD, what=f"node {name} is not ready", cure=cure)


def _machine(checkpoint: Checkpoint, node: Object, name: str) -> Iterator[Concern]:
    theirs = word(node, "status", "nodeInfo", "architecture")
    machine, there = MACHINES.get(checkpoint.machine, checkpoint.machine), MACHINES.get(theirs, theirs)
    if machine != "unknown" and there and machine != there:
        what = f"the checkpoint is of a {machine} machine, node {name} is {escape(there)[:50]}"
        yield Concern(code="k8s.machine", weight=HARD, what=what, cure=f"choose a {machine} node with --node")


def _kernel(checkpoint: Checkpoint, node: Object, name: str) -> Iterator[Concern]:
    told = checkpoint.dump_log.kernel if checkpoint.dump_log is not None else None
    then = next((found for part in (told or "").split() if (found := version_of(part))), None)
    now = version_of(word(node, "status", "nodeInfo", "kernelVersion"))
    if then and now and now[:2] < then[:2]:
        older, newer = (".".join(map(str, each[:2])) for each in (now, then))
        what = (
            f"it was taken on Linux {newer}, node {name} has {older}: kernels take over from older ones only"
        )
        cure = f"choose a node with Linux {newer} or newer; --force tries it"
        yield Concern(code="k8s.kernel-older", weight=SOFT, what=what, cure=cure)


def runtime_of(node: Object) -> Runtime:
    """A node's runtime as it tells it: `containerd://2.1.9`."""
    name, _, version = word(node, "status", "nodeInfo", "containerRuntimeVersion").partition("://")
    return Runtime(name=escape(name)[:60], version=escape(version)[:60])


def _runtime(node: Object, name: str, made: str) -> Iterator[Concern]:
    runtime = runtime_of(node)
    if runtime.name not in (CONTAINERD, CRIO):
        why = "Docker behind cri-dockerd" if runtime.name in DOCKER else runtime.shown.strip() or "?"
        what = f"node {name} has {why}, which restores no checkpoints"
        yield Concern(
            code="k8s.restore-off",
            weight=HARD,
            what=what,
            cure=ABLE,
        )
        return
    if runtime.name != made and made in (CONTAINERD, CRIO):
        what = f"the archive was made by {made}, and node {name} has {runtime.shown}"
        yield Concern(
            code="k8s.foreign-runtime", weight=HARD, what=what, cure=f"choose a node with {made}; {BUILT}"
        )
    yield from _able(runtime, name)


def _able(runtime: Runtime, name: str) -> Iterator[Concern]:
    """Whether the runtime can; where its settings decide, that cannot be seen from here."""
    if runtime.name == CONTAINERD and _from(runtime, SWITCHED):
        what = f"{runtime.shown} on node {name} restores only if its settings say so, which cannot be seen"
        yield Concern(code="k8s.restore-setting", weight=SOFT, what=what, cure=f"{ENABLE}; then --force")
        return
    if runtime.name == CRIO:
        careful = _from(runtime, CRIO_CAREFUL) or runtime.number[:2] > max(CRIO_CAREFUL)
        what = f"{runtime.shown} on node {name} restores only at the level checkpoint_restore"
        weight, more = (SOFT, "; then --force") if careful else (NOTE, "")
        yield Concern(code="k8s.restore-setting", weight=weight, what=what, cure=LEVEL + more)
        return
    ability = restoring(runtime)
    if not ability.can:
        what = f"node {name}: {ability.why}"
        yield Concern(code="k8s.restore-off", weight=HARD, what=what, cure=ability.cure)


def _from(runtime: Runtime, releases: dict[tuple[int, int], int]) -> bool:
    """Whether a release is one of those, or later in its line."""
    return runtime.number[2] >= releases.get(runtime.number[:2], 1 << 30)
