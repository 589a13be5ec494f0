"""What a node can do, from what it says of itself (node.status.nodeInfo)."""

from __future__ import annotations

import re

from cryoscope.engines.kubelet.places import Object, word
from cryoscope.engines.port import Ability, Check

NO_RESTORE = Ability(
    can=False,
    why="a kubelet cannot restore: containers come back through an image of the checkpoint",
    cure="restore the archive with --to podman, cri or criu",
)


def version(text: str) -> tuple[int, int]:
    """Major and minor of "v1.36.2" or "containerd://2.1.9"; (0, 0) if there is none."""
    found = re.search(r"(\d{1,4})\.(\d{1,4})", text)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


def runtime(node: Object) -> str:
    """The node's runtime and its version: "containerd 2.1.9"."""
    return word(node, "status", "nodeInfo", "containerRuntimeVersion").replace("://", " ", 1)


def kubelet(node: Object) -> str:
    """The version of the node's kubelet."""
    return word(node, "status", "nodeInfo", "kubeletVersion")


def capture(node: Object) -> Ability:
    """Whether its kubelet and runtime have checkpoints at all; criu on the node is not seen from here."""
    said, of_kubelet = runtime(node), version(kubelet(node))
    if (0, 0) < of_kubelet < (1, 25):
        return Ability(
            can=False, why=f"kubelet {kubelet(node)} has no checkpoints", cure="Kubernetes 1.30 or newer"
        )
    if said.startswith("containerd") and (0, 0) < version(said) < (2, 0):
        return Ability(can=False, why=f"{said} has no checkpoints", cure="install containerd 2.0 or newer")
    if (0, 0) < of_kubelet < (1, 30):
        cure = "set the feature gate ContainerCheckpoint=true on the node"
        return Ability(
            can=True, why=f"kubelet {kubelet(node)} has checkpoints switched off unless told", cure=cure
        )
    return Ability(can=True)


def check(node: Object) -> Check:
    """A node in one line."""
    name, able = word(node, "metadata", "name"), capture(node)
    what = f"{name}: kubelet {kubelet(node) or '?'}, {runtime(node) or 'no runtime'}"
    if able.can and not able.why:
        return Check(code="kubelet.node", state="ok", what=what)
    return Check(
        code="kubelet.node", state="warn" if able.can else "fail", what=f"{what}: {able.why}", cure=able.cure
    )
