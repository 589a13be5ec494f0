"""Traps for the container runtime: files that make it run itself, so that it can be overwritten."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.checkpoint.process import Descriptor, Process
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_descriptor, of_file, shown
from cryoscope.examine.findings.known.files import HEAD, links, runnable, written
from cryoscope.examine.findings.scene import Scene

SELF = "/proc/self/exe"
TRAP = re.compile(rb"#![ \t]*/proc/(?:self|\d+|thread-self)/(?:exe|fd/)")
RUNTIME = re.compile(
    r"/(?:.*/)?(?:runc|crun|conmon|youki|runsc|kata-runtime|docker-runc|containerd-shim[\w-]*)$"
)


def look(scene: Scene) -> Iterator[Suspicion]:
    """Scripts and links to /proc/self/exe, and runtimes that a process has open for writing."""
    for entry in written(scene):
        if runnable(entry) and TRAP.match(scene.content(entry, HEAD)):
            text = shown(scene.content(entry, HEAD).split(b"\n")[0])
            yield Suspicion([of_file(entry, "makes whoever runs it run itself", text=text)])
    for entry in links(scene):
        if entry.link == SELF:
            yield Suspicion([of_file(entry, "leads to the program that follows it", text=f"-> {entry.link}")])
    for process in scene.processes:
        for descriptor in scene.descriptors(process.pid):
            yield from _open(process, descriptor)


def _open(process: Process, descriptor: Descriptor) -> Iterator[Suspicion]:
    path = descriptor.path or ""
    if RUNTIME.match(path) and "w" in descriptor.access:
        yield Suspicion([of_descriptor(process, descriptor, "has a container runtime open for writing")])


DETECTOR = Detector(
    name="runtime-overwrite",
    title="A trap is set for the container runtime",
    severity="high",
    why="When the runtime enters the container and runs a file that leads to /proc/self/exe, it runs "
    "itself, and the container gets hold of the runtime's program on the host and can replace it.",
    next=[
        "on the host: the digest of runc or crun against its package",
        "whether somebody ran exec into the container since: the audit log, the engine's log",
    ],
    techniques=["T1611"],
    references=[
        "CVE-2019-5736",
        "MITRE ATT&CK T1611, Escape to Host",
    ],
    look=look,
)
