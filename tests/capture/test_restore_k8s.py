"""`restore --to k8s`, from the command's workflow to a cluster that judges as real runtimes do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

pytest.importorskip("httpx2")

from cryoscope.engines.cluster import applying, waiting
from cryoscope.engines.host import Host
from cryoscope.engines.port import Reach, RestoreOptions
from cryoscope.errors import CryoscopeError
from cryoscope.report.manifests import manifests
from cryoscope.testing.apiserver import ApiServer
from cryoscope.testing.cluster import CheckpointImage, Cluster, Node, User
from cryoscope.testing.pods import kubeconfig
from cryoscope.workflows.examine import Answer
from cryoscope.workflows.restore import Restoring, restore
from cryoscope.workflows.restore_kubernetes import InCluster

IMAGE = "registry.example/counter@sha256:" + "ab" * 32
MOUNTS = (
    *("/scratch", "/etc/sec", "/etc/hosts", "/dev/termination-log"),
    "/var/run/secrets/kubernetes.io/serviceaccount",
)
SPACE = "cryoscope-sandbox"
ALL = ("*", "*")


class World:
    """A cluster of one CRI-O node and one containerd node, and who asks."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.cluster = Cluster(namespaces={SPACE, "shop"})
        self.cluster.add(User("admin", {ALL}, "admin"))
        self.cluster.add(Node("node1"), Node("node2", runtime="cri-o", version="1.33.2"))
        self.cluster.images[IMAGE] = CheckpointImage("cri-o", mounts=MOUNTS)
        self.api = ApiServer(self.cluster)
        self.folder = folder
        self.data = data
        self.said: list[str] = []

    def ask(
        self,
        archive: str = "crio-counter.tar",
        token: str = "admin",
        *,
        options: dict[str, Any] | None = None,
        force: bool = True,
        **cluster: Any,
    ) -> Answer:
        """Restore; forced past the soft concern that the archive has no seccomp profile."""
        config = self.folder / "config"
        config.write_text(kubeconfig(self.api.url, token=token))
        reach = Reach(host=Host(), kubeconfig=str(config), say=self.said.append)
        how = RestoreOptions(**({"name": "again", "image": IMAGE, "timeout": 5.0} | (options or {})))
        copies, dry_run = cluster.pop("copies", 1), cluster.pop("dry_run", False)
        trust = cluster.pop("trust_archive", True)
        wish = InCluster(**({"node": "node2"} | cluster))
        restoring = Restoring(
            options=how,
            to="k8s",
            cluster=wish,
            force=force,
            copies=copies,
            dry_run=dry_run,
            trust_archive=trust,
        )
        return restore(str(self.data / archive), reach, restoring)

    def made(self) -> list[str]:
        return sorted(path.rpartition("/namespaces/")[2] for path in self.cluster.objects)


