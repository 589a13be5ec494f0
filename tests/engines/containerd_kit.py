"""For tests of containerd: the engine for the CRI at the lab's, captures, restores that are removed."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.engines.cri import Cri
from cryoscope.engines.cri.restore import remove_pod
from cryoscope.engines.host import Host
from cryoscope.engines.port import HARD, Captured, CaptureOptions, Reach, Restored, RestoreOptions
from cryoscope.workflows.open import open_checkpoint
from lab.engines import Running
from lab.engines.containerd import SOCKET, Containerd
from lab.engines.freezer import thawing
from sinks import FileSink

OWN = "/var/lib/cryoscope"
PLACE = "/var/lib/lab/volumes"
"""Where folders of the node are that tests mount."""


def engine_of(lab: Containerd) -> Cri:
    """The engine, at the lab's socket."""
    return Cri(SOCKET, Reach(host=Host(lab.node.pid)))


def capture(lab: Containerd, running: Running, path: Path, **given: Any) -> Captured:
    """Capture a workload into a file."""
    engine = engine_of(lab)
    try:
        found = engine.find(running.id)
        with thawing(running.pid):
            return engine.capture(found, CaptureOptions(**given), FileSink(path))
    finally:
        engine.close()


def restore(lab: Containerd, archive: Path, checkpoint: Checkpoint, **given: Any) -> Restored:
    """Restore an archive that nothing hard stands against."""
    engine = engine_of(lab)
    try:
        options = RestoreOptions(**given)
        against = [each for each in engine.restore_concerns(checkpoint, options) if each.weight == HARD]
        assert against == []
        return engine.restore(str(archive), checkpoint, options)
    finally:
        engine.close()


@contextlib.contextmanager
def restored(lab: Containerd, archive: Path, **given: Any) -> Iterator[Restored]:
    """A restored container while it is needed; afterwards nothing of it is left."""
    before = pods(lab)
    with open_checkpoint(str(archive)) as checkpoint:
        done = restore(lab, archive, checkpoint, **given)
    try:
        yield done
    finally:
        remove(lab, done)
    assert pods(lab) == before


def remove(lab: Containerd, done: Restored) -> None:
    """What `Restored.remove` says, without crictl: the pod that it names, and the folder."""
    command, _, folder = done.remove.partition(" && rm -rf ")
    engine = engine_of(lab)
    assert command.startswith(f"crictl --runtime-endpoint unix://{SOCKET} rmp --force ")
    remove_pod(engine.client, command.split()[-1])
    engine.close()
    if folder:
        assert folder.startswith(OWN + "/")
        shutil.rmtree(lab.node.outside(folder))


def pods(lab: Containerd) -> set[str]:
    """The pods that are there."""
    engine = engine_of(lab)
    found = {each.id for each in engine.client.call("ListPodSandbox").items}
    engine.close()
    return found


def links(lab: Containerd, pid: int) -> list[str]:
    """The links of a process's network namespace."""
    rows = lab.node.sh(f"nsenter --target={pid} --net ip -brief address").splitlines()
    return [row.split()[0].partition("@")[0] for row in rows]


@contextlib.contextmanager
def mounted(lab: Containerd, image: str, command: list[str], mounts: dict[str, str]) -> Iterator[Running]:
    """A container with folders or files of the node mounted, by their path in it."""
    engine = engine_of(lab)
    name, uid = f"mounted-{uuid.uuid4().hex[:8]}", str(uuid.uuid4())
    space = {"namespace_options": {"pid": 1}}
    pod_config = {
        "metadata": {"name": name, "uid": uid, "namespace": "lab"},
        "log_directory": f"/var/log/pods/{name}",
        "linux": {"security_context": space},
    }
    pod = engine.client.call("RunPodSandbox", config=pod_config).pod_sandbox_id
    try:
        config = {
            "metadata": {"name": name},
            "image": {"image": image},
            "command": command,
            "log_path": "0.log",
            "mounts": [{"container_path": path, "host_path": source} for path, source in mounts.items()],
            "linux": {"security_context": space},
        }
        id_ = engine.client.call(
            "CreateContainer", pod_sandbox_id=pod, config=config, sandbox_config=pod_config
        ).container_id
        engine.client.call("StartContainer", container_id=id_)
        pid = engine.find(id_).pid
        assert pid is not None
        yield Running(id_, lab.node.pid_outside(pid), None)  # type: ignore[arg-type]
    finally:
        remove_pod(engine.client, pod)
        engine.close()
