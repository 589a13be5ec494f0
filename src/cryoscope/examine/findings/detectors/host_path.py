"""Parts of the host's file system in the container."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.known.evidences import of_mount
from cryoscope.examine.findings.known.mounts import foreign
from cryoscope.examine.findings.scene import Scene

MIGHTY = re.compile(
    r"/$|/(?:etc|root|proc|sys|boot|dev|run|usr|bin|sbin|lib|lib64|var|var/lib|home|var/spool/cron)$"
    r"|/(?:root|etc/kubernetes|etc/cron[^/]*|etc/systemd|etc/ssh|etc/cni|etc/sudoers[^/]*|var/lib/etcd"
    r"|var/lib/kubelet|var/lib/docker|var/lib/containerd|var/lib/containers|var/lib/crio|var/lib/cni|run/systemd"
    r"|var/spool/cron|opt/cni|sys/kernel|sys/fs/bpf|proc/sys)(?:/|$)|/etc/(?:passwd|shadow)$|/run/containerd$|/run/crio$"
)
"""Paths from which the whole host can be read or changed."""

SOCKET = re.compile(r".*\.sock$|/var/lib/kubelet/checkpoints(?:/|$)")
"""Left to detectors of their own."""

ROUTINE = re.compile(
    r"/(?:etc/(?:localtime|timezone|ssl|pki|ca-certificates|machine-id)|usr/share/(?:zoneinfo|ca-)|lib/modules)"
)


def look(scene: Scene) -> Iterator[Suspicion]:
    """Bind mounts that neither engine nor kubelet make on their own."""
    for mount in foreign(scene):
        if SOCKET.match(mount.source):
            continue
        if MIGHTY.match(mount.source) and not ROUTINE.match(mount.source):
            what = f"{mount.source} of the host {'can be read' if mount.read_only else 'can be written'} here"
            yield Suspicion([of_mount(mount, what)], "low" if mount.read_only else "medium")
        else:
            title = "Folders of the host are mounted"
            yield Suspicion([of_mount(mount, "is mounted from the host")], "info", title)


DETECTOR = Detector(
    name="host-path",
    title="Folders that rule the host are mounted in the container",
    severity="medium",
    why="Who may write to the host's /etc, its root home or the kubelet's folders becomes root there: a "
    "key, a cron table or a static pod is enough. Who may read them has every secret of the node. "
    "Agents of monitoring and storage have such mounts too.",
    next=[
        "cryoscope mounts ARCHIVE; the pod's own description says who asked for the mount",
        "look on the host for files of these folders that are younger than the container",
    ],
    techniques=["T1611", "T1610"],
    references=[
        "MITRE ATT&CK T1611, Escape to Host",
        "Kubernetes Pod Security Standards: hostPath volumes",
    ],
    look=look,
)
