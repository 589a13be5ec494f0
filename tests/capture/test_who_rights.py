"""`doctor k8s`: rights, roles, kubelets; against doubles that decide rights as the manifests do."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from deployed import may

pytest.importorskip("httpx2")

from cryoscope.engines.host import Host
from cryoscope.engines.kubelet import rights_nodes, rights_roles
from cryoscope.engines.kubelet.rights import rights
from cryoscope.engines.port import EngineError, Reach
from cryoscope.kubeapi.client import connect
from cryoscope.testing import pods
from cryoscope.testing.cluster import Cluster, Node, User
from cryoscope.testing.kubelet import Kubelet

CAPTURER = "system:serviceaccount:cryoscope:capturer"
CUSTODIAN = "system:serviceaccount:cryoscope:custodian"
WHO = {
    "viewer": ("anna", ("cryoscope:viewers",)),
    "responder": ("anna", ("cryoscope:responders",)),
    "capturer": (CAPTURER, ()),
    "custodian": (CUSTODIAN, ()),
    "restorer": ("anna", ("cryoscope:restorers",)),
}
WHERE = {
    rights_roles.TARGET: "shop",
    rights_roles.CLUSTER: "",
    rights_roles.READER: "cryoscope",
    rights_roles.SANDBOX: "cryoscope-sandbox",
}


@pytest.mark.parametrize("role", rights_roles.ROLES, ids=lambda role: role.name)
def test_the_manifests_give_each_role_what_the_doctor_asks_for(role):
    user, groups = WHO[role.name]
    for right in role.rights:
        resource, _, sub = right.resource.partition("/")
        asked = {
            "verb": right.verb,
            "resource": resource,
            "subresource": sub,
            "namespace": WHERE[right.where],
            "name": right.name,
        }
        assert may(user, asked, groups), str(right)


class Doctor:
    """A double of the API server, one of a kubelet, and what the doctor says of them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.pods = pods.Pods({})
        self.node = Node("node1")
        self.cluster = Cluster()
        self.cluster.add(self.node, User("anna", {("create", "nodes/checkpoint")}, token="tok"))
        self.kubelet: Kubelet | None = None

    def says(self, namespace=None, node=None, *, kubelets=True, token="tok"):
        self.pods.users = {"tok": "anna", "other": "otto"}
        with contextlib.ExitStack() as stack:
            server = Kubelet(self.cluster, "node1")
            self.kubelet = stack.enter_context(server)
            port = int(self.kubelet.url.rpartition(":")[2])
            self.pods.nodes = [self._said("node1", port)] if not self.pods.nodes else self.pods.nodes
            address = stack.enter_context(pods.serve(self.pods))
            config = self.folder / "kubeconfig"
            config.write_text(pods.kubeconfig(address, namespace="shop", token=token))
            client = stack.enter_context(connect(str(config)))
            reach = Reach(host=Host(), kubelet=f"http://127.0.0.1:{port}" if kubelets else None)
            return rights(client, namespace, node, reach)

    def _said(self, name, port, runtime="containerd://2.1.9"):
        return {
            "metadata": {"name": name},
            "status": {
                "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
                "nodeInfo": {"kubeletVersion": "v1.36.2", "containerRuntimeVersion": runtime},
            },
        }


@pytest.fixture
def doctor(tmp_path) -> Doctor:
    return Doctor(tmp_path)


def by_code(checks, code):
    return [check for check in checks if check.code == code]


def test_an_administrator_has_every_role_and_is_told_what_the_proxy_gives(doctor):
    checks = doctor.says()
    assert {
        check.state for role in rights_roles.ROLES for check in by_code(checks, f"rights.{role.name}")
    } == {"ok"}
    proxy = by_code(checks, "rights.proxy")
    assert [check.state for check in proxy] == ["warn", "warn"]
    assert "runs commands in any container" in proxy[0].what
    assert not by_code(checks, "rights.lacks")


@pytest.mark.parametrize("name", WHO)
def test_each_role_of_the_manifests_is_known_as_itself(doctor, name):
    user, groups = WHO[name]
    doctor.pods.rights = lambda _user, asked: may(user, asked, groups)
    checks = doctor.says()
    [own] = by_code(checks, f"rights.{name}")
    assert own.state == "ok"
    [proxy] = by_code(checks, "rights.proxy")
    assert proxy.state == "ok"
    complete = {
        role.name for role in rights_roles.ROLES if by_code(checks, f"rights.{role.name}")[0].state == "ok"
    }
    assert complete == {name} | ({"viewer", "capturer"} if name == "responder" else set())


