"""What deploy/ says, as an API server would apply it: RBAC, and admission policies by a CEL of its own.

CEL is cel-expr-python, the C++ implementation; without it policies are only looked at, not evaluated.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
FILES = sorted(
    path for path in DEPLOY.rglob("*.yaml") if path.name not in ("krew.yaml", "kustomization.yaml")
)


def documents(path: Path | None = None) -> Iterator[dict[str, Any]]:
    """Every object of a manifest, or of all."""
    for each in [path] if path else FILES:
        yield from yaml.safe_load_all(each.read_text())


@functools.cache
def of_kind(kind: str) -> list[dict[str, Any]]:
    return [each for each in documents() if each["kind"] == kind]


# --- fields ---------------------------------------------------------------------------------


def _inner(kind):
    """The model in Optional[Model], List[Model]; None for plain values and maps."""
    for each in (kind, *typing.get_args(kind)):
        if isinstance(each, type) and issubclass(each, msgspec.Struct):
            return each
        if typing.get_origin(each) is list:
            return _inner(typing.get_args(each)[0])
    return None


def unknown_fields(value, model, where):
    """Fields that Kubernetes does not know, by their path."""
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from unknown_fields(each, model, f"{where}[{number}]")
    elif isinstance(value, dict) and model is not None:
        known = {each.encode_name: each.type for each in msgspec.structs.fields(model)}
        for key, each in value.items():
            if key not in known:
                yield f"{where}.{key}"
            else:
                yield from unknown_fields(each, _inner(known[key]), f"{where}.{key}")


# --- RBAC -----------------------------------------------------------------------------------


def _subject(subject: dict[str, Any], user: str, groups: tuple[str, ...]) -> bool:
    if subject["kind"] == "ServiceAccount":
        return user == f"system:serviceaccount:{subject['namespace']}:{subject['name']}"
    return subject["name"] == user if subject["kind"] == "User" else subject["name"] in groups


def _allows(rule: dict[str, Any], asked: dict[str, Any]) -> bool:
    resource = "/".join(filter(None, (asked["resource"], asked.get("subresource"))))
    names = rule.get("resourceNames")
    return (
        asked.get("group", "") in rule["apiGroups"]
        and resource in rule["resources"]
        and asked["verb"] in rule["verbs"]
        and (not names or asked.get("name") in names)
    )


def may(user: str, asked: dict[str, Any], groups: tuple[str, ...] = ()) -> bool:
    """Whether the manifests give a user this right (RBAC's rules, without aggregation and wildcards)."""
    if asked["resource"] == "selfsubjectaccessreviews":
        return True
    for binding in of_kind("ClusterRoleBinding") + of_kind("RoleBinding"):
        scope = binding["metadata"].get("namespace")
        if scope and scope != asked.get("namespace"):
            continue
        if not any(_subject(each, user, groups) for each in binding["subjects"]):
            continue
        role = next(
            each
            for each in of_kind(binding["roleRef"]["kind"])
            if each["metadata"]["name"] == binding["roleRef"]["name"]
            and each["metadata"].get("namespace") in (None, scope)
        )
        if any(_allows(rule, asked) for rule in role["rules"]):
            return True
    return False


# --- admission ------------------------------------------------------------------------------


class Policies:
    """The policies bound to a namespace, evaluated."""

    NAMES = ("object", "oldObject", "params", "request", "variables", "namespaceObject")

    def __init__(self, settings: dict[str, str]) -> None:
        from cel_expr_python import cel

        self.env = cel.NewEnv(variables=dict.fromkeys(self.NAMES, cel.Type.DYN))
        self.params = {"data": settings}

    def against(
        self, namespace: str, user: str, operation: str, resource: str, obj: dict[str, Any]
    ) -> list[str]:
        """Why a request is denied, a message for each validation that is false; none if it is let in."""
        policies = {each["metadata"]["name"]: each["spec"] for each in of_kind("ValidatingAdmissionPolicy")}
        messages = []
        for binding in of_kind("ValidatingAdmissionPolicyBinding"):
            spec = policies[binding["spec"]["policyName"]]
            if _selects(binding, namespace) and _matches(spec, operation, resource):
                messages += self._denied(spec, namespace, user, operation, resource, obj)
        return messages

    def _denied(self, spec, namespace, user, operation, resource, obj) -> list[str]:
        data = {
            "object": obj,
            "oldObject": None,
            "params": self.params,
            "namespaceObject": {"metadata": {"name": namespace}},
            "request": {
                "operation": operation,
                "userInfo": {"username": user},
                "subResource": resource.partition("/")[2],
            },
        }
        variables: dict[str, Any] = {}
        for each in spec.get("variables", []):
            value = self._value(each["expression"], {**data, "variables": variables})
            if value is not None:  # one that fails does so where it is used
                variables[each["name"]] = value
        data["variables"] = variables
        return [
            each["message"]
            for each in spec["validations"]
            if self._value(each["expression"], data) is not True
        ]

    def _value(self, expression: str, data: dict[str, Any]) -> Any:
        got = self.env.compile(expression).eval(data=data)
        return None if "ERROR" in str(got.type()) else _plain(got.value())


def _plain(value: Any) -> Any:
    """Values of the implementation as Python's own, to be given back to it."""
    if hasattr(value, "value") and callable(value.value):
        return _plain(value.value())
    if isinstance(value, dict):
        return {_plain(key): _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _selects(binding: dict[str, Any], namespace: str) -> bool:
    selector = binding["spec"]["matchResources"]["namespaceSelector"]
    wanted = selector.get("matchLabels", {}).get("kubernetes.io/metadata.name", namespace)
    out = [each["values"] for each in selector.get("matchExpressions", [])]
    return wanted == namespace and not any(namespace in values for values in out)


def _matches(spec: dict[str, Any], operation: str, resource: str) -> bool:
    return any(
        operation in rule["operations"] and resource in rule["resources"]
        for rule in spec["matchConstraints"]["resourceRules"]
    )
