"""Captures by a kubelet, direct and through the API server, against doubles with TLS."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("httpx2")
pytest.importorskip("yaml")

from kubelet_rig import Kept, Rig, rigged
from kubelet_world import IDS, world

from cryoscope.engines import connect
from cryoscope.engines.kubelet import capturing, direct, spacing
from cryoscope.engines.kubelet.engine import Kubernetes
from cryoscope.engines.port import (
    AmbiguousTarget,
    Captured,
    CaptureOptions,
    EngineHung,
    EngineUnreachable,
    NoSuchContainer,
    Reach,
    RestoreOptions,
)
from cryoscope.engines.target import parse
from cryoscope.errors import CryoscopeError, Refused
from cryoscope.testing.cluster import CLIENT, Cluster, Node, User

COUNTER = "k8s://default/counters/counter"
PROXIED = COUNTER + "?via=apiserver"
CRIO = "k8s://team-b/counters/counter"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[Rig]:
    yield from rigged(tmp_path_factory, data)


@pytest.fixture
def rig(made: Rig, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """The rig with a fresh model and an empty node; no waiting between tries."""
    fresh = world()
    for name, node in fresh.nodes.items():
        node.port = made.kubelets[name].port
        made.kubelets[name].node = node
        made.kubelets[name].cluster = fresh
        made.kubelets[name].calls.clear()
        made.kubelets[name].truncate = None
    made.cluster = made.api.cluster = fresh
    made.api.page, made.api.loopback = None, True
    made.said.clear()
    for path in made.archives():
        path.unlink()
    monkeypatch.setattr(capturing, "BETWEEN", 0.0)
    monkeypatch.setattr(spacing, "APART", 0.0)
    return made


def engine(target: str, reach: Reach) -> Kubernetes:
    found = connect(parse(target), reach)
    assert isinstance(found, Kubernetes)
    return found


def capture(target: str, reach: Reach, **options: object) -> tuple[Captured, Kept]:
    """Find and capture."""
    there, sink = engine(target, reach), Kept()
    container = there.find(parse(target).reference)
    return there.capture(container, CaptureOptions(**options), sink), sink  # type: ignore[arg-type]


# --- success ------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [COUNTER, PROXIED, CRIO, "k8s://team-b/counters/counter?via=apiserver"])
def test_a_capture_brings_the_archive_byte_for_byte(rig: Rig, data: Path, target: str) -> None:
    captured, sink = capture(target, rig.reach())
    assert sink.data == (data / "containerd-counter.tar").read_bytes()
    assert captured.collected
    assert captured.location is not None
    assert [str(path) for path in rig.archives()] == [str(rig.root) + captured.location]
    assert captured.version.startswith("v1.36.2, c")
    assert captured.left_out == ["contents of the volumes sec, scratch: kubelets do not take them"]
    assert captured.container.id in (IDS["counter1"], IDS["counter2"])


def test_only_the_proxied_way_tells_once_what_it_grants(rig: Rig) -> None:
    there = engine(PROXIED, rig.reach())
    for _ in range(2):
        there.capture(there.find("counter"), CaptureOptions(fetch="none"), Kept())
        time.sleep(1.05 - time.time() % 1 if time.time() % 1 < 0.05 else 1.0)
    assert len([line for line in rig.said if "nodes/proxy" in line]) == 1
    capture(CRIO, rig.reach())
    assert len([line for line in rig.said if "nodes/proxy" in line]) == 1


def test_an_archive_that_is_not_fetched_is_told_and_stays(rig: Rig) -> None:
    captured, sink = capture(COUNTER, rig.reach(), fetch="none")
    assert not captured.collected
    assert sink.data == b""
    assert captured.location is not None
    assert str(rig.root) + captured.location == str(rig.archives()[0])


def test_the_direct_way_needs_create_on_nodes_checkpoint_and_a_pod_to_read(rig: Rig) -> None:
    rig.cluster.add(User("responder", {("create", "nodes/checkpoint"), ("get", "pods")}, "responder"))
    rig.cluster.nodes["node1"].port = 1  # nodes may not be read, so this is not seen: the usual port is taken
    given = f"127.0.0.1:{rig.kubelets['node1'].port}"
    captured, _ = capture(COUNTER, rig.reach({"token": "responder"}, kubelet=given))
    assert captured.collected


def test_timeouts_are_sent_in_whole_seconds(rig: Rig) -> None:
    capture(COUNTER, rig.reach(), timeout=7.2)
    assert rig.kubelets["node1"].calls == ["/checkpoint/default/counters/counter?timeout=8"]


# --- which one ----------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", ["counter", IDS["counter1"], IDS["counter1"][:12], IDS["counter1"][:3]])
def test_a_container_is_found_by_name_id_and_first_digits(rig: Rig, reference: str) -> None:
    found = engine(f"k8s://default/counters/{reference}", rig.reach()).find(reference)
    assert (found.name, found.id, found.node) == ("counter", IDS["counter1"], "node1")
    assert found.target == COUNTER


def test_init_and_ephemeral_containers_are_found_by_their_ids(rig: Rig) -> None:
    there = engine("k8s://default/counters", rig.reach())
    assert there.find("1" * 12).name == "setup"
    assert there.find("3" * 12).name == "dbg2"


def test_digits_of_two_containers_are_ambiguous(rig: Rig) -> None:
    pod = rig.cluster.pod("default", "counters")
    assert pod is not None
    pod.containers[2].id = IDS["counter1"][:20] + "0" * 44
    with pytest.raises(AmbiguousTarget):
        engine("k8s://default/counters", rig.reach()).find(IDS["counter1"][:12])


def test_a_pod_with_several_running_containers_asks_which(rig: Rig) -> None:
    with pytest.raises(AmbiguousTarget, match="counter, redis"):
        engine("k8s://default/counters", rig.reach()).find(None)
    assert engine("k8s://default/hostnet", rig.reach()).find(None).name == "c"


def test_the_list_has_all_containers_of_the_pod_with_their_states(rig: Rig) -> None:
    found = {each.name: each for each in engine("k8s://default/counters", rig.reach()).list()}
    assert {name: each.state for name, each in found.items()} == {
        "counter": "running",
        "redis": "running",
        "setup": "exited",
        "dbg": "created",
        "dbg2": "running",
    }
    assert found["counter"].capture.can
    assert not found["setup"].capture.can
    assert not found["counter"].restore.can


def test_without_a_target_all_pods_are_listed_page_by_page(rig: Rig) -> None:
    from cryoscope.engines.kubelet import discover

    rig.api.page = 3
    [there] = discover(rig.reach())
    assert len(there.list()) == sum(len(pod.containers) for pod in rig.cluster.pods)
    there.capture(there.find(IDS["redis2"]), CaptureOptions(), Kept())


def test_without_an_api_server_a_name_and_an_address_are_enough(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    chain, key = rig.authority.leaf("ckpt-direct")
    reach = rig.reach(kubeconfig=None)
    reach.kubeconfig = None
    reach.kubelet = f"127.0.0.1:{rig.kubelets['node1'].port}"
    reach.certificate, reach.key, reach.authority = str(chain), str(key), str(rig.authority.certificate)
    captured, sink = capture(COUNTER, reach)
    assert captured.collected
    assert len(sink.data) > 100_000


def test_an_api_server_that_does_not_answer_is_gone_past_when_an_address_is_given(rig: Rig) -> None:
    config = rig.kubeconfig({"token": "admin"}, "dead", server="https://127.0.0.1:1")
    given = f"127.0.0.1:{rig.kubelets['node1'].port}"
    captured, _ = capture(COUNTER, rig.reach(kubeconfig=config, kubelet=given))
    assert captured.collected
    assert any("the API server is not asked" in line for line in rig.said)


def test_a_container_that_was_started_anew_is_not_taken_for_the_old_one(rig: Rig) -> None:
    there = engine(COUNTER, rig.reach())
    found = there.find("counter")
    pod = rig.cluster.pod("default", "counters")
    assert pod is not None
    pod.containers[1].id = "f" * 64
    with pytest.raises(CryoscopeError) as raised:
        there.capture(found, CaptureOptions(), Kept())
    assert raised.value.code == "kubelet.container-changed"
    assert rig.kubelets["node1"].calls == []


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("k8s://default/nosuch/counter", "k8s.not-found"),
        ("k8s://default/counters/nosuch", "target.unknown"),
        ("k8s://default/counters/abcabcabcabc", "target.unknown"),
    ],
)
def test_what_is_not_there_is_said_before_anything_is_asked(rig: Rig, target: str, code: str) -> None:
    with pytest.raises(NoSuchContainer) as raised:
        capture(target, rig.reach())
    assert raised.value.code == code
    assert rig.kubelets["node1"].calls == []


# --- refusals -----------------------------------------------------------------------------------


def _user(name: str) -> Callable[[Rig], Reach]:
    return lambda rig: rig.reach(kubelet=f"127.0.0.1:{rig.kubelets['node1'].port}", user={"token": name})


def _node(name: str = "node1", **fields: object) -> Callable[[Rig], Reach]:
    def arrange(rig: Rig) -> Reach:
        for field, value in fields.items():
            setattr(rig.cluster.nodes[name], field, value)
        return rig.reach()

    return arrange


def _container(namespace: str = "default", **fields: object) -> Callable[[Rig], Reach]:
    def arrange(rig: Rig) -> Reach:
        pod = rig.cluster.pod(namespace, "counters")
        assert pod is not None
        for field, value in fields.items():
            setattr(pod.containers[1], field, value)
        return rig.reach()

    return arrange


def _moved(rig: Rig) -> Reach:
    """The API server believes the pod elsewhere than its kubelet does."""
    reach = rig.reach()
    reach.kubelet = f"127.0.0.1:{rig.kubelets['node2'].port}"
    return reach


def _renamed(rig: Rig) -> Reach:
    """The kubelet's pod has another container."""
    other = world()
    pod = other.pod("default", "counters")
    assert pod is not None
    del pod.containers[1]
    rig.kubelets["node1"].cluster = other
    return rig.reach()


