"""The admission policies, evaluated: they let in the reader that Cryoscope makes and nothing that differs."""

from __future__ import annotations

import copy

import msgspec
import pytest
from deployed import Policies, of_kind, unknown_fields

from cryoscope.engines.collect import pod

pytest.importorskip("cel_expr_python", reason="no CEL: pip install cel-expr-python")

IMAGE = "registry.example/busybox@sha256:" + "ab" * 32
FOLDER = "/var/lib/kubelet/checkpoints"
CUSTODIAN = "system:serviceaccount:cryoscope:custodian"


@pytest.fixture
def policies() -> Policies:
    return Policies({"image": IMAGE, "folder": FOLDER, "selinux": ""})


def reader(**more) -> dict:
    settings = pod.Settings(namespace="cryoscope", image=IMAGE, folder=FOLDER, **more)
    return pod.manifest(pod.name(), "node1", settings)


def refused(policies, obj, user=CUSTODIAN, operation="CREATE", resource="pods", namespace="cryoscope"):
    return policies.against(namespace, user, operation, resource, obj)


def test_the_reader_is_a_pod_that_kubernetes_knows():
    models = pytest.importorskip("lightkube.models.core_v1")
    made = reader(selinux="spc_t")
    msgspec.convert(made, models.Pod)
    assert [*unknown_fields(made, models.Pod, "Pod")] == []


def test_the_reader_of_cryoscope_is_let_in(policies):
    assert refused(policies, reader()) == []
    assert refused(policies, reader(deadline=21600)) == []


def test_the_reader_is_let_in_where_selinux_needs_a_type():
    selinux = Policies({"image": IMAGE, "folder": FOLDER, "selinux": "spc_t"})
    assert refused(selinux, reader(selinux="spc_t")) == []
    assert refused(selinux, reader(selinux="unconfined_t")) == [
        "SELinux as in the ConfigMap cryoscope-reader"
    ]


@pytest.mark.parametrize(
    "user", ["kubernetes-admin", "system:serviceaccount:shop:custodian", CUSTODIAN + "2"]
)
def test_nobody_but_the_custodian_makes_one(policies, user):
    assert refused(policies, reader(), user) == [
        "only the ServiceAccount custodian makes pods in the collecting namespace"
    ]


def test_controllers_may_go_on_to_update_one_that_is_as_it_should_be(policies):
    assert refused(policies, reader(), "system:serviceaccount:kube-system:x", "UPDATE") == []
    other = reader()
    other["spec"]["containers"][0]["image"] = "evil"
    assert refused(policies, other, CUSTODIAN, "UPDATE") != []


@pytest.mark.parametrize("image", ["", "busybox", "busybox:1.37", "busybox@sha256:abc", IMAGE + "0"])
def test_an_image_that_is_not_named_by_digest_is_not_let_in_even_if_the_settings_say_so(image):
    loose = Policies({"image": image, "folder": FOLDER, "selinux": ""})
    made = reader()
    made["spec"]["containers"][0]["image"] = image
    assert refused(loose, made) == ["set `image` in the ConfigMap cryoscope-reader, by digest"]


def spec(made):
    return made["spec"]


def container(made):
    return made["spec"]["containers"][0]


def security(made):
    return container(made)["securityContext"]


def host_path(made):
    return spec(made)["volumes"][0]["hostPath"]