def test_who_may_ask_for_an_accounts_token_is_told_how(doctor):
    doctor.pods.rights = lambda _user, asked: may("anna", asked, ("cryoscope:custodians",))
    [custodian] = by_code(doctor.says(), "rights.custodian")
    assert custodian.state == "ok"
    assert custodian.what == "can be custodian by a token: kubectl create token custodian -n cryoscope"


def test_what_is_missing_is_named_with_what_it_is_for_and_who_gives_it(doctor):
    doctor.pods.rights = lambda _user, asked: asked["resource"] == "pods" and not asked.get("subresource")
    checks = doctor.says("shop")
    lacking = {check.what: check.cure for check in by_code(checks, "rights.lacks")}
    what = next(line for line in lacking if "nodes/checkpoint" in line)
    assert what == "may not create nodes/checkpoint: has a kubelet checkpoint a container"
    assert lacking[what].startswith("deploy/rbac/capturer.yaml")
    [responder] = by_code(checks, "rights.responder")
    assert "get pods/log in shop" in responder.what
    assert "get pods in shop" not in responder.what


def test_a_right_on_one_node_shows_when_the_node_is_named(doctor):
    doctor.pods.rights = lambda _user, asked: asked.get("name") == "node1"
    assert by_code(doctor.says(), "rights.capturer")[0].state == "warn"
    assert by_code(doctor.says(node="node1"), "rights.capturer")[0].state == "ok"


def test_every_right_is_asked_once(doctor):
    doctor.says()
    asked = [line for line in doctor.pods.seen if "selfsubjectaccessreviews" in line]
    known = {right for role in rights_roles.ROLES for right in role.rights}
    assert len(asked) == len(known) + 2


# --- kubelets -------------------------------------------------------------------------------


def test_a_kubelet_that_would_checkpoint_is_known_and_nothing_is_captured(doctor):
    checks = doctor.says()
    assert [check.state for check in by_code(checks, "kubelet.answers")] == ["ok"]
    [node] = by_code(checks, "kubelet.node")
    assert node.what == "node1: kubelet v1.36.2, containerd 2.1.9"
    [called] = doctor.kubelet.calls
    assert called.startswith(f"/checkpoint/{rights_nodes.NOWHERE}/")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda doctor: setattr(doctor.node, "gate", False), "kubelet.checkpoint-off"),
        (lambda doctor: setattr(doctor.cluster.users["anna"], "rights", set()), "kubelet.forbidden"),
        (lambda doctor: doctor.cluster.users.clear(), "kubelet.unauthorized"),
    ],
    ids=["gate off", "no right", "unknown"],
)
def test_a_kubelet_that_would_not_is_told_with_the_code_that_a_capture_would_have(doctor, change, code):
    change(doctor)
    [check] = by_code(doctor.says(), code)
    assert check.state == "fail"
    assert check.cure


def test_a_kubelet_that_does_not_answer_is_told(doctor):
    checks = doctor.says(kubelets=False)  # by https, which the double does not speak
    assert [check.state for check in checks if check.code.startswith("kubelet.")].count("fail") == 1


def test_nodes_of_old_runtimes_and_without_address_are_told(doctor):
    old = doctor._said("old", 1, "containerd://1.7.27")
    bare = {"metadata": {"name": "bare"}, "status": {}}
    doctor.pods.nodes = [old, bare]
    checks = doctor.says()
    assert any(check.state == "fail" and "has no checkpoints" in check.what for check in checks)
    assert by_code(checks, "kubelet.no-address")


def test_of_many_nodes_the_first_are_asked(doctor, monkeypatch):
    monkeypatch.setattr(rights_nodes, "ASKED", 2)
    doctor.pods.nodes = [doctor._said(f"n{number}", 1) for number in range(5)]
    checks = doctor.says()
    assert len(by_code(checks, "kubelet.answers")) == 2
    assert "3 more nodes" in by_code(checks, "kubelet.nodes")[0].what


def test_nodes_that_may_not_be_read_are_no_failure_of_the_rest(doctor):
    doctor.pods.rights = lambda _user, asked: asked["resource"] != "nodes"
    checks = doctor.says()
    assert [check.state for check in by_code(checks, "kubelet.nodes")] == ["warn"]
    assert by_code(checks, "rights.custodian")[0].state == "ok"


def test_an_api_server_that_is_not_there_is_an_engine_error(tmp_path):
    tmp_path.joinpath("kubeconfig").write_text(pods.kubeconfig("http://127.0.0.1:1"))
    with connect(str(tmp_path / "kubeconfig")) as client, pytest.raises(EngineError) as caught:
        rights(client, None, None)
    assert caught.value.code == "k8s.unreachable"
