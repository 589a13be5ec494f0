"""Working directories and links through /proc/self/fd: ways out by a folder that the runtime left open."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_file, of_process
from cryoscope.examine.findings.known.files import links
from cryoscope.examine.findings.records import Evidence
from cryoscope.examine.findings.scene import Scene

LEAK = re.compile(r"/(?:proc/(?:self|thread-self|\d+)|dev)/fd/(?:[3-9]|\d{2,})(?:/|$)")
"""Descriptors from 3 on; logs that lead to 1 and 2 are usual."""

MASKED = re.compile(r"/dev/(?:null|console|pts/\d+|zero|full)$")
LEADS = re.compile(r"(?:\.\./)*/?(?:proc|sys)/")


def look(scene: Scene) -> Iterator[Suspicion]:
    """The spec's working directory, those of the processes, and links that the container made."""
    spec = scene.container.process
    if spec is not None and LEAK.match(spec.cwd or ""):
        yield Suspicion(
            [Evidence(what="the container was created with this working directory", text=spec.cwd)]
        )
    for process in scene.processes:
        if LEAK.match(process.cwd or "") or "/../" in (process.cwd or "") + "/":
            yield Suspicion([of_process(process, "works in a folder outside", text=process.cwd)])
    for entry in links(scene):
        if LEAK.match(entry.link or ""):
            what = "leads through a descriptor of whoever follows it"
            yield Suspicion([of_file(entry, what, text=f"-> {entry.link}")])
        elif MASKED.match(entry.path) and LEADS.match(entry.link or ""):
            what = "a device that the runtime mounts over others leads to the kernel"
            yield Suspicion([of_file(entry, what, text=f"-> {entry.link}")])


DETECTOR = Detector(
    name="leaked-folder",
    title="A way out through what the runtime leaves open",
    severity="high",
    why="Runtimes had folders of the host open while they entered a container: a working directory or a "
    "link through /proc/self/fd/7 then leads there. Links in place of /dev/null make the runtime "
    "mount over the wrong file.",
    next=[
        "the versions of runc and crun on the node against the advisories",
        "on the host: files that changed since, such as /etc/cron.d and authorized_keys",
    ],
    techniques=["T1611"],
    references=[
        "CVE-2024-21626",
        "CVE-2025-31133",
        "CVE-2025-52565",
    ],
    look=look,
)