@pytest.fixture
def world(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(waiting, "EVERY", 0.01)
    monkeypatch.setattr(applying, "EVERY", 0.01)
    found = World(tmp_path, data)
    yield found
    found.api.close()


def part(answer: Answer) -> Any:
    assert answer.failures == []
    [found] = answer.document.archives
    return found


def failure(answer: Answer) -> CryoscopeError:
    assert answer.failures, answer.document
    error = answer.failures[0][1]
    assert error.hint, error.code
    return error


def codes(answer: Answer) -> set[str]:
    return {concern.code for concern in part(answer).concerns}


# --- what is printed --------------------------------------------------------------------------


def test_without_apply_manifests_are_printed_that_kubectl_can_read_and_nothing_is_made(world: World) -> None:
    found = part(world.ask())
    text = "\n".join(manifests(found, None))
    assert [*yaml.safe_load_all(text)] == found.manifests
    assert [each["kind"] for each in found.manifests] == ["NetworkPolicy", "Pod"]
    assert found.dry_run
    assert world.made() == []
    assert not [method for method, _ in world.api.calls if method != "GET"]


def test_what_is_to_be_known_stands_above_in_comments(world: World) -> None:
    lines = manifests(part(world.ask()), None)
    above = lines[: lines.index("---")]
    assert all(line.startswith("# ") for line in above)
    assert any("no boundary against an exploit" in line for line in above)
    assert any("/scratch" in line for line in above)


def test_a_cluster_is_not_needed_for_that(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(world.folder / "none"))
    restoring = Restoring(
        options=RestoreOptions(name="again", image=IMAGE), to="k8s", cluster=InCluster(), force=True
    )
    found = restore(str(world.data / "crio-counter.tar"), Reach(host=Host()), restoring)
    assert "k8s.nodes-unknown" in codes(found)
    assert len(part(found).manifests) == 2


# --- what stands against it -------------------------------------------------------------------


def test_soft_concerns_are_refused_unless_forced(world: World) -> None:
    answer = world.ask(force=False)
    assert failure(answer).code == "criu.seccomp-none"
    assert answer.exit_code == 4
    assert world.ask().exit_code == 0


@pytest.mark.parametrize(
    ("node", "code"),
    [
        (Node("n"), "k8s.foreign-runtime"),
        (Node("n", runtime="docker", version="27.1.1"), "k8s.restore-off"),
        (Node("n", runtime="cri-o", version="1.33.2", architecture="arm64"), "k8s.machine"),
        (Node("n", runtime="cri-o", version="1.33.2", ready=False), "k8s.node-not-ready"),
    ],
)
def test_a_node_that_cannot_is_refused_even_if_forced(world: World, node: Node, code: str) -> None:
    world.cluster.add(node)
    assert failure(world.ask(node="n")).code == code
    assert world.ask(node="n").exit_code == 4


@pytest.mark.parametrize(
    ("version", "code"),
    [
        ("2.0.9", "k8s.restore-off"),
        ("2.1.9", "k8s.base-image"),
        ("2.2.7", "k8s.base-image"),
        ("2.4.0", "k8s.restore-off"),
        ("1.7.20", "k8s.restore-off"),
    ],
)
def test_containerds_are_judged_by_their_version(world: World, version: str, code: str) -> None:
    world.cluster.add(Node("n", version=version))
    answer = world.ask("containerd-counter.tar", node="n")
    assert code in {error.code for _, error in answer.failures}


def test_what_settings_decide_is_soft(world: World) -> None:
    for name, version, runtime, archive in (
        ("a", "2.3.4", "containerd", "containerd-counter.tar"),
        ("b", "1.36.6", "cri-o", "crio-counter.tar"),
        ("c", "1.37.0", "cri-o", "crio-counter.tar"),
    ):
        world.cluster.add(Node(name, runtime=runtime, version=version))
        answer = world.ask(archive, node=name, force=False)
        assert "k8s.restore-setting" in {error.code for _, error in answer.failures}


def test_an_older_kernel_is_soft(world: World) -> None:
    world.cluster.nodes["node2"].kernel = "5.15.0-91-generic"
    answer = world.ask(force=False)
    assert "k8s.kernel-older" in {error.code for _, error in answer.failures}
    assert "k8s.kernel-older" in codes(world.ask())


def test_of_several_nodes_one_that_can_is_enough_and_the_others_are_told(world: World) -> None:
    answer = world.ask(node="")
    assert "k8s.node-any" in codes(answer)
    assert any("--node node2" in concern.cure for concern in part(answer).concerns)
    assert "nodeName" not in part(answer).manifests[-1]["spec"]
    del world.cluster.nodes["node2"]
    assert failure(world.ask(node="")).code == "k8s.foreign-runtime"


@pytest.mark.parametrize("archive", ["podman-looper-crun.tar", "docker-looper"])
def test_archives_of_other_engines_are_refused(world: World, archive: str) -> None:
    answer = world.ask(archive)
    assert {"k8s.foreign-archive", "k8s.name"} & {error.code for _, error in answer.failures}


def test_a_damaged_archive_is_refused(world: World) -> None:
    answer = world.ask("truncated-by-full-disk.tar")
    assert answer.failures
    assert world.made() == []


def test_policies_that_open_the_namespace_are_told(world: World) -> None:
    path = f"/apis/networking.k8s.io/v1/namespaces/{SPACE}/networkpolicies/"
    opened = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}
    world.cluster.objects[path + "dns"] = {"metadata": {"name": "dns"}, "spec": opened}
    assert "k8s.network-open" in codes(world.ask())
    opened["podSelector"] = {"matchLabels": {"app": "web"}}
    assert "k8s.network-open" not in codes(world.ask())


def test_a_namespace_that_is_closed_needs_no_policy_more(world: World) -> None:
    path = f"/apis/networking.k8s.io/v1/namespaces/{SPACE}/networkpolicies/nothing"
    closed = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    world.cluster.objects[path] = {"metadata": {"name": "nothing"}, "spec": closed}
    assert [each["kind"] for each in part(world.ask()).manifests] == ["Pod"]


# --- applied ----------------------------------------------------------------------------------


def test_applied_the_container_goes_on_behind_its_policy(world: World) -> None:
    found = part(world.ask(apply=True))
    [again] = found.restored
    assert again.target == f"k8s://{SPACE}/again/counter"
    assert again.notes == ["on node node2"]
    assert again.remove == f"kubectl delete pod,networkpolicy -n {SPACE} again"
    assert "no service-account token" in again.sandbox
    made = [
        target.partition("?")[0].rpartition("/")[2] for method, target in world.api.calls if method == "POST"
    ]
    assert made == ["networkpolicies", "pods"]
    assert world.made() == [f"{SPACE}/networkpolicies/again", f"{SPACE}/pods/again"]


def test_a_mount_that_the_runtime_asks_for_and_nobody_declared_is_named(world: World) -> None:
    """The double refuses as CRI-O does: so the pods of the other tests declare all that it asks for."""
    world.cluster.images[IMAGE] = CheckpointImage("cri-o", mounts=("/data",))
    error = failure(world.ask(apply=True))
    assert (error.code, "/data" in error.message) == ("cri.mounts-missing", True)
    assert world.made() == []


