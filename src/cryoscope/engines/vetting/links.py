"""Names followed through the symbolic links that the archive's own trees bring, as the kernel would."""

from __future__ import annotations

from cryoscope.checkpoint.process import Mount
from cryoscope.checkpoint.rootfs.tars import TMPFS
from cryoscope.engines.vetting.trees import Tree

HOPS = 40
"""Links that the kernel follows in one name (linux/namei.h, MAXSYMLINKS)."""

RULED = ("proc", "sys")
OUTSIDE = "a place outside"


class Links:
    """The links of all trees by the places where the trees may lie: a volume at any mount from outside."""

    def __init__(self, trees: list[Tree], mounts: list[Mount]) -> None:
        self._at: dict[str, list[dict[str, str]]] = {}
        for tree in trees:
            for place in _places(tree, mounts) if tree.targets else ():
                self._at.setdefault(place, []).append(tree.targets)

    def end(self, name: str) -> str | None:
        """Where an absolute name leads by way of links; None if it goes through none.

        `OUTSIDE` is told for a way above the container's root, and for one that never ends.
        """
        stack: list[str] = []
        left = name.split("/")[::-1]
        hops = 0
        while left:
            part = left.pop()
            if part in ("", "."):
                continue
            if part == ".." and not stack:
                return OUTSIDE
            if part == "..":
                stack.pop()
                continue
            target = self._target("/" + "/".join([*stack, part]))
            if target is None:
                stack.append(part)
            else:
                hops += 1
                stack = [] if target.startswith("/") else stack
                left += target.split("/")[::-1]
            if hops > HOPS:
                return OUTSIDE
            if hops and stack and stack[0] in RULED:
                break
        return "/" + "/".join([*stack, *left[::-1]]) if hops else None

    def _target(self, path: str) -> str | None:
        """What is in the link at a path; None if there is no link."""
        at = 0
        while at >= 0:
            for targets in self._at.get(path[:at], ()):
                if path[at + 1 :] in targets:
                    return targets[path[at + 1 :]]
            at = path.find("/", at + 1)
        return None


def _places(tree: Tree, mounts: list[Mount]) -> set[str]:
    if tree.origin == "rootfs":
        return {""}
    return {mount.mountpoint for mount in mounts if _holds(mount, tree)}


def _holds(mount: Mount, tree: Tree) -> bool:
    """Whether a tar is what a mount held: tmpfs by its device or number, all else may be any volume."""
    found = TMPFS.search(tree.member)
    if found is None:
        return mount.external or mount.mountpoint == "/dev/shm"  # noqa: S108
    number = int(found[2])
    return mount.device == f"{number >> 20}:{number & 0xFFFFF}" if found[1] else mount.id == number