def _client(rig: Rig) -> Reach:
    rig.cluster.users[CLIENT].rights = {("create", "nodes/proxy")}
    return rig.reach()


def _proxy_user(name: str) -> Callable[[Rig], Reach]:
    def arrange(rig: Rig) -> Reach:
        rig.cluster.users[name].rights |= {("get", "pods")}
        return rig.reach({"token": name})

    return arrange


def _loopback(rig: Rig) -> Reach:
    rig.api.loopback = False
    return rig.reach()


def _gone(rig: Rig) -> Reach:
    """The pod's node is none that the cluster knows."""
    del rig.cluster.nodes["node1"]
    return rig.reach()


BAD = [
    (COUNTER, _user("nobody-knows"), "kubelet.unauthorized"),
    (COUNTER, _user("nobody"), "kubelet.forbidden"),
    (COUNTER, _user("ckpt-proxy"), "kubelet.forbidden"),
    (COUNTER, _user("ckpt-getonly"), "kubelet.forbidden"),
    (COUNTER, _user("ckpt-star"), "kubelet.forbidden"),
    (COUNTER, _node(gate=False), "kubelet.checkpoint-off"),
    (COUNTER, _moved, "kubelet.pod-unknown"),
    (COUNTER, _renamed, "kubelet.container-unknown"),
    ("k8s://default/counters/setup", _node(), "kubelet.container-not-running"),
    ("k8s://default/counters/dbg", _node(), "kubelet.container-not-running"),
    (COUNTER, _node(criu=False), "kubelet.criu-missing"),
    (CRIO, _node("node2", criu=False), "kubelet.criu-missing"),
    (CRIO, _node("node2", criu_support=False), "kubelet.criu-off"),
    (CRIO, _node("node2", libcriu=False), "kubelet.libcriu-missing"),
    (COUNTER, _container(connected=True), "kubelet.criu-failed"),
    (CRIO, _container("team-b", connected=True), "kubelet.tcp-established"),
    (COUNTER, _node(disk_full=True), "kubelet.disk-full"),
    (CRIO, _node("node2", disk_full=True), "kubelet.disk-full"),
    (COUNTER, _node(hangs=True, request_timeout=0.05), "kubelet.deadline"),
    (COUNTER, _container(busy=99), "kubelet.busy"),
    (CRIO, _container("team-b", busy=99), "kubelet.busy"),
    (COUNTER, _node(fault="cannot pause a paused container"), "kubelet.busy"),
    (COUNTER, _node(fault="something new"), "kubelet.failed"),
    (
        COUNTER,
        _node(fault="rpc error: code = Unimplemented desc = method CheckpointContainer not implemented"),
        "kubelet.runtime-too-old",
    ),
    (COUNTER, _node(fault="checkpoint/restore requires at least CRIU 31600"), "kubelet.criu-old"),
    (COUNTER, _node(answer=b"\0" * 400_000), "kubelet.answer"),
    (COUNTER, _node(answer=b"<html>"), "kubelet.answer"),
    (COUNTER, _node(answer=b'{"items":[]}'), "kubelet.answer"),
    (COUNTER, _node(answer=b'{"items":["/etc/../etc/shadow"]}'), "kubelet.answer-path"),
    (PROXIED, _node(gate=False), "kubelet.checkpoint-off"),
    (PROXIED, _node(criu=False), "kubelet.criu-missing"),
    (PROXIED, _node(answer=b"\0" * 400_000), "apiserver.answer"),
    (PROXIED, _client, "apiserver.kubelet-forbidden"),
    (PROXIED, _proxy_user("ckpt-direct"), "apiserver.forbidden"),
    (PROXIED, _loopback, "apiserver.address"),
    (PROXIED, _gone, "apiserver.node-unknown"),
    ("k8s://default/counters/counter?context=nosuch", _node(), "k8s.context-unknown"),
    (PROXIED, lambda rig: rig.reach({"token": "nobody-knows"}), "k8s.unauthorized"),
    (PROXIED, lambda rig: rig.reach({"token": "nobody"}), "k8s.forbidden"),
    (COUNTER, lambda rig: rig.reach(kubelet="http://example.org:10250"), "kubelet.address"),
    (COUNTER, lambda rig: rig.reach(kubelet="127.0.0.1:1"), "kubelet.unreachable"),
]


