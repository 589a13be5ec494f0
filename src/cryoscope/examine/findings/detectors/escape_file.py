"""Files of the kernel by which a container runs programs on the host: release_agent, core_pattern and kin."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope import limits
from cryoscope.checkpoint.process import Descriptor, Process
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_descriptor, of_hit, of_process
from cryoscope.examine.findings.known.evidences import distinct, in_files
from cryoscope.examine.findings.records import Evidence
from cryoscope.examine.findings.scene import Scene
from cryoscope.examine.search.patterns import Pattern

HANDLES = rb"release_agent|core_pattern|uevent_helper|binfmt_misc/register|sysrq-trigger|kernel/modprobe"
FILES = re.compile(
    r"/(?:.*/)?(?:release_agent|uevent_helper)$|/proc/sys/kernel/(?:core_pattern|modprobe|hotplug)$"
    r"|/proc/sys/fs/binfmt_misc/(?:register|status)$|/proc/sysrq-trigger$"
)
WRITES = Pattern("write", rb"(?:>|\btee[ ]|\btee[ ]-a[ ]|\bof=)[ ]*[\"']?[\w$./{}-]*(?:" + HANDLES + rb")\b")
"""A shell that writes to such a file; that a program only has its name says little."""

CERTAIN = (b"release_agent", b"uevent_helper")
"""Only for escapes; the others are set by honest setups too: qemu's by name, core_pattern by a path."""

PIPED = re.compile(rb"[\"' ]\|/[^|]*core_pattern")
"""A program for core dumps, which the kernel runs on the host (core(5), "Piping core dumps")."""

TITLE = "Commands that change how the kernel runs programs"

CGROUPS = ("cgroup", "cgroup2")
USUAL = "/sys/fs/cgroup"
WRITE = re.compile(WRITES.expression)


def look(scene: Scene) -> Iterator[Suspicion]:
    """Open files, command lines, mounts of control groups, and words in memory and files."""
    for process in scene.processes:
        yield from _open(process, scene.descriptors(process.pid))
        data = "\n".join(process.cmdline or []).encode("utf-8", "surrogateescape")
        found = WRITE.search(data, 0, limits.FINDING_COMMANDS)
        if found is not None:
            sure = found.group().endswith(CERTAIN) or PIPED.search(data)
            evidence = of_process(process, "a command line writes to such a file")
            yield Suspicion([evidence], *(() if sure else ("medium", TITLE)))
    yield from _mounted(scene)
    yield from _named(scene)


def _open(process: Process, descriptors: list[Descriptor]) -> Iterator[Suspicion]:
    for descriptor in descriptors:
        if descriptor.path and FILES.match(descriptor.path) and "w" in descriptor.access:
            severity = "medium" if "binfmt_misc" in descriptor.path else None
            yield Suspicion([of_descriptor(process, descriptor, "is open for writing")], severity)


def _mounted(scene: Scene) -> Iterator[Suspicion]:
    """Control groups where neither the engine nor an init mounts them: the known escape does that first."""
    given = {mount.destination for mount in scene.container.mounts}
    for mount in scene.checkpoint.mounts:
        usual = mount.external or mount.mountpoint in given or mount.mountpoint.startswith(USUAL)
        if mount.fstype in CGROUPS and not usual:
            text = f"{mount.fstype} {mount.options or mount.source} on {mount.mountpoint}"
            what = "control groups are mounted where nobody mounts them"
            yield Suspicion([Evidence(what=what, path=mount.mountpoint, text=text)])


def _named(scene: Scene) -> Iterator[Suspicion]:
    for hit in distinct(scene.hits("escape-file")):
        where = f"a command that writes to one, in {'a file' if in_files(hit) else hit.place}"
        sure = in_files(hit) and hit.match.encode("utf-8", "replace").endswith(CERTAIN)
        yield Suspicion([of_hit(hit, where)], *(() if sure else ("medium", TITLE)))


DETECTOR = Detector(
    name="escape-file",
    title="Somebody writes to a file by which the kernel runs programs on the host",
    severity="high",
    why="The kernel runs what release_agent, core_pattern, uevent_helper or binfmt_misc name as root on "
    "the host, outside of every container. Where the container may write to one, a line is enough to "
    "get out.",
    next=[
        "on the host: cat /proc/sys/kernel/core_pattern, and release_agent of every control group",
        "cryoscope search release_agent ARCHIVE: the whole script often stands beside it",
    ],
    techniques=["T1611"],
    references=[
        "MITRE ATT&CK T1611, Escape to Host",
        "CVE-2022-0492",
        "cgroups(7), core(5)",
    ],
    look=look,
    patterns=(WRITES,),
)