SECRET = {"name": "s", "secret": {"secretName": "x"}}
SECOND = {"name": "host", "hostPath": {"path": "/", "type": "Directory"}}
SIDECAR = {"name": "sidecar", "image": IMAGE}
CHANGES = {
    "another image": lambda p: container(p).update(image="busybox@sha256:" + "cd" * 32),
    "a second container": lambda p: spec(p)["containers"].append(SIDECAR),
    "an init container": lambda p: spec(p).update(initContainers=[SIDECAR]),
    "an ephemeral container": lambda p: spec(p).update(ephemeralContainers=[SIDECAR]),
    "another folder": lambda p: host_path(p).update(path="/var/lib/kubelet"),
    "the root": lambda p: host_path(p).update(path="/"),
    "the folder with a slash": lambda p: host_path(p).update(path=FOLDER + "/"),
    "a folder that is made": lambda p: host_path(p).update(type="DirectoryOrCreate"),
    "a folder of any kind": lambda p: host_path(p).pop("type"),
    "a second folder": lambda p: spec(p)["volumes"].append(SECOND),
    "a secret beside": lambda p: spec(p)["volumes"].append(SECRET),
    "a secret instead": lambda p: spec(p).update(volumes=[SECRET]),
    "no volume": lambda p: spec(p).pop("volumes"),
    "writing": lambda p: container(p)["volumeMounts"][0].update(readOnly=False),
    "writing by default": lambda p: container(p)["volumeMounts"][0].pop("readOnly"),
    "two mounts": lambda p: container(p)["volumeMounts"].append({"name": "checkpoints", "mountPath": "/w"}),
    "mounts that travel": lambda p: container(p)["volumeMounts"][0].update(mountPropagation="Bidirectional"),
    "a block device": lambda p: container(p).update(volumeDevices=[{"name": "x", "devicePath": "/dev/x"}]),
    "the host's network": lambda p: spec(p).update(hostNetwork=True),
    "the host's processes": lambda p: spec(p).update(hostPID=True),
    "the host's IPC": lambda p: spec(p).update(hostIPC=True),
    "privileges": lambda p: security(p).update(privileged=True),
    "a way to privileges": lambda p: security(p).update(allowPrivilegeEscalation=True),
    "a way to privileges by default": lambda p: security(p).pop("allowPrivilegeEscalation"),
    "a root that can be written": lambda p: security(p).pop("readOnlyRootFilesystem"),
    "a capability": lambda p: security(p)["capabilities"].update(add=["SYS_ADMIN"]),
    "capabilities kept": lambda p: security(p)["capabilities"].update(drop=["NET_RAW"]),
    "all capabilities": lambda p: security(p).pop("capabilities"),
    "no security context": lambda p: container(p).pop("securityContext"),
    "no seccomp": lambda p: spec(p)["securityContext"].pop("seccompProfile"),
    "seccomp off": lambda p: security(p).update(seccompProfile={"type": "Unconfined"}),
    "AppArmor off": lambda p: security(p).update(appArmorProfile={"type": "Unconfined"}),
    "proc unmasked": lambda p: security(p).update(procMount="Unmasked"),
    "SELinux off": lambda p: security(p).update(seLinuxOptions={"type": "spc_t"}),
    "SELinux off for the pod": lambda p: spec(p)["securityContext"].update(seLinuxOptions={"type": "spc_t"}),
    "another command": lambda p: container(p).update(command=["sh", "-c"]),
    "arguments": lambda p: container(p).update(args=["x"]),
    "no command": lambda p: container(p).pop("command"),
    "a hook": lambda p: container(p).update(lifecycle={"postStart": {"exec": {"command": ["sh"]}}}),
    "a probe": lambda p: container(p).update(livenessProbe={"exec": {"command": ["sh"]}}),
    "a token": lambda p: spec(p).update(automountServiceAccountToken=True),
    "a token by default": lambda p: spec(p).pop("automountServiceAccountToken"),
    "environment": lambda p: container(p).update(envFrom=[{"secretRef": {"name": "x"}}]),
    "a variable": lambda p: container(p).update(env=[{"name": "A", "value": "b"}]),
    "a port": lambda p: container(p).update(ports=[{"containerPort": 80, "hostPort": 80}]),
    "no deadline": lambda p: spec(p).pop("activeDeadlineSeconds"),
    "a day": lambda p: spec(p).update(activeDeadlineSeconds=86400),
    "starting again": lambda p: spec(p).update(restartPolicy="Always"),
    "any node": lambda p: spec(p).pop("nodeName"),
}


CARRYING = ("no security context", "no volume")
"""Changes that take away what several validations look at."""


@pytest.mark.parametrize("change", CHANGES)
def test_a_pod_that_differs_is_refused_for_that_alone(policies, change):
    made = copy.deepcopy(reader())
    CHANGES[change](made)
    why = refused(policies, made)
    assert why if change in CARRYING else len(why) == 1


def test_an_ephemeral_container_is_refused_however_it_comes(policies):
    made = reader()
    spec(made)["ephemeralContainers"] = [SIDECAR]
    assert refused(policies, made, resource="pods/ephemeralcontainers", operation="UPDATE")