@pytest.mark.parametrize(
    ("target", "arrange", "code"), BAD, ids=[f"{row[2]}-{at}" for at, row in enumerate(BAD)]
)
def test_a_refusal_ends_in_its_code(
    rig: Rig, target: str, arrange: Callable[[Rig], Reach], code: str
) -> None:
    with pytest.raises(CryoscopeError) as raised:
        capture(target, arrange(rig), fetch="none")
    assert raised.value.code == code
    assert raised.value.hint or code == "kubelet.failed"
    assert "\n" not in raised.value.message


def test_a_node_that_the_proxy_cannot_reach_is_named(rig: Rig) -> None:
    held = rig.api.kubelets.pop("node1")
    try:
        with pytest.raises(EngineUnreachable) as raised:
            capture(PROXIED, rig.reach())
    finally:
        rig.api.kubelets["node1"] = held
    assert raised.value.code == "apiserver.node-unreachable"
    assert "node1" in raised.value.message


# --- races, names, time ---------------------------------------------------------------------------


@pytest.mark.parametrize(("target", "namespace"), [(COUNTER, "default"), (CRIO, "team-b")])
def test_a_race_is_tried_again_three_times(rig: Rig, target: str, namespace: str) -> None:
    captured, sink = capture(target, _container(namespace, busy=3)(rig))
    assert captured.notes == ["taken at attempt 4"]
    assert sink.data


