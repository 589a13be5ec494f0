"""A pod of its own, the container in it made from the archive, and both away again if that fails.

RunPodSandbox -> (sandbox: no links) -> CreateContainer(image = the archive) -> StartContainer -> looked at
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cryoscope.engines import escaped
from cryoscope.engines.cri import pods
from cryoscope.engines.cri.abilities import CONTAINERD, Runtime, document
from cryoscope.engines.cri.client import CallFailed, Client
from cryoscope.engines.cri.isolation import Isolation, isolate
from cryoscope.engines.cri.listing import details, pid_of
from cryoscope.engines.cri.mounts import Bound, OpenFile, StandIns, bound, open_below, still_there
from cryoscope.engines.cri.placing import placed
from cryoscope.engines.cri.refusals import refused
from cryoscope.engines.cri.restore_log import RestoreLog
from cryoscope.engines.host import Host
from cryoscope.engines.port import EngineError, EngineUnreachable, Record, Restored, RestoreOptions
from cryoscope.engines.target import CONTAINER
from cryoscope.errors import Refused, UsageError
from cryoscope.text import escape, readable

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint

REMOVING = 30.0
"""Seconds that it may take to end a pod."""
RUNNING = 1
HOST_NETWORK = "the container was on the network of its host, and would be on this one's again"
KEPT_OUT = (
    "no network: its namespace has lo alone",
    "no host mounts",
    "no service-account token",
    "process ids, IPC and mounts of its own",
)


class Known(Record, frozen=True, kw_only=True):
    """What a restore takes from the archive; read once, by one thread."""

    mounts: list[Bound]
    open_files: list[OpenFile]
    tty: bool
    limits: dict[str, Any]
    host_network: bool = False


def known(checkpoint: Checkpoint) -> Known:
    """What `restore` must know of a checkpoint."""
    container = checkpoint.container
    found = bound(checkpoint)
    return Known(
        mounts=found,
        open_files=open_below(checkpoint, found),
        tty=container.process is not None and container.process.terminal,
        limits=pods.own_limits(container.facts),
        host_network=on_host_network(checkpoint),
    )


def on_host_network(checkpoint: Checkpoint) -> bool:
    """Whether CRIU would put a process onto the network of the host: it was on it when it was dumped."""
    spaces = checkpoint.container.namespaces
    shared = any(space.kind == "net" and space.host for space in checkpoint.namespaces)
    return shared or (bool(spaces) and "network" not in spaces)


def restore(
    client: Client, runtime: Runtime, host: Host, archive: str, known: Known, options: RestoreOptions
) -> Restored:
    """Let an archive, or a checkpoint image of the node, go on; raises `EngineError` and leaves nothing."""
    for name in (options.name, options.pod):
        if name is not None and not CONTAINER.match(name):
            raise UsageError(
                f"{escape(readable(name))[:100]!r} is no name of a container",
                hint="give --name and --pod letters, digits, _ . and -, a letter or digit first",
                code="cri.name",
            )
    if known.host_network and not options.live:
        raise Refused(
            HOST_NETWORK, hint="restore it with --live if it may have that", code="cri.host-network"
        )
    started = time.monotonic()
    uid = str(uuid.uuid4())
    standing = StandIns(host, uid)
    with _place(host, archive) as image, contextlib.ExitStack() as undo:
        undo.callback(standing.remove)
        plan = _plan(host, uid, image, known, options, standing)
        config = pods.pod(options, uid)
        pod = _run_pod(client, config)
        undo.callback(remove_pod, client, pod)
        isolation = None if options.live else isolate(host, _pod_info(client, pod))
        container = _start(client, runtime, host, pod, plan, config, options)
        pid = _goes_on(client, container, isolation)
        if isolation is not None:
            escaped.check(host, pid, "cri")
        undo.pop_all()
    return Restored(
        engine="cri",
        id=container,
        name=options.name,
        target=f"cri://{'containerd' if runtime.name == CONTAINERD else 'crio'}/{container}",
        pid=pid,
        live=options.live,
        sandbox=[] if options.live else _kept(known, options, plan),
        notes=_notes(known, options, plan, standing),
        remove=_removing(client, pod, standing, plan),
        seconds=round(time.monotonic() - started, 3),
    )


@contextmanager
def _place(host: Host, archive: str) -> Iterator[str]:
    """What the runtime is told: an archive's path there, or the name of a checkpoint image as it is."""
    if archive.startswith("/"):
        with placed(host, archive) as inside:
            yield inside
    else:
        yield archive


