"""The pod in which a checkpoint goes on: what of the old one is in it, and what never is."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cryoscope.checkpoint.archive import BytesSource, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.engines.port import Edits
from cryoscope.engines.vetting import clean_copy
from cryoscope.engines.vetting.edits import of_json
from cryoscope.errors import UsageError
from cryoscope.images.pod import Wish, documents
from cryoscope.images.pod_mounts import declared, mountable, open_below
from cryoscope.workflows.open import open_at, open_checkpoint

sys.path.insert(0, str(Path(__file__).parents[1] / "capture"))
from deployed import Policies, unknown_fields

IMAGE = "registry.example/counter@sha256:" + "ab" * 32
DATA = Path(__file__).parents[1] / "data"
Spec = dict[str, Any]


def checkpoint(name: str, **changed: Callable[[Any], object]) -> Checkpoint:
    """An archive of the tests; `spec`, `status` and `bind` change what its documents say."""
    path = DATA / f"{name}.tar"
    if not changed:
        return open_checkpoint(str(path))
    members = {"spec": "spec.dump", "status": "status.dump", "bind": "bind.mounts"}
    edits = {members[key]: change for key, change in changed.items()}
    out = io.BytesIO()
    with open_at(str(path)) as archive:
        clean_copy(archive, Edits(change={name: [of_json(change)] for name, change in edits.items()}), out)
    return Checkpoint(open_archive(BytesSource(out.getvalue(), "changed.tar")))


def made(
    found: Checkpoint, given: dict[str, str] | None = None, **wish: Any
) -> tuple[list[Spec], Spec, Spec]:
    """All documents, the pod's spec and its container."""
    mounts = declared(found, given or {})
    wanted = Wish(name="again", namespace="cryoscope-sandbox", image=IMAGE, mounts=mounts, **wish)
    every = documents(found, wanted)
    return every, every[-1]["spec"], every[-1]["spec"]["containers"][0]


ARCHIVES = ["crio-counter", "containerd-counter"]


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("given", [{}, {"/scratch": "pvc/copy", "/etc/sec": "secret/other/key"}])
def test_every_field_is_one_that_kubernetes_knows(name: str, live: bool, given: dict[str, str]) -> None:
    core = pytest.importorskip("lightkube.models.core_v1")
    networking = pytest.importorskip("lightkube.models.networking_v1")
    with checkpoint(name) as found:
        every, _, _ = made(found, given, live=live, node="node1", pull_secret="registry")
    models = {"Pod": core.Pod, "NetworkPolicy": networking.NetworkPolicy}
    for document in every:
        model = models[document["kind"]]
        msgspec.convert(document, model)
        assert [*unknown_fields(document, model, document["kind"])] == []


@pytest.mark.parametrize("name", ARCHIVES)
def test_the_container_keeps_its_name_and_has_no_command(name: str) -> None:
    with checkpoint(name) as found:
        _, spec, container = made(found)
    assert container["name"] == "counter"
    assert not {"command", "args", "env", "envFrom", "workingDir", "ports"} & container.keys()
    assert spec["restartPolicy"] == "Never"


@pytest.mark.parametrize("name", ARCHIVES)
def test_nothing_of_the_old_pod_comes_along(name: str) -> None:
    with checkpoint(name) as found:
        every, spec, _ = made(found)
    text = json.dumps(every)
    assert spec["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in spec
    assert every[-1]["metadata"]["labels"].keys() == {
        "app.kubernetes.io/name",
        "app.kubernetes.io/component",
        "app.kubernetes.io/instance",
    }
    for secret in ("hostPath", "kube-api-access", "c0ffee", "/var/lib/kubelet", "team-forensics"):
        assert secret not in text


@pytest.mark.parametrize("name", ARCHIVES)
def test_every_mount_that_its_runtime_asks_for_is_declared_and_empty(name: str) -> None:
    with checkpoint(name) as found:
        _, spec, container = made(found)
    mounts = {each["mountPath"]: each for each in container["volumeMounts"]}
    assert mounts.keys() == {"/scratch", "/etc/sec", "/var/run/secrets/kubernetes.io/serviceaccount"}
    assert "readOnly" not in mounts["/scratch"]
    assert mounts["/etc/sec"]["readOnly"]
    assert all(each.keys() == {"name", "emptyDir"} for each in spec["volumes"])


def test_the_policy_lets_nothing_through_and_selects_the_pod_alone() -> None:
    with checkpoint("crio-counter") as found:
        (policy, pod), _, _ = made(found)
    assert policy["kind"] == "NetworkPolicy"
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & policy["spec"].keys()
    assert policy["spec"]["podSelector"]["matchLabels"] == pod["metadata"]["labels"]
    assert pod["metadata"]["labels"]["app.kubernetes.io/instance"] == "again"


def test_a_live_one_has_no_policy_and_the_limits_that_it_had() -> None:
    with checkpoint("crio-counter") as found:
        every, spec, container = made(found, live=True)
    assert [each["kind"] for each in every] == ["Pod"]
    assert container["resources"]["limits"] == {"memory": "128Mi"}
    assert container["securityContext"]["seccompProfile"] == {"type": "Unconfined"}
    assert spec["volumes"][0]["emptyDir"] == {}


def test_a_volume_of_the_user_is_mounted_read_only_unless_told_otherwise() -> None:
    with checkpoint("crio-counter") as found:
        _, spec, container = made(found, {"/scratch": "pvc/copy"})
        writable = declared(found, {"/scratch": "pvc/copy", "/etc/sec": "secret/x"}, readonly=False)
    assert spec["volumes"][0]["persistentVolumeClaim"] == {"claimName": "copy", "readOnly": True}
    assert container["volumeMounts"][0]["readOnly"]
    assert [each.readonly for each in writable] == [False, True, True]  # what was read-only stays so


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"/scratch": "hostPath//etc"}, "k8s.mount"),
        ({"/scratch": "pvc"}, "k8s.mount"),
        ({"/scratch": "pvc/a/b"}, "k8s.mount"),
        ({"/scratch": "emptydir/x"}, "k8s.mount"),
        ({"/scratch": "secret/../x"}, "k8s.mount"),
        ({"/nowhere": "pvc/a"}, "k8s.mount-unknown"),
    ],
)
def test_a_volume_that_means_nothing_is_refused(given: dict[str, str], code: str) -> None:
    with checkpoint("crio-counter") as found, pytest.raises(UsageError) as caught:
        declared(found, given)
    assert caught.value.code == code
    assert caught.value.hint


