"""What a reader runs, in the shells that images have; and a capture with its collection as one."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess

import pytest

from lab import places

pytest.importorskip("httpx2")
pytest.importorskip("wsproto")

from cryoscope.engines import connect
from cryoscope.engines.collect import pod, reading
from cryoscope.engines.host import Host
from cryoscope.engines.port import CaptureOptions, Reach
from cryoscope.engines.target import parse
from cryoscope.testing import pods
from cryoscope.testing.cluster import Cluster, Container, Node, Pod, User
from cryoscope.testing.kubelet import Kubelet

FOLDER = "/var/lib/kubelet/checkpoints"


class Memory:
    path = ""

    def __init__(self):
        self.data = bytearray()

    def write(self, block):
        self.data += block


def test_a_capture_by_the_kubelet_is_collected_from_its_node(tmp_path, data):
    archive = data / "crio-counter.tar"
    model = Cluster()
    model.add(Node("node1"), Pod("default", "counters", "node1", [Container("counter")]))
    model.add(User("anna", {("create", "nodes/checkpoint")}, token="tok"))
    there = pods.Pods(
        {("node1", FOLDER): f"{tmp_path}{FOLDER}"}, settings={"image": "busybox@sha256:" + "ab" * 32}
    )
    running = {"name": "counter", "containerID": "containerd://" + "0" * 64, "state": {"running": {}}}
    there.there["default", "counters"] = {
        "metadata": {"namespace": "default", "name": "counters"},
        "spec": {"nodeName": "node1", "containers": [{"name": "counter", "image": "busybox"}]},
        "status": {"phase": "Running", "containerStatuses": [running]},
    }
    there.users = {"tok": "anna"}
    sink = Memory()
    with Kubelet(model, "node1", folder=tmp_path, archive=archive) as kubelet, pods.serve(there) as address:
        tmp_path.joinpath("kubeconfig").write_text(pods.kubeconfig(address, token="tok"))
        reach = Reach(host=Host(), kubeconfig=str(tmp_path / "kubeconfig"), kubelet=kubelet.url)
        engine = connect(parse("k8s://default/counters/counter"), reach)
        got = engine.capture(engine.find("counter"), CaptureOptions(fetch="reader-pod"), sink)
        engine.cluster.client().close()
    assert got.collected
    assert bytes(sink.data) == archive.read_bytes()
    assert [*there.there] == [("default", "counters")]


def _busybox() -> str | None:
    root = places.root() / "usr/bin/busybox"
    return shutil.which("busybox") or (str(root) if root.exists() else None)


SHELLS = {"sh": "/bin/sh", "bash": shutil.which("bash"), "busybox": _busybox()}


@pytest.mark.parametrize("shell", [name for name, path in SHELLS.items() if path])
@pytest.mark.parametrize("start", [1, 70001, 200001])
def test_the_script_reads_from_any_byte_in_every_shell(tmp_path, shell, start):
    content = os.urandom(200000)
    tmp_path.joinpath("x.tar").write_bytes(content)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "stat", "tail", "sha256sum") if shell == "busybox" else ():
        programs.joinpath(name).symlink_to(SHELLS["busybox"])
    script = reading.SCRIPT.replace(pod.MOUNT, str(tmp_path))
    program = str(programs / "sh") if shell == "busybox" else SHELLS[shell]
    environment = {"PATH": str(programs) if shell == "busybox" else os.environ["PATH"]}
    ran = subprocess.run(
        [program, "-c", script, "reader", "x.tar", str(start)], env=environment, capture_output=True
    )
    assert ran.returncode == 0
    assert ran.stdout == content[start - 1 :]
    assert reading.DIGEST.search(ran.stderr)[1].decode() == hashlib.sha256(content).hexdigest()
    assert int(reading.SIZE.search(ran.stderr)[1]) == 200000
