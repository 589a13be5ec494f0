"""The manifests: what they are, what they give, and that every right has its reason."""

from __future__ import annotations

import re
import shutil
import subprocess

import msgspec
import pytest
import yaml
from deployed import DEPLOY, FILES, documents, may, of_kind, unknown_fields

KINDS = {
    "v1": "core_v1",
    "networking.k8s.io/v1": "networking_v1",
    "rbac.authorization.k8s.io/v1": "rbac_v1",
    "admissionregistration.k8s.io/v1": "admissionregistration_v1",
}
"""The models of lightkube, which are made from Kubernetes' OpenAPI."""
ROLES = of_kind("Role") + of_kind("ClusterRole")
CAPTURER = "system:serviceaccount:cryoscope:capturer"
CUSTODIAN = "system:serviceaccount:cryoscope:custodian"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_field_is_one_that_kubernetes_knows(path):
    models = pytest.importorskip("lightkube.models")
    from importlib import import_module

    for each in documents(path):
        model = getattr(import_module(f"{models.__name__}.{KINDS[each['apiVersion']]}"), each["kind"])
        msgspec.convert(each, model)
        assert [*unknown_fields(each, model, each["kind"])] == []


def test_that_a_wrong_field_would_be_noticed():
    models = pytest.importorskip("lightkube.models.core_v1")
    wrong = {"spec": {"containers": [{"name": "a", "securityContext": {"readonlyRootFilesystem": True}}]}}
    assert [*unknown_fields(wrong, models.Pod, "Pod")] == [
        "Pod.spec.containers[0].securityContext.readonlyRootFilesystem"
    ]


def test_the_kustomization_has_every_manifest():
    listed = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == sorted(str(path.relative_to(DEPLOY)) for path in FILES)


@pytest.mark.skipif(not shutil.which("kubectl"), reason="no kubectl here")
def test_kubectl_builds_them_all():
    built = subprocess.run(["kubectl", "kustomize", str(DEPLOY)], capture_output=True, check=True)
    assert len([*yaml.safe_load_all(built.stdout)]) == len([*documents()])


def test_every_rule_of_every_role_has_a_comment_before_it():
    rules = 0
    for path in (DEPLOY / "rbac").iterdir():
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            if re.match(r"  - apiGroups:", line):
                rules += 1
                assert lines[number - 1].lstrip().startswith("# "), f"{path.name}:{number + 1}"
    assert rules == sum(len(role["rules"]) for role in ROLES)


def test_no_rule_has_a_wildcard_or_goes_through_the_node_proxy_or_reads_secrets():
    for role in ROLES:
        for rule in role["rules"]:
            words = rule["apiGroups"] + rule["resources"] + rule["verbs"] + rule.get("resourceNames", [])
            assert not [word for word in words if "*" in word]
            assert not {"nodes/proxy", "secrets", "nodes/*"} & {*rule["resources"]}
            assert not {"escalate", "bind", "impersonate"} & {*rule["verbs"]}


def test_exec_is_given_only_where_it_is_needed():
    entering = [
        (role["kind"], role["metadata"]["namespace"], role["metadata"]["name"])
        for role in ROLES
        for rule in role["rules"]
        if "pods/exec" in rule["resources"]
    ]
    assert sorted(entering) == [("Role", "cryoscope", "custodian"), ("Role", "cryoscope-sandbox", "restorer")]


def test_tokens_are_of_one_named_account_each():
    asked = [rule for role in ROLES for rule in role["rules"] if "serviceaccounts/token" in rule["resources"]]
    assert sorted(rule["resourceNames"] for rule in asked) == [["capturer"], ["custodian"]]


def test_bindings_lead_to_roles_and_accounts_that_are_there():
    accounts = {
        (each["metadata"]["namespace"], each["metadata"]["name"]) for each in of_kind("ServiceAccount")
    }
    for binding in of_kind("RoleBinding") + of_kind("ClusterRoleBinding"):
        scope = binding["metadata"].get("namespace")
        roles = of_kind(binding["roleRef"]["kind"])
        assert [
            role
            for role in roles
            if role["metadata"]["name"] == binding["roleRef"]["name"]
            and role["metadata"].get("namespace") in (None, scope)
        ]
        for subject in binding["subjects"]:
            if subject["kind"] == "ServiceAccount":
                assert (subject["namespace"], subject["name"]) in accounts


def asked(verb, resource, namespace="", name=""):
    resource, _, sub = resource.partition("/")
    return {"verb": verb, "resource": resource, "subresource": sub, "namespace": namespace, "name": name}


RIGHTS = [
    ("create", "nodes/checkpoint", "", "node1"),
    ("create", "nodes/proxy", "", "node1"),
    ("get", "pods", "shop", "cart"),
    ("get", "pods/log", "shop", "cart"),
    ("get", "nodes", "", "node1"),
    ("list", "events", "shop", ""),
    ("get", "secrets", "shop", "x"),
    ("create", "pods/exec", "shop", "cart"),
    ("create", "pods", "shop", ""),
    ("create", "pods", "cryoscope", ""),
    ("create", "pods/exec", "cryoscope", "x"),
    ("delete", "pods", "cryoscope", "x"),
    ("get", "configmaps", "cryoscope", "cryoscope-reader"),
    ("get", "configmaps", "cryoscope", "other"),
    ("create", "serviceaccounts/token", "cryoscope", "capturer"),
    ("create", "serviceaccounts/token", "cryoscope", "custodian"),
    ("create", "pods", "cryoscope-sandbox", ""),
    ("create", "pods/exec", "cryoscope-sandbox", "x"),
]
RESPONDER = {2, 3, 4, 5, 14}
GIVEN = {
    "viewer": ("anna", ("cryoscope:viewers",), {2, 4}),
    "responder": ("anna", ("cryoscope:responders",), RESPONDER),
    "capturer": (CAPTURER, (), {0}),
    "custodian, the person": ("anna", ("cryoscope:custodians",), {15}),
    "custodian, the account": (CUSTODIAN, (), {9, 10, 11, 12}),
    "restorer": ("anna", ("cryoscope:restorers",), {16, 17}),
    "nobody": ("anna", ("system:authenticated",), set()),
}


@pytest.mark.parametrize("who", GIVEN)
def test_each_role_may_do_its_part_and_nothing_of_the_others(who):
    user, groups, given = GIVEN[who]
    assert {n for n, right in enumerate(RIGHTS) if may(user, asked(*right), groups)} == given


def test_the_collecting_namespace_lets_hostpaths_in_and_the_sandbox_does_not():
    labels = {each["metadata"]["name"]: each["metadata"]["labels"] for each in of_kind("Namespace")}
    level = "pod-security.kubernetes.io/enforce"
    assert {name: each[level] for name, each in labels.items()} == {
        "cryoscope": "privileged",
        "cryoscope-sandbox": "baseline",
    }
    guarded = {
        each["metadata"]["namespace"]
        for each in of_kind("NetworkPolicy")
        if each["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    }
    assert guarded == {*labels}


def test_the_krew_manifest_has_what_krew_asks_for():
    plugin = yaml.safe_load((DEPLOY / "krew.yaml").read_text())
    assert plugin["kind"] == "Plugin"
    assert plugin["metadata"]["name"] == "cryoscope"
    assert {*plugin["spec"]} >= {"version", "homepage", "shortDescription", "platforms"}
    assert len(plugin["spec"]["shortDescription"]) <= 50
    for platform in plugin["spec"]["platforms"]:
        assert {*platform} == {"selector", "uri", "sha256", "files", "bin"}