def test_other_failures_are_not_tried_again(rig: Rig) -> None:
    with pytest.raises(CryoscopeError):
        capture(COUNTER, _node(criu=False)(rig))
    assert len(rig.kubelets["node1"].calls) == 1


def test_between_tries_a_second_passes(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.undo()
    monkeypatch.setattr(capturing.time, "sleep", slept.append)
    capture(COUNTER, _container(busy=2)(rig))
    assert [seconds for seconds in slept if seconds == 1.0] == [1.0, 1.0]


def test_captures_of_one_container_get_different_names(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spacing, "APART", 1.05)
    places: list[str | None] = []
    reach = rig.reach()

    def run() -> None:
        places.append(capture(COUNTER, reach)[0].location)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(places)) == 3
    assert len(rig.archives()) == 3


def test_a_name_that_was_there_before_is_told(rig: Rig) -> None:
    rig.cluster.nodes["node1"].pinned = 1_800_000_000.0
    first, _ = capture(COUNTER, rig.reach())
    assert first.collected
    with pytest.raises(CryoscopeError) as raised:
        capture(COUNTER, rig.reach())
    assert raised.value.code == "kubelet.same-name"
    assert raised.value.exit_code == 5


def test_a_name_that_lies_on_this_node_already_is_told(rig: Rig) -> None:
    rig.cluster.nodes["node1"].pinned = 1_800_000_001.0
    first, _ = capture(COUNTER, rig.reach())
    spacing_folder = next(Path(spacing.folder()).iterdir())
    spacing_folder.unlink()
    assert first.location is not None
    with pytest.raises(CryoscopeError) as raised:
        capture(COUNTER, rig.reach())
    assert raised.value.code == "kubelet.same-name"


