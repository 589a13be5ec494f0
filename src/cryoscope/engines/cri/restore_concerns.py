"""What stands against letting an archive go on in a runtime, found before anything starts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cryoscope.engines.cri import images
from cryoscope.engines.cri.abilities import CONTAINERD, CRIO, Runtime, restoring
from cryoscope.engines.cri.client import Client
from cryoscope.engines.cri.concerns import RUNC_CONF, criu_options
from cryoscope.engines.cri.mounts import strangers
from cryoscope.engines.cri.pods import counts_processes
from cryoscope.engines.cri.restore import HOST_NETWORK, on_host_network
from cryoscope.engines.host import Host
from cryoscope.engines.port import HARD, NOTE, SOFT, Concern, RestoreOptions
from cryoscope.text import escape, readable

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint

SHM = b"/dev/shm/"
KUBELETS = ("/var/lib/kubelet/config.yaml", "/var/lib/rancher/k3s/agent", "/var/snap/microk8s/current")
"""There where a kubelet has this runtime."""


def concerns(
    client: Client, runtime: Runtime, host: Host, checkpoint: Checkpoint, options: RestoreOptions
) -> Iterator[Concern]:
    """What stands against a restore, one reason each."""
    ability = restoring(runtime)
    if not ability.can:
        yield Concern(code="cri.restore-off", weight=HARD, what=ability.why, cure=ability.cure)
    yield from _whose(runtime, checkpoint)
    yield from _namespaces(checkpoint, options)
    yield from _base(client, runtime, checkpoint, options)
    yield from _wishes(options)
    yield from _tcp(host, checkpoint, options)
    yield from _shared_memory(checkpoint)
    yield from _mounts(host, checkpoint, options)
    yield from _around(host, options)


def _whose(runtime: Runtime, checkpoint: Checkpoint) -> Iterator[Concern]:
    """containerd reads status.dump, CRI-O its own annotations: neither is in the other's archives."""
    made = checkpoint.container.engine
    if made != runtime.name and runtime.name in (CONTAINERD, CRIO):
        what = f"the archive was made by {escape(made)[:50]}, and {runtime.name} restores only its own"
        cure = f"restore it with {escape(made)[:50]}"
        yield Concern(code="cri.foreign-runtime", weight=HARD, what=what, cure=cure)


def _namespaces(checkpoint: Checkpoint, options: RestoreOptions) -> Iterator[Concern]:
    """CRIU puts processes back into the host's namespaces if they were there."""
    spaces = checkpoint.container.namespaces
    shared = {space.kind for space in checkpoint.namespaces if space.host}
    if on_host_network(checkpoint):
        weight = NOTE if options.live else HARD
        cure = "restore it with --live if it may, or with Podman on a host for it alone"
        yield Concern(code="cri.host-network", weight=weight, what=HOST_NETWORK, cure=cure)
    if spaces and ("pid" not in spaces or spaces["pid"] or "pid" in shared):
        what = "the container shared its process ids with its pod or host: the same ones are not free here"
        cure = "restore it with Podman, alone"
        yield Concern(code="cri.pid-namespace", weight=SOFT, what=what, cure=cure)


def _base(
    client: Client, runtime: Runtime, checkpoint: Checkpoint, options: RestoreOptions
) -> Iterator[Concern]:
    recorded = checkpoint.container.image_id or ""
    concern = images.base(client, runtime, recorded, options.image).concern
    if concern is not None:
        yield concern


def _wishes(options: RestoreOptions) -> Iterator[Concern]:
    if options.publish:
        what = "no ports are published through the CRI: a sandbox has no network, a pod has an address"
        yield Concern(code="cri.option", weight=HARD, what=what, cure="leave --publish out")
    if options.ignore_rootfs:
        what = "runtimes always put the changed files back"
        yield Concern(code="cri.option", weight=HARD, what=what, cure="leave --ignore-rootfs out")
    if options.ignore_volumes:
        what = "--ignore-volumes changes nothing: no archive of a runtime holds volumes, " + (
            "and live they are the node's own, where they still are"
            if options.live
            else "and the sandbox has empty ones"
        )
        yield Concern(code="cri.ignore-volumes", weight=NOTE, what=what, cure="leave --ignore-volumes out")
    if options.pod:
        what = f"--pod is the name of a new pod, {escape(readable(options.pod))[:100]}: none is joined"
        yield Concern(code="cri.pod-name", weight=NOTE, what=what)


def _tcp(host: Host, checkpoint: Checkpoint, options: RestoreOptions) -> Iterator[Concern]:
    """Connections can be put back or closed only by options that the node gives to CRIU."""
    open_ = [each for each in checkpoint.sockets if each.socket.state == "ESTABLISHED"]
    if not any(each.socket.protocol == "tcp" for each in open_):
        return
    given = criu_options(host)
    if "tcp-close" in given or (options.live and "tcp-established" in given):
        return
    what = "it had open TCP connections, and runtimes neither keep nor close them unless the node says so"
    cure = f"a line `tcp-close` in {RUNC_CONF} on the node"
    yield Concern(code="cri.tcp", weight=SOFT, what=what, cure=cure)


def _shared_memory(checkpoint: Checkpoint) -> Iterator[Concern]:
    """A pod's /dev/shm is not its containers': no archive holds what is in it."""
    inside = (file.name for file in checkpoint.files if file.name.startswith(SHM) and not file.deleted)
    if name := next(inside, None):
        what = f"it has {escape(readable(name))[:200]} open, which is the pod's and not in the archive"
        yield Concern(code="cri.shared-memory", weight=SOFT, what=what, cure="no runtime can restore it")


def _mounts(host: Host, checkpoint: Checkpoint, options: RestoreOptions) -> Iterator[Concern]:
    """The archive's word is all there is for which folders of the node the container may have."""
    found = strangers(host, checkpoint) if options.live else []
    if found:
        named = ", ".join(escape(readable(source))[:200] for source in found[:3])
        what = f"it would get {len(found)} folders of other pods on this node: {named}"
        cure = "leave --live out: the sandbox has empty ones"
        yield Concern(code="cri.mounts", weight=SOFT, what=what, cure=cure)


def _around(host: Host, options: RestoreOptions) -> Iterator[Concern]:
    if any(os.path.exists(host.path(each)) for each in KUBELETS):
        what = "the kubelet of this node ends pods that it did not make, within a minute or two"
        yield Concern(
            code="cri.kubelet", weight=NOTE, what=what, cure="stop it, on a node for restores alone"
        )
    if not options.live and not counts_processes(host):
        what = "the number of processes in the sandbox has no bound: the CRI has none under cgroup v1"
        yield Concern(code="cri.no-process-limit", weight=NOTE, what=what)