def test_every_validation_of_the_reader_has_a_pod_that_fails_it(policies):
    failed = {message for change in CHANGES for message in _changed(policies, change)}
    failed |= {*refused(policies, reader(), "somebody"), *refused(Policies({}), reader())}
    wanted = {
        each["message"]
        for policy in of_kind("ValidatingAdmissionPolicy")
        if policy["metadata"]["name"] == "cryoscope-reader-pods"
        for each in policy["spec"]["validations"]
    }
    assert failed == wanted


def _changed(policies, change):
    made = copy.deepcopy(reader())
    CHANGES[change](made)
    return refused(policies, made)


READ = {"command": ["sh", "-c", "…"], "stdout": True, "stderr": True, "container": "reader"}


def entered(policies, obj, user=CUSTODIAN, sub="exec"):
    return refused(policies, obj, user, "CONNECT", f"pods/{sub}")


def test_the_custodian_enters_a_reader_and_nobody_else_does(policies):
    assert entered(policies, READ) == []
    assert entered(policies, READ, "kubernetes-admin") == ["only the ServiceAccount custodian reads archives"]


@pytest.mark.parametrize("more", [{"tty": True}, {"stdin": True}])
def test_a_reader_is_no_terminal(policies, more):
    assert entered(policies, {**READ, **more}) == ["a reader is no terminal"]


@pytest.mark.parametrize("sub", ["attach", "portforward", "proxy"])
def test_there_is_no_other_way_into_a_reader(policies, sub):
    assert "readers are read by exec alone" in entered(policies, {}, sub=sub)


def token(policies, seconds, namespace="cryoscope"):
    asked = {"spec": {"audiences": [], **({"expirationSeconds": seconds} if seconds else {})}}
    return refused(policies, asked, "anna", "CREATE", "serviceaccounts/token", namespace)


def test_tokens_hold_for_an_hour_at_most(policies):
    assert token(policies, 600) == token(policies, 3600) == token(policies, None) == []
    assert token(policies, 3601) == ["tokens of this namespace hold for one hour at most"]
    assert token(policies, 86400, "shop") == []


def test_no_token_is_kept_in_a_secret(policies):
    kept = {"type": "kubernetes.io/service-account-token"}
    assert refused(policies, kept, "anna", "CREATE", "secrets") == [
        "no token of this namespace is kept in a Secret"
    ]
    assert refused(policies, {"type": "Opaque"}, "anna", "CREATE", "secrets") == []


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (FOLDER, True),
        (FOLDER + "/", True),
        (FOLDER + "/checkpoint-a_b-c-2026-11-22T00:48:25Z.tar", True),
        ("//var/./lib//kubelet/checkpoints", True),
        (FOLDER + "2", False),
        ("/data" + FOLDER, False),
        ("/var/lib/kubelet/pods", False),
    ],
)
def test_pods_elsewhere_that_mount_the_folder_are_told(policies, path, told):
    made = {"spec": {"volumes": [{"name": "x", "hostPath": {"path": path}}, {"name": "y", "emptyDir": {}}]}}
    found = refused(policies, made, "anna", namespace="shop")
    assert bool(found) is told
    assert refused(policies, {"spec": {}}, "anna", namespace="shop") == []


def sandboxed(policies, **more):
    made = {
        "spec": {"automountServiceAccountToken": False, "containers": [{"name": "c", "image": IMAGE}], **more}
    }
    return refused(policies, made, "anna", namespace="cryoscope-sandbox")


def test_the_sandbox_takes_what_has_no_token_no_volumes_and_a_digest(policies):
    assert sandboxed(policies) == []
    assert sandboxed(policies, volumes=[{"name": "x", "emptyDir": {}}]) == []


@pytest.mark.parametrize(
    "more",
    [
        {"automountServiceAccountToken": True},
        {"volumes": [SECRET]},
        {"volumes": [{"name": "x", "persistentVolumeClaim": {"claimName": "x"}}]},
        {"containers": [{"name": "c", "image": "checkpoint:latest"}]},
        {"initContainers": [SIDECAR]},
        {"containers": [{"name": "c", "image": IMAGE, "envFrom": [{"secretRef": {"name": "x"}}]}]},
        {
            "containers": [
                {
                    "name": "c",
                    "image": IMAGE,
                    "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "x"}}}],
                }
            ]
        },
    ],
)
def test_the_sandbox_refuses_tokens_secrets_and_images_by_tag(policies, more):
    assert len(sandboxed(policies, **more)) == 1
