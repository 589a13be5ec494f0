"""Collecting through a reader: a double of the API server whose pods really run the command."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from deployed import Policies, may

pytest.importorskip("httpx2")
pytest.importorskip("wsproto")

from cryoscope.engines import collect
from cryoscope.engines.collect import pod, reading, waiting
from cryoscope.engines.collect.errors import CollectError
from cryoscope.engines.host import Host
from cryoscope.engines.port import Reach
from cryoscope.errors import UsageError
from cryoscope.testing import pods

NAME = "checkpoint-counters_default-counter-2026-11-22T00:48:25Z.tar"
FOLDER = "/var/lib/kubelet/checkpoints"
IMAGE = "busybox@sha256:" + "ab" * 32
CONTENT = os.urandom(1 << 16) * 48  # 3 MiB: about a hundred messages
CUSTODIAN = "system:serviceaccount:cryoscope:custodian"


class Memory:
    path = ""

    def __init__(self):
        self.data = bytearray()

    def write(self, block):
        self.data += block


class Cluster:
    """The double, its folder, and what a collection through it says."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.pods = pods.Pods({("node1", FOLDER): str(folder)}, settings={"image": IMAGE, "folder": FOLDER})
        self.said: list[str] = []
        self.token: str | None = None

    def collect(self, sink=None, path=f"{FOLDER}/{NAME}", node="node1", **more):
        with pods.serve(self.pods) as address:
            config = self.folder.parent / "kubeconfig"
            config.write_text(pods.kubeconfig(address, token=self.token))
            reach = Reach(host=Host(), kubeconfig=str(config), say=self.said.append, **more)
            return collect.collect(reach, node, path, sink or Memory(), "reader-pod")

    def refused(self, **more) -> CollectError:
        with pytest.raises(CollectError) as caught:
            self.collect(**more)
        assert caught.value.exit_code == 5
        assert caught.value.hint
        assert self.pods.there == {}, "the reader was left behind"
        return caught.value


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch) -> Cluster:
    folder = tmp_path / "checkpoints"
    folder.mkdir(0o700)
    folder.joinpath(NAME).write_bytes(CONTENT)
    monkeypatch.setattr(waiting, "EVERY", 0.01)
    return Cluster(folder)


def test_an_archive_comes_whole_and_the_reader_is_gone(cluster):
    sink = Memory()
    got = cluster.collect(sink)
    assert bytes(sink.data) == CONTENT
    assert (got.by, got.size, got.resumed) == ("reader-pod", len(CONTENT), 0)
    assert got.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert cluster.pods.there == {}
    assert cluster.said == []
    [made] = cluster.pods.made
    assert made["spec"]["nodeName"] == "node1"
    assert made["spec"]["volumes"][0]["hostPath"] == {"path": FOLDER, "type": "Directory"}


def test_the_manifests_give_the_custodian_all_it_takes_and_the_policies_let_it(cluster):
    pytest.importorskip("cel_expr_python")
    policies = Policies({"image": IMAGE, "folder": FOLDER, "selinux": ""})

    def admission(user, operation, obj):
        resource = "pods/exec" if operation == "CONNECT" else "pods"
        return "; ".join(policies.against("cryoscope", user, operation, resource, obj)) or None

    cluster.pods.rights = may
    cluster.pods.admission = admission
    cluster.pods.users = {"tok": CUSTODIAN}
    cluster.token = "tok"
    sink = Memory()
    cluster.collect(sink)
    assert bytes(sink.data) == CONTENT
    assert {*cluster.pods.seen} == {
        "get configmaps",
        "list pods",
        "create pods",
        "get pods",
        "exec pods",
        "delete pods",
    }


def test_a_token_of_the_custodian_may_come_from_a_file_of_its_own(cluster, tmp_path):
    cluster.pods.rights = may
    cluster.pods.users = {"tok": CUSTODIAN, "mine": "anna"}
    cluster.token = "mine"
    assert cluster.refused(reader_image=IMAGE).code == "collect.denied"
    tmp_path.joinpath("token").write_text("tok\n")
    assert cluster.collect(reader_token_file=str(tmp_path / "token")).size == len(CONTENT)


@pytest.mark.parametrize("verb", ["get", "create"])
def test_exec_that_is_forbidden_is_told_with_the_right_that_is_missing(cluster, verb):
    cluster.pods.rights = lambda _user, asked: (asked["verb"], asked.get("subresource")) != (verb, "exec")
    error = cluster.refused()
    assert error.code == "collect.denied"
    assert "pods/exec" in error.message


# --- broken streams -------------------------------------------------------------------------