def _plan(
    host: Host,
    uid: str,
    image: str,
    known: Known,
    options: RestoreOptions,
    standing: StandIns,
) -> pods.Plan:
    kept = [each for each in known.mounts if options.live and still_there(host, each)]
    empty = [each for each in known.mounts if each not in kept]
    folders = tuple(each.path + "/" for each in empty)
    places = standing.make(empty, [each for each in known.open_files if each.path.startswith(folders)])
    places |= {each.path: each.source for each in kept}
    return pods.Plan(
        uid=uid,
        image=image,
        tty=known.tty,
        mounts=[_mount(each, places[each.path], each in empty) for each in known.mounts],
        limits=known.limits if options.live else pods.sandbox_limits(host, options),
    )


def _mount(mount: Bound, place: str, ours: bool) -> dict[str, Any]:
    return {
        "container_path": mount.path,
        "host_path": place,
        "readonly": mount.readonly,
        "selinux_relabel": ours,
    }


def _run_pod(client: Client, config: dict[str, Any]) -> str:
    try:
        return str(client.call("RunPodSandbox", deadline=REMOVING, config=config).pod_sandbox_id)
    except CallFailed as error:
        raise refused(error) from None


def _pod_info(client: Client, pod: str) -> dict[str, Any]:
    try:
        answer = client.call("PodSandboxStatus", pod_sandbox_id=pod, verbose=True)
    except CallFailed as error:
        raise refused(error) from None
    return document(answer.info.get("info", ""))


def _start(
    client: Client,
    runtime: Runtime,
    host: Host,
    pod: str,
    plan: pods.Plan,
    config: dict[str, Any],
    options: RestoreOptions,
) -> str:
    """Create and start the container; returns its id."""
    deadline = time.monotonic() + options.timeout
    wanted = pods.container(options, plan)
    try:
        made = client.call(
            "CreateContainer",
            deadline=options.timeout,
            pod_sandbox_id=pod,
            config=wanted,
            sandbox_config=config,
        )
    except CallFailed as error:
        raise refused(error) from None
    container = str(made.container_id)
    left = max(deadline - time.monotonic(), 1.0)
    with RestoreLog(runtime, host, container) as log:
        try:
            client.call("StartContainer", deadline=left, container_id=container)
        except CallFailed as error:
            raise refused(error, log.text()) from None
    return container


def _goes_on(client: Client, container: str, isolation: Isolation | None) -> int | None:
    """The process that goes on; raises `EngineError` if none does, or if it got out."""
    status, info = details(client, container)
    pid = pid_of(info)
    if status.state != RUNNING:
        raise EngineError(
            f"the container ended as soon as it went on: {escape(status.message or status.reason)[:200]}",
            hint="its log says more: it lies below /var/log/pods on the node",
            code="cri.ended",
        )
    if isolation is not None and not isolation.holds(pid):
        raise EngineError(
            "processes of the container are not in the sandbox's network, and were ended",
            hint="the checkpoint puts them onto the network of the host: do not restore it with a runtime",
            code="cri.escaped",
        )
    return pid


def remove_pod(client: Client, pod: str) -> None:
    """End a pod and what is in it, and take it away; what is gone already is no failure."""
    with contextlib.suppress(CallFailed, EngineUnreachable):
        filter_ = {"pod_sandbox_id": pod}
        for each in client.call("ListContainers", filter=filter_).containers:
            with contextlib.suppress(CallFailed):  # CRI-O gives what ignores SIGTERM all the time there is
                client.call("StopContainer", deadline=REMOVING, container_id=each.id, timeout=0)
    for method in ("StopPodSandbox", "RemovePodSandbox"):
        with contextlib.suppress(CallFailed, EngineUnreachable):
            client.call(method, deadline=REMOVING, pod_sandbox_id=pod)


def _kept(known: Known, options: RestoreOptions, plan: pods.Plan) -> list[str]:
    found = [*KEPT_OUT, f"{options.memory >> 20} MiB of memory", f"{options.cpus:g} processors"]
    if "unified" in plan.limits:
        found.append(f"{options.processes} processes")
    if known.mounts:
        found[1] = f"no host mounts: {len(known.mounts)} empty ones in their place"
    return found


def _notes(known: Known, options: RestoreOptions, plan: pods.Plan, standing: StandIns) -> list[str]:
    """What is not as it was, or not as one might wish."""
    empty = [each["container_path"] for each in plan.mounts if each["host_path"].startswith(standing.folder)]
    notes = [f"empty: {escape(path)[:200]}" for path in empty]
    if known.open_files and empty:
        notes.append(f"{len(known.open_files)} files that were open below mounts are there without contents")
    if not options.live:
        notes.append("users, capabilities and seccomp are those of the checkpoint; no user namespace")
        if "unified" not in plan.limits:
            notes.append("the number of processes has no bound: the CRI has none under cgroup v1")
    return notes


def _removing(client: Client, pod: str, standing: StandIns, plan: pods.Plan) -> str:
    command = f"crictl --runtime-endpoint unix://{client.socket} rmp --force {pod}"
    made = any(each["host_path"].startswith(standing.folder) for each in plan.mounts)
    return command + (f" && rm -rf {standing.folder}" if made else "")
