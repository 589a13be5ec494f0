"""Where a reader runs and of what image: the user's word, else the ConfigMap of the administrator.

There is no default image: a reader is somebody's program that reads evidence as root, on any node.
"""

from __future__ import annotations

from typing import Any

from cryoscope.engines.collect.errors import CollectError
from cryoscope.engines.collect.names import FOLDER
from cryoscope.engines.collect.pod import Settings
from cryoscope.engines.target import LABEL
from cryoscope.errors import UsageError
from cryoscope.kubeapi.client import Client
from cryoscope.kubeapi.errors import Forbidden, NotFound
from cryoscope.text import escape, readable

CONFIG_MAP = "cryoscope-reader"
"""deploy/reader-settings.yaml."""


def settings(client: Client, namespace: str, image: str | None, folder: str) -> Settings:
    """The reader's settings for archives in `folder`.

    Raises `UsageError`, `CollectError`: collect.image-unset, collect.folder.
    """
    if not LABEL.match(namespace):
        raise UsageError(
            f"{readable(namespace)[:100]!r} is no namespace",
            hint="give --reader-namespace lower-case letters, digits and -",
            code="collect.reader-namespace",
        )
    given = _given(client, namespace)
    chosen = image or given.get("image", "")
    if not chosen:
        raise CollectError(
            "no image is set for the pod that reads archives",
            hint=f"set `image` in the ConfigMap {CONFIG_MAP} of namespace {namespace}, or give "
            "--reader-image IMAGE@sha256:DIGEST (busybox or alpine will do)",
            code="collect.image-unset",
        )
    allowed = given.get("folder", "")
    if allowed and allowed != folder:
        shown = escape(readable(allowed)[:200])
        raise CollectError(
            f"the kubelet has its archives in {folder}, readers may see {shown}",
            hint=f"set `folder` in the ConfigMap {CONFIG_MAP}, if the kubelet's --root-dir is right",
            code="collect.folder",
        )
    return Settings(
        namespace=namespace, image=chosen, folder=_plain(folder), selinux=given.get("selinux", "")
    )


def _given(client: Client, namespace: str) -> dict[str, str]:
    """What the ConfigMap says; nothing if it is not there or not for these credentials."""
    try:
        found: Any = client.get(f"/api/v1/namespaces/{namespace}/configmaps/{CONFIG_MAP}").get("data")
    except (NotFound, Forbidden):
        return {}
    pairs = found.items() if isinstance(found, dict) else ()
    return {str(key): value for key, value in pairs if isinstance(value, str)}


def _plain(folder: str) -> str:
    if not FOLDER.fullmatch(folder):
        raise CollectError(
            f"{escape(readable(folder))[:200]} is no folder of archives",
            hint="look on the node, in `checkpoints` below the kubelet's --root-dir",
            code="collect.name",
        )
    return folder
