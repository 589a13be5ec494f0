"""Namespaces that the container shares with the host."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.records import Evidence
from cryoscope.examine.findings.scene import Scene

KINDS = {
    "pid": ("pid", "sees and signals every process of the host"),
    "network": ("net", "has the host's addresses, ports and traffic"),
    "ipc": ("ipc", "reads the host's shared memory"),
    "mount": ("mnt", "has the host's mounts"),
}
"""Names in the runtime's spec, those of the kernel, and what sharing one means."""

HOSTS = "/proc/1/ns/"


def look(scene: Scene) -> Iterator[Suspicion]:
    """Kinds that the spec makes no new one of, or of which it joins one that CRIU saw to be its own."""
    spec = scene.container.namespaces
    shared = {space.kind for space in scene.checkpoint.namespaces if space.host}
    for kind, (short, means) in KINDS.items():
        if spec:
            joined = spec.get(kind) or ""
            found = kind not in spec or joined.startswith(HOSTS) or (bool(joined) and short in shared)
        else:
            found = short in shared and scene.container.engine != "criu"
        if found:
            yield Suspicion([Evidence(what=f"{kind} namespace of the host: {means}", text=short)])


DETECTOR = Detector(
    name="host-namespaces",
    title="The container shares namespaces with the host",
    severity="medium",
    why="A namespace that is the host's is a wall less: with its processes one can read their memory and "
    "files, with its network listen to the node's. Agents of networking and monitoring are run so on "
    "purpose.",
    next=[
        ("cryoscope inspect ARCHIVE; the pod's description: hostPID, hostNetwork, hostIPC and who set them"),
        "cryoscope ps: in the host's pid namespace look for processes that are not the container's",
    ],
    techniques=["T1611"],
    references=[
        "Kubernetes Pod Security Standards: host namespaces",
        "namespaces(7)",
    ],
    look=look,
)