class Cut:
    """A network that cuts connections after so many messages, `times` times."""

    def __init__(self, after: int, times: int):
        self.after, self.times, self.count = after, times, 0

    def __call__(self, channel, data):
        if self.times and channel == 1:
            self.count += 1
            if self.count > self.after:
                self.count, self.times = 0, self.times - 1
                return None
        return data


def test_a_stream_that_is_cut_is_taken_up_again_where_it_ended(cluster):
    cluster.pods.wire = Cut(after=20, times=3)
    sink = Memory()
    got = cluster.collect(sink)
    assert bytes(sink.data) == CONTENT
    assert got.resumed == 3


class Short:
    """A network that loses the end of the first stream's output, but not its Status."""

    def __init__(self, after: int):
        self.left = after

    def __call__(self, channel, data):
        if channel == 3:
            self.left = 1 << 30
        elif channel == 1:
            self.left -= 1
        return data if self.left >= 0 else b""


def test_a_stream_that_ends_early_with_success_is_noticed_and_taken_up_again(cluster):
    cluster.pods.wire = Short(after=60)
    sink = Memory()
    got = cluster.collect(sink)
    assert got.resumed == 1
    assert (got.size, bytes(sink.data)) == (len(CONTENT), CONTENT)


def test_a_hole_in_a_stream_is_noticed(cluster):
    hole = Cut(after=30, times=1)
    cluster.pods.wire = lambda channel, data: b"" if hole(channel, data) is None else data
    assert cluster.refused().code == "collect.digest"


def test_a_network_that_only_cuts_is_given_up(cluster):
    cluster.pods.wire = Cut(after=0, times=1000)
    error = cluster.refused()
    assert error.code == "collect.broken"
    assert cluster.pods.seen.count("exec pods") == reading.TRIES


def test_bytes_that_change_on_the_way_are_noticed(cluster):
    flipped = []

    def wire(channel, data):
        if channel == 1 and not flipped:
            flipped.append(True)
            return bytes([data[0] ^ 1]) + data[1:]
        return data

    cluster.pods.wire = wire
    assert cluster.refused().code == "collect.digest"


def test_a_file_that_changes_while_it_is_read_is_noticed(cluster):
    def wire(channel, data):
        with open(cluster.folder / NAME, "ab") as file:
            file.write(b"more")
        cluster.pods.wire = lambda _channel, data: data
        return data

    cluster.pods.wire = wire
    assert cluster.refused().code in ("collect.changed", "collect.digest")


# --- the file -------------------------------------------------------------------------------


def test_a_missing_file_is_told(cluster):
    os.unlink(cluster.folder / NAME)
    assert cluster.refused().code == "collect.missing"


def test_a_link_a_folder_and_a_pipe_are_refused(cluster):
    for make in (
        os.mkdir,
        os.mkfifo,
        lambda path: os.symlink("/etc/passwd", path),
        lambda p: os.symlink("x", p),
    ):
        path = cluster.folder / NAME
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
        make(path)
        assert cluster.refused().code == "collect.unsafe"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_another_owners_file_is_refused(cluster):
    os.chown(cluster.folder / NAME, 12345, 12345)
    assert cluster.refused().code == "collect.unsafe"


@pytest.mark.parametrize(
    "path", [f"{FOLDER}/../../../etc/shadow", f"{FOLDER}/x;id.tar", f"/etc/$(id)/{NAME}"]
)
def test_a_path_that_is_no_archives_never_reaches_the_cluster(cluster, path):
    assert cluster.refused(path=path).code == "collect.name"
    assert cluster.pods.seen == []


# --- the pod --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fate", "code"),
    [
        (pods.NO_IMAGE, "collect.image"),
        (pods.REFUSED, "collect.rejected"),
        (pods.NOT_TAKEN, "collect.not-scheduled"),
        (pods.STUCK, "collect.not-started"),
    ],
)
def test_a_pod_that_does_not_start_is_explained_and_removed(cluster, monkeypatch, fate, code):
    monkeypatch.setattr(waiting.until_running, "__kwdefaults__", {"within": 0.1})
    cluster.pods.fate = fate
    cluster.pods.events = ['MountVolume.SetUp failed for volume "checkpoints": is not a directory']
    error = cluster.refused()
    assert error.code == code
    assert ("is not a directory" in error.message) is (fate == pods.STUCK)


def test_a_policy_that_refuses_is_told_in_its_own_words(cluster):
    cluster.pods.admission = lambda *_: "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"
    error = cluster.refused()
    assert error.code == "collect.admission"
    assert "denied request: no" in error.message


def test_rbac_that_refuses_is_told_apart_from_a_policy(cluster):
    cluster.pods.rights = lambda _user, asked: asked["verb"] != "create"
    assert cluster.refused().code == "collect.denied"


