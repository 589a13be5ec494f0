"""Which cluster, user and namespace: kubeconfigs as kubectl reads them.

    --kubeconfig FILE  >  $KUBECONFIG (several files)  >  ~/.kube/config  >  the pod's service account

Of several files the first that names a thing wins
(https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/).
"""

from __future__ import annotations

import os
from typing import Any

import msgspec

from cryoscope import limits, needs
from cryoscope.kubeapi.errors import BadConfig, ContextUnknown, shown

DEFAULT = "~/.kube/config"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where a pod finds its service account."""
KINDS = {"clusters": "cluster", "contexts": "context", "users": "user"}
PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
"""Entries that are paths, relative to their own file."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One context: the entries of its cluster and user as the kubeconfig has them, paths made absolute."""

    context: str
    namespace: str
    cluster: dict[str, Any]
    user: dict[str, Any]
    folder: str


def choose(kubeconfig: str | None = None, context: str | None = None) -> Choice:
    """The context to use; raises `BadConfig` and `ContextUnknown`."""
    merged = _merged(_files(kubeconfig))
    if merged is None:
        if os.environ.get("KUBERNETES_SERVICE_HOST") and os.path.exists(ACCOUNT + "/token"):
            return _in_cluster()
        raise BadConfig(
            "there is no kubeconfig, and this is no pod",
            hint="give --kubeconfig FILE, or set KUBECONFIG",
            code="k8s.no-config",
        )
    return _chosen(merged, context)


def is_there(kubeconfig: str | None = None) -> bool:
    """Whether anything says where a cluster is; reads nothing."""
    if os.environ.get("KUBERNETES_SERVICE_HOST") and os.path.exists(ACCOUNT + "/token"):
        return True
    return any(os.path.isfile(path) for path in _files(kubeconfig))


def _files(kubeconfig: str | None) -> list[str]:
    if kubeconfig is not None:
        if not os.path.isfile(os.path.expanduser(kubeconfig)):
            raise BadConfig(f"there is no kubeconfig {kubeconfig}", hint="look at --kubeconfig")
        return [os.path.expanduser(kubeconfig)]
    given = os.environ.get("KUBECONFIG")
    paths = [path for path in given.split(os.pathsep) if path] if given else [DEFAULT]
    return [os.path.expanduser(path) for path in paths]


def _merged(paths: list[str]) -> dict[str, Any] | None:
    """All that the files say, named things by their names; None if none of them is there."""
    merged: dict[str, Any] = {"current-context": "", **{kind: {} for kind in KINDS}}
    read = [path for path in paths if os.path.isfile(path)]
    for path in read:
        document = _document(path)
        merged["current-context"] = merged["current-context"] or document.get("current-context") or ""
        for kind, inner in KINDS.items():
            for name, entry in _entries(document, kind, inner, path):
                merged[kind].setdefault(name, entry)
    return merged if read else None


def _document(path: str) -> dict[str, Any]:
    yaml = needs.module("yaml")
    try:
        with open(path, "rb") as file:
            text = file.read(limits.KUBECONFIG + 1)
        if len(text) > limits.KUBECONFIG:
            raise BadConfig(f"{path} is too large for a kubeconfig", hint="look at --kubeconfig")
        document = yaml.safe_load(text)
    except OSError as error:
        raise BadConfig(f"{path}: {error.strerror}", hint="look at --kubeconfig") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadConfig(f"{path} is no YAML: {shown(str(error))}", hint="look at --kubeconfig") from None
    if not isinstance(document, dict):
        raise BadConfig(f"{path} is no kubeconfig", hint="look at --kubeconfig")
    return document


def _entries(document: dict[str, Any], kind: str, inner: str, path: str) -> list[tuple[str, dict[str, Any]]]:
    folder = os.path.dirname(os.path.abspath(path))
    found = []
    listed = document.get(kind) or []
    for item in listed if isinstance(listed, list) else [listed]:
        entry = item.get(inner) if isinstance(item, dict) else None
        if not isinstance(entry, dict) or not isinstance(item.get("name"), str):
            raise BadConfig(f"{path}: an entry of {kind} has no {inner}", hint="look at the kubeconfig")
        absolute = {name: os.path.join(folder, entry[name]) for name in PATHS if entry.get(name)}
        found.append((item["name"], {**entry, **absolute, "folder": folder}))
    return found


def _chosen(merged: dict[str, Any], context: str | None) -> Choice:
    name = context or merged["current-context"]
    known = ", ".join(sorted(merged["contexts"])[:10]) or "none"
    if not name:
        raise ContextUnknown("the kubeconfig has no current context", hint=f"give --context; it has {known}")
    if name not in merged["contexts"]:
        raise ContextUnknown(f"the kubeconfig has no context {shown(name)}", hint=f"it has {shown(known)}")
    chosen = merged["contexts"][name]
    cluster = merged["clusters"].get(chosen.get("cluster"))
    user = merged["users"].get(chosen.get("user"), {} if not chosen.get("user") else None)
    if cluster is None or user is None:
        what = "cluster" if cluster is None else "user"
        raise BadConfig(
            f"context {shown(name)} names a {what} that is not there", hint=f"add it to the {what}s"
        )
    return Choice(
        context=name,
        namespace=chosen.get("namespace") or "default",
        cluster=cluster,
        user=user,
        folder=user.get("folder", ""),
    )


def _in_cluster() -> Choice:
    """The service account of the pod that this runs in (kubernetes.io, Accessing the API from a Pod)."""
    host, port = (
        os.environ.get("KUBERNETES_SERVICE_HOST", ""),
        os.environ.get("KUBERNETES_SERVICE_PORT", "443"),
    )
    return Choice(
        context="in-cluster",
        namespace=_namespace(),
        cluster={
            "server": f"https://{f'[{host}]' if ':' in host else host}:{port}",
            "certificate-authority": f"{ACCOUNT}/ca.crt",
        },
        user={"tokenFile": f"{ACCOUNT}/token"},
        folder=ACCOUNT,
    )


def _namespace() -> str:
    try:
        with open(f"{ACCOUNT}/namespace") as file:
            return file.read(limits.NAME).strip() or "default"
    except OSError:
        return "default"