def test_copies_are_pods_of_their_own(world: World) -> None:
    found = part(world.ask(apply=True, copies=3))
    assert sorted(each.name for each in found.restored) == ["again-1", "again-2", "again-3"]
    assert len(world.made()) == 6


def test_nobody_restores_an_archive_that_is_not_trusted(world: World) -> None:
    answer = world.ask(apply=True, trust_archive=False)
    assert (failure(answer).code, answer.exit_code) == ("restore.untrusted", 4)
    assert world.api.calls == []


def test_a_dry_run_has_the_api_server_check_and_makes_nothing(world: World) -> None:
    assert part(world.ask(apply=True, dry_run=True)).restored == []
    posted = [target for method, target in world.api.calls if method == "POST"]
    assert [target.partition("?")[2] for target in posted] == ["dryRun=All"] * 2
    assert world.made() == []
    world.cluster.admission = lambda _user, _made: "denied request: no"
    assert failure(world.ask(apply=True, dry_run=True)).code == "restore.admission"


@pytest.mark.parametrize(
    ("rights", "code"),
    [
        ({("get", "nodes")}, "restore.denied"),
        ({("get", "nodes"), ("create", "networkpolicies"), ("delete", "networkpolicies")}, "restore.denied"),
    ],
)
def test_a_right_that_is_missing_is_named_and_nothing_stays(
    world: World, rights: set[tuple[str, str]], code: str
) -> None:
    world.cluster.add(User("poor", rights, "poor"))
    error = failure(world.ask(token="poor", apply=True))
    assert error.code == code
    assert "cannot create resource" in error.message
    assert world.made() == []


def test_what_the_cluster_refuses_has_a_code_and_nothing_stays(world: World) -> None:
    assert failure(world.ask(apply=True, namespace="nowhere")).code == "restore.namespace"
    assert failure(world.ask(apply=True, node="node9")).code == "k8s.node-unknown"
    world.cluster.admission = lambda _user, made: "denied request: no" if made["kind"] == "Pod" else None
    assert failure(world.ask(apply=True)).code == "restore.admission"
    assert world.made() == []


def test_what_is_there_already_is_left_alone(world: World) -> None:
    world.ask(apply=True)
    assert failure(world.ask(apply=True)).code == "restore.exists"
    assert world.made() == [f"{SPACE}/networkpolicies/again", f"{SPACE}/pods/again"]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("no command specified", "restore.not-a-checkpoint"),
        ('failed to read "io.kubernetes.cri-o.Annotations": unexpected end', "cri.foreign-runtime"),
        ("image not known", "cri.base-image-missing"),
        ("something else went wrong", "restore.not-started"),
    ],
)
def test_what_the_runtime_says_has_a_code_and_nothing_stays(world: World, fault: str, code: str) -> None:
    world.cluster.nodes["node2"].fault = fault
    assert failure(world.ask(apply=True)).code == code
    assert world.made() == []


def test_an_image_that_does_not_come_is_told(world: World) -> None:
    error = failure(world.ask(apply=True, options={"image": "registry.example/other:1"}))
    assert error.code == "restore.image"
    assert world.made() == []


def test_a_node_that_does_nothing_is_waited_for_and_what_was_made_stays(world: World) -> None:
    world.cluster.nodes["node2"].silent = True
    answer = world.ask(apply=True, options={"timeout": 0.05})
    assert (failure(answer).code, answer.exit_code) == ("restore.not-taken", 5)
    assert world.made() == [f"{SPACE}/networkpolicies/again", f"{SPACE}/pods/again"]


def test_a_policy_stays_where_its_pod_cannot_be_removed(world: World) -> None:
    world.cluster.nodes["node2"].fault = "no command specified"
    rights = {("get", "nodes"), ("get", "pods"), ("create", "pods"), ("create", "networkpolicies")}
    world.cluster.add(User("maker", rights | {("delete", "networkpolicies")}, "maker"))
    assert failure(world.ask(token="maker", apply=True)).code == "restore.not-a-checkpoint"
    assert world.made() == [f"{SPACE}/networkpolicies/again", f"{SPACE}/pods/again"]
    assert any("kubectl delete pod,networkpolicy" in line for line in world.said)


# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "cluster", "code"),
    [
        ({"name": "Web_1"}, {}, "k8s.name"),
        ({}, {"namespace": "a/../b"}, "k8s.name"),
        ({}, {"node": "node1/proxy"}, "k8s.name"),
        ({}, {"pull_secret": "A B"}, "k8s.name"),
        ({"image": None}, {}, "restore.image"),
        ({"image": "Not An Image"}, {}, "image.reference"),
    ],
)
def test_names_that_are_none_are_usage(
    world: World, options: dict[str, Any], cluster: dict[str, Any], code: str
) -> None:
    error = failure(world.ask(options=options, **cluster))
    assert (error.code, error.exit_code) == (code, 2)
    assert world.api.calls == []


def test_the_answer_is_json_with_the_manifests(world: World) -> None:
    from cryoscope.workflows.documents import encode

    document = msgspec.json.decode(encode(world.ask().document))
    assert document["archives"][0]["manifests"][-1]["kind"] == "Pod"