def test_who_may_nothing_is_told_so_and_nothing_of_a_pod_that_never_was(cluster):
    cluster.pods.rights = lambda *_: False
    assert cluster.refused(reader_image=IMAGE).code == "collect.denied"
    assert cluster.said == []


def test_an_api_server_that_is_gone_leaves_the_archive_captured_but_not_collected(cluster, tmp_path):
    tmp_path.joinpath("gone").write_text(pods.kubeconfig("http://127.0.0.1:1"))
    reach = Reach(host=Host(), kubeconfig=str(tmp_path / "gone"))
    with pytest.raises(CollectError) as caught:
        collect.collect(reach, "node1", f"{FOLDER}/{NAME}", Memory(), "reader-pod")
    assert (caught.value.code, caught.value.exit_code) == ("k8s.unreachable", 5)


def test_a_namespace_that_is_not_there_is_told(cluster):
    assert cluster.refused(reader_namespace="elsewhere", reader_image=IMAGE).code == "collect.namespace"


def test_without_an_image_nothing_starts(cluster):
    for settings in (None, {"image": ""}):
        cluster.pods.settings = settings
        assert cluster.refused().code == "collect.image-unset"
    assert cluster.pods.made == []


def test_the_users_image_goes_before_the_settings(cluster):
    cluster.collect(reader_image="other@sha256:" + "cd" * 32)
    assert cluster.pods.made[0]["spec"]["containers"][0]["image"].startswith("other@")


def test_a_folder_that_readers_may_not_see_is_told_before_anything_starts(cluster):
    cluster.pods.settings["folder"] = "/data/kubelet/checkpoints"
    assert cluster.refused().code == "collect.folder"
    assert cluster.pods.made == []


def test_a_namespace_is_checked_before_it_gets_into_a_path(cluster):
    with pytest.raises(UsageError):
        cluster.collect(reader_namespace="x/../kube-system")


def test_an_image_without_a_shell_is_told(cluster, monkeypatch):
    monkeypatch.setattr(pods.commands.subprocess, "Popen", _no_shell)
    assert cluster.refused().code == "collect.image-tools"


def _no_shell(*_args, **_more):
    raise FileNotFoundError(2, "no such file or directory")


def test_an_image_without_a_program_is_told(cluster, monkeypatch):
    monkeypatch.setattr(reading, "SCRIPT", reading.SCRIPT.replace("sha256sum", "no-such-program"))
    assert cluster.refused().code in ("collect.image-tools", "collect.unreadable")


def test_a_reader_that_cannot_be_removed_is_told_with_the_command_that_does(cluster):
    cluster.pods.rights = lambda _user, asked: asked["verb"] != "delete"
    cluster.collect()
    [line] = cluster.said
    [(_, name)] = cluster.pods.there
    assert f"kubectl delete pod -n cryoscope {name}" in line
    assert str(pod.DEADLINE) in line


def test_what_an_earlier_run_left_is_removed_and_what_runs_is_not(cluster):
    def left(name, phase):
        made = pod.manifest(name, "node1", pod.Settings(namespace="cryoscope", image=IMAGE, folder=FOLDER))
        cluster.pods.there["cryoscope", name] = {**made, "status": {"phase": phase}}

    left("old", "Failed")
    left("done", "Succeeded")
    left("running", "Running")
    cluster.collect()
    assert [*cluster.pods.there] == [("cryoscope", "running")]


# --- being stopped --------------------------------------------------------------------------

STOPPED = """
import sys
from cryoscope.engines import collect
from cryoscope.engines.host import Host
from cryoscope.engines.port import Reach
class Sink:
    path = ""
    def write(self, block):
        print("writing", flush=True)
collect.collect(Reach(host=Host(), kubeconfig=sys.argv[1]), "node1", sys.argv[2], Sink(), "reader-pod")
"""


def test_ctrl_c_removes_the_reader(cluster, tmp_path):
    stop = threading.Event()

    def slow(_channel, data):
        stop.wait(0.2)
        return data

    cluster.pods.wire = slow
    with pods.serve(cluster.pods) as address:
        tmp_path.joinpath("kubeconfig").write_text(pods.kubeconfig(address))
        argv = [sys.executable, "-c", STOPPED, str(tmp_path / "kubeconfig"), f"{FOLDER}/{NAME}"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            assert running.stdout.readline() == b"writing\n"
            assert cluster.pods.there
            running.send_signal(signal.SIGINT)
            running.stdout.read()
            error = running.stderr.read()
        stop.set()
    assert b"KeyboardInterrupt" in error
    assert cluster.pods.there == {}


def test_a_full_disk_here_removes_the_reader(cluster):
    class Full:
        path = ""

        def write(self, _block):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        cluster.collect(Full())
    assert cluster.pods.there == {}