def test_turns_are_kept_without_a_folder_to_write_in(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    rig.cluster.nodes["node1"].pinned = 1_800_000_002.0
    capture(COUNTER, rig.reach(), fetch="none")
    for path in rig.archives():
        path.unlink()
    with pytest.raises(CryoscopeError) as raised:
        capture(COUNTER, rig.reach(), fetch="none")
    assert raised.value.code == "kubelet.same-name"


def test_a_silent_kubelet_is_given_up_with_what_it_may_still_do(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "GRACE", 0.2)
    rig.cluster.nodes["node1"].silent = True
    with pytest.raises(EngineHung) as raised:
        capture(COUNTER, rig.reach(), timeout=0.1)
    assert raised.value.code == "kubelet.silent"
    assert "may still appear" in raised.value.hint
    with pytest.raises(EngineHung) as raised:
        capture(PROXIED, rig.reach(), timeout=0.1)
    assert raised.value.code == "apiserver.silent"


def test_an_answer_after_the_timeout_that_the_kubelet_raised_still_counts(rig: Rig) -> None:
    rig.cluster.nodes["node1"].late = 1.3
    captured, _ = capture(COUNTER, rig.reach(), timeout=1)
    assert captured.collected


# --- archives -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 511, 512, 100_000, 378_880])
def test_a_truncated_archive_is_recognised(rig: Rig, size: int) -> None:
    rig.kubelets["node1"].truncate = size
    with pytest.raises(CryoscopeError) as raised:
        capture(COUNTER, rig.reach())
    assert raised.value.code == "kubelet.truncated"
    assert raised.value.exit_code == 5
    assert ("in the middle of a member" in raised.value.message) == (size in (511, 100_000))


def test_the_archive_that_a_full_disk_left_is_recognised(rig: Rig, data: Path) -> None:
    held, rig.kubelets["node1"].archive = rig.kubelets["node1"].archive, data / "truncated-by-full-disk.tar"
    try:
        with pytest.raises(CryoscopeError) as raised:
            capture(COUNTER, rig.reach())
    finally:
        rig.kubelets["node1"].archive = held
    assert raised.value.code == "kubelet.truncated"


def test_a_file_that_is_no_tar_is_recognised(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(b"\xff\x80noise" * 1000)
    held, rig.kubelets["node1"].archive = rig.kubelets["node1"].archive, tmp_path / "noise"
    try:
        with pytest.raises(CryoscopeError) as raised:
            capture(COUNTER, rig.reach())
    finally:
        rig.kubelets["node1"].archive = held
    assert raised.value.code == "kubelet.truncated"


# --- what stands against it, and what can be done ---------------------------------------------------


def test_options_that_a_kubelet_does_not_have_are_said_before(rig: Rig) -> None:
    there = engine(COUNTER, rig.reach())
    found = there.find("counter")
    options = CaptureOptions(
        stop=True, tcp="established", pre_checkpoint=True, compression="zstd", file_locks=True
    )
    weights = {each.code: each.weight for each in there.concerns(found, options)}
    assert weights["kubelet.no-stop"] == "hard"
    assert weights["kubelet.no-tcp"] == "soft"
    assert weights["kubelet.no-pre-checkpoint"] == "hard"
    assert weights["kubelet.no-compression"] == "note"
    assert weights["kubelet.no-file-locks"] == "note"
    assert there.concerns(found, CaptureOptions()) == [], "volumes are told once, by the capture"


def test_a_container_that_does_not_run_is_refused_before(rig: Rig) -> None:
    there = engine("k8s://default/counters/setup", rig.reach())
    hard = [each for each in there.concerns(there.find("setup"), CaptureOptions()) if each.weight == "hard"]
    assert [each.code for each in hard] == ["kubelet.container-not-running"]


def test_a_liveness_probe_and_an_archive_that_stays_are_told(rig: Rig) -> None:
    there = engine(COUNTER, _container(probe=True)(rig))
    codes = [each.code for each in there.concerns(there.find("counter"), CaptureOptions(fetch="none"))]
    assert codes == ["kubelet.probe", "kubelet.stays"]


def test_the_probe_says_what_nodes_are_and_whether_these_credentials_may(rig: Rig) -> None:
    probe = engine(COUNTER, rig.reach()).probe()
    assert probe.capture.can
    assert not probe.restore.can
    assert probe.version == "v1.36.2"
    assert probe.runtime == "containerd 2.1.9, cri-o 1.37.0"
    assert len(probe.checks) == 2
    assert probe.endpoint == rig.api.url


@pytest.mark.parametrize(
    ("arrange", "why"),
    [
        (_proxy_user("ckpt-proxy"), "may not create nodes/checkpoint"),
        (lambda rig: rig.reach({"token": "unknown"}), "does not know these credentials"),
        (lambda rig: rig.reach(context="nosuch"), "no context nosuch"),
    ],
)
def test_a_probe_says_why_not_and_never_raises(rig: Rig, arrange: Callable[[Rig], Reach], why: str) -> None:
    probe = engine(COUNTER, arrange(rig)).probe()
    assert not probe.capture.can
    assert why in probe.capture.why
    assert probe.capture.cure


def test_a_probe_goes_on_where_nodes_may_not_be_listed(rig: Rig) -> None:
    probe = engine(COUNTER, rig.reach({"token": "ckpt-direct"})).probe()
    assert probe.capture.can
    assert [each.code for each in probe.checks] == ["kubelet.nodes"]


@pytest.mark.parametrize(
    ("fields", "can", "why"),
    [
        ({"version": "1.7.24"}, False, "containerd 1.7.24 has no checkpoints"),
        ({"kubelet": "v1.24.1"}, False, "kubelet v1.24.1 has no checkpoints"),
        ({"kubelet": "v1.28.3"}, True, "switched off unless told"),
    ],
)
def test_nodes_that_cannot_are_told(rig: Rig, fields: dict[str, str], can: bool, why: str) -> None:
    _node(**fields)(rig)
    check = engine(COUNTER, rig.reach()).probe().checks[0]
    assert check.state == ("warn" if can else "fail")
    assert why in check.what


def test_restoring_is_refused_with_the_reason(rig: Rig) -> None:
    there = engine(COUNTER, rig.reach())
    options = RestoreOptions(name="x")
    assert [each.code for each in there.restore_concerns(None, options)] == ["k8s.restore"]  # type: ignore[arg-type]
    with pytest.raises(Refused) as raised:
        there.restore("x", None, options)  # type: ignore[arg-type]
    assert raised.value.code == "k8s.restore"
    assert raised.value.exit_code == 4


def test_the_opted_in_way_needs_a_kubeconfig(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(CryoscopeError) as raised:
        capture(PROXIED, Reach(host=rig.reach().host))
    assert raised.value.code == "k8s.no-config"
    assert raised.value.exit_code == 2


# --- TLS ------------------------------------------------------------------------------------------


def test_a_kubelet_of_another_authority_is_not_trusted(rig: Rig, made: Rig) -> None:
    config = rig.kubeconfig({"token": "admin"}, "no-ca", **{"certificate-authority-data": None})
    with pytest.raises(EngineUnreachable) as raised:
        capture(COUNTER, rig.reach(kubeconfig=config))
    assert raised.value.code == "k8s.tls"
    assert "--certificate-authority" in raised.value.hint
    captured, _ = capture(COUNTER, rig.reach(kubeconfig=config, authority=str(rig.authority.certificate)))
    assert captured.collected


def test_a_kubelet_with_a_certificate_of_its_own_needs_its_authority_or_insecure(
    rig: Rig, tmp_path: Path, data: Path
) -> None:
    from kubelet_rig import Authority

    from cryoscope.testing.kubelet import Kubelet

    other = Authority(tmp_path / "other")
    archive = data / "containerd-counter.tar"
    with Kubelet(rig.cluster, "node1", folder=rig.root, archive=archive, tls=other.server()) as kubelet:
        rig.cluster.nodes["node1"].port = kubelet.port
        with pytest.raises(EngineUnreachable) as raised:
            capture(COUNTER, rig.reach())
        assert raised.value.code == "kubelet.tls"
        assert kubelet.calls == []
        capture(COUNTER, rig.reach(authority=str(other.certificate)), fetch="none")
        assert [line for line in rig.said if "not checked" in line] == []
        capture("k8s://default/counters/redis", rig.reach(insecure=True), fetch="none")
        assert len([line for line in rig.said if "not checked" in line]) == 1


def test_insecure_still_uses_an_authority_that_is_given(rig: Rig, tmp_path: Path, data: Path) -> None:
    from kubelet_rig import Authority

    from cryoscope.testing.kubelet import Kubelet

    other = Authority(tmp_path / "other")
    archive = data / "containerd-counter.tar"
    with Kubelet(rig.cluster, "node1", folder=rig.root, archive=archive, tls=other.server()) as kubelet:
        rig.cluster.nodes["node1"].port = kubelet.port
        with pytest.raises(EngineUnreachable) as raised:
            capture(COUNTER, rig.reach(insecure=True, authority=str(rig.authority.certificate)))
        assert raised.value.code == "kubelet.tls"
        assert kubelet.calls == []
        capture(COUNTER, rig.reach(insecure=True, authority=str(other.certificate)), fetch="none")
        assert [line for line in rig.said if "not checked" in line] == []


def test_the_kubeconfigs_token_is_told_to_be_seen_by_the_node(rig: Rig) -> None:
    capture(COUNTER, rig.reach(), fetch="none")
    assert ["--token-file" in line for line in rig.said] == [True]


def test_insecure_does_not_leave_out_the_api_servers_check(rig: Rig, tmp_path: Path) -> None:
    import base64

    from kubelet_rig import Authority

    other = base64.b64encode(Authority(tmp_path / "other").certificate.read_bytes()).decode()
    config = rig.kubeconfig({"token": "admin"}, "other-ca", **{"certificate-authority-data": other})
    with pytest.raises(EngineUnreachable) as raised:
        capture(COUNTER, rig.reach(kubeconfig=config, insecure=True))
    assert raised.value.code == "k8s.tls"


def test_a_nodes_address_from_the_cluster_is_checked(rig: Rig) -> None:
    cluster: Cluster = rig.cluster
    cluster.nodes["node1"] = Node("node1", address="evil.example/../@", port=1)
    with pytest.raises(CryoscopeError) as raised:
        capture(COUNTER, rig.reach())
    assert raised.value.code == "kubelet.no-address"
