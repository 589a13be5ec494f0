"""The folder of the kubelet's checkpoints, or of an engine's, in the container."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.known.evidences import of_mount
from cryoscope.examine.findings.known.mounts import host_mounts
from cryoscope.examine.findings.scene import Scene

FOLDER = re.compile(
    r"/var/lib/kubelet/checkpoints(?:/|$)|/var/lib/docker/containers/[^/]+/checkpoints(?:/|$)"
)


def look(scene: Scene) -> Iterator[Suspicion]:
    """Mounts of folders where checkpoints are put."""
    for mount in host_mounts(scene):
        if FOLDER.match(mount.source):
            yield Suspicion([of_mount(mount, "checkpoints of other containers lie here")])


DETECTOR = Detector(
    name="checkpoint-folder",
    title="The folder of checkpoints is mounted in the container",
    severity="high",
    why="A checkpoint holds all memory of a container: keys, tokens and passwords of others can be read "
    "from the folder, and a checkpoint that is changed there is restored as it then is.",
    next=[
        "who asked for the mount: the pod's description and the API server's audit log",
        "which checkpoints lay there meanwhile: their secrets count as known (cryoscope secrets)",
    ],
    techniques=["T1005", "T1552.001", "T1611"],
    references=[
        "Kubernetes, Kubelet Checkpoint API",
        "MITRE ATT&CK T1005, Data from Local System",
    ],
    look=look,
)