def test_a_mount_that_was_one_file_is_an_empty_file() -> None:
    def file(listed: list[Spec]) -> None:
        next(each for each in listed if each["destination"] == "/etc/sec")["file_type"] = "file"

    with checkpoint("crio-counter", bind=file) as found:
        _, spec, container = made(found)
    assert container["volumeMounts"][1]["subPath"] == "empty"
    [item] = spec["volumes"][1]["downwardAPI"]["items"]
    assert item["path"] == "empty"


def test_capabilities_are_what_differs_from_the_runtimes_own() -> None:
    def fewer(spec: Spec) -> None:
        spec["process"]["capabilities"]["bounding"] = ["CAP_KILL", "CAP_SYS_ADMIN", "CAP_MKNOD"]

    def none(spec: Spec) -> None:
        spec["process"]["capabilities"] = {}

    with checkpoint("crio-counter", spec=fewer) as found:
        sandboxed = made(found)[2]["securityContext"]["capabilities"]
        live = made(found, live=True)[2]["securityContext"]["capabilities"]
    assert sandboxed["add"] == ["MKNOD"]  # what is beyond the usual, a sandbox does not give
    assert live["add"] == ["MKNOD", "SYS_ADMIN"]
    assert "KILL" not in sandboxed["drop"]
    with checkpoint("crio-counter", spec=none) as found:
        assert made(found)[2]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    with checkpoint("containerd-counter") as found:
        assert "capabilities" not in made(found)[2]["securityContext"]


def test_users_groups_and_terminals_are_as_they_were() -> None:
    def other(spec: Spec) -> None:
        spec["process"]["user"] = {"uid": 1000, "gid": 2000, "additionalGids": [0, 3000, -1, 1 << 40]}
        spec["process"]["noNewPrivileges"] = spec["process"]["terminal"] = spec["root"]["readonly"] = True

    with checkpoint("crio-counter", spec=other) as found:
        _, spec, container = made(found)
    context = container["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (1000, 2000)
    assert spec["securityContext"] == {"supplementalGroups": [3000]}
    assert context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert container["tty"]
    assert container["stdin"]


@pytest.mark.parametrize("path", ["/etc/../x", "relative", "/", "/a:b", "/a\nb", "/a//b"])
def test_places_that_kubernetes_does_not_take_are_left_out(path: str) -> None:
    def hostile(spec: Spec) -> None:
        spec["mounts"].append({"destination": path, "type": "bind", "source": "/etc", "options": ["rbind"]})

    assert not mountable(path)
    with checkpoint("crio-counter", spec=hostile) as found:
        assert path not in [each.path for each in declared(found)]


def test_a_tag_is_pulled_each_time_and_a_digest_is_not() -> None:
    with checkpoint("crio-counter") as found:
        _, _, container = made(found)
        wish = Wish(name="a", namespace="b", image="registry.example/counter:1")
        tagged = documents(found, wish)[-1]["spec"]["containers"][0]
    assert (container["imagePullPolicy"], tagged["imagePullPolicy"]) == ("IfNotPresent", "Always")


def test_a_node_is_named_or_chosen_by_its_kind_of_processor() -> None:
    with checkpoint("crio-counter") as found:
        assert made(found, node="node2")[1]["nodeName"] == "node2"
        assert made(found)[1]["nodeSelector"]["kubernetes.io/arch"] == "amd64"


def test_nothing_was_open_below_the_mounts_of_these() -> None:
    for name in ARCHIVES:
        with checkpoint(name) as found:
            assert open_below(found, declared(found)) == []


@pytest.mark.parametrize("name", ARCHIVES)
def test_the_policies_of_the_sandbox_let_the_pod_in(name: str) -> None:
    pytest.importorskip("cel_expr_python")
    with checkpoint(name) as found:
        every, _, _ = made(found)
    policies = Policies({"image": "", "folder": "", "selinux": ""})
    assert policies.against("cryoscope-sandbox", "anna", "CREATE", "pods", every[-1]) == []
    every[-1]["spec"]["containers"][0]["image"] = "registry.example/counter:1"
    assert policies.against("cryoscope-sandbox", "anna", "CREATE", "pods", every[-1]) != []
