"""Ways to the host's kernel, memory and disks: devices that are open, modules that are loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from cryoscope import limits
from cryoscope.checkpoint.process import Descriptor, Process
from cryoscope.errors import CryoscopeError
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_descriptor, of_file, of_process
from cryoscope.examine.findings.known.files import written
from cryoscope.examine.findings.known.folders import base, hidden, temporary
from cryoscope.examine.findings.known.packages import packages
from cryoscope.examine.findings.scene import Scene

MEMORY = re.compile(r"/dev/(?:mem|kmem|port)$|/proc/(?:kcore|kpage\w+)$")
DISK = re.compile(
    r"/dev/(?:[hsv]d[a-z]\d*|xvd[a-z]\d*|nvme\d+n\d+(?:p\d+)?|dm-\d+|md\d+|mapper/.+|mmcblk\d+\w*)$"
)
LOADERS = ("insmod", "modprobe", "kmod", "kexec")
TITLE = "A kernel module was written or is being loaded"


def look(scene: Scene) -> Iterator[Suspicion]:
    """Descriptors, programs that load modules, modules among the written files."""
    given = _devices(scene)
    for process in scene.processes:
        for descriptor in scene.descriptors(process.pid):
            yield from _device(process, descriptor, given)
        argument = base(process.cmdline[0]) if process.cmdline else ""
        if argument in LOADERS or (base(process.exe or "") in LOADERS and argument):
            odd = any(temporary(part) or hidden(part) for part in process.cmdline or [])
            severity = "high" if odd else "medium"
            yield Suspicion([of_process(process, "loads a module or a kernel")], severity, TITLE)
    for entry in written(scene):
        if re.search(r"\.ko(?:\.[gx]z|\.zst)?$", entry.path) and not packages(scene).brought(entry):
            yield Suspicion([of_file(entry, "is a kernel module")], "medium", TITLE)


def _device(process: Process, descriptor: Descriptor, given: set[str]) -> Iterator[Suspicion]:
    path = descriptor.path or ""
    if MEMORY.match(path):
        yield Suspicion([of_descriptor(process, descriptor, "has the memory of the host open")])
    elif descriptor.type == "blockdev" or DISK.match(path):
        what = "has a disk open past its file system"
        title = "A disk that the container was given is open" if path in given else None
        severity = "low" if path in given else None
        yield Suspicion([of_descriptor(process, descriptor, what)], severity, title)


def _devices(scene: Scene) -> set[str]:
    """Devices that the runtime's spec gives to the container (config-linux.md, devices)."""
    archive = scene.checkpoint.archive
    try:
        spec = (
            json.loads(archive.read("spec.dump", limit=limits.JSON_DOCUMENT))
            if "spec.dump" in archive
            else {}
        )
    except (CryoscopeError, ValueError, RecursionError):
        return set()
    linux: Any = spec.get("linux") if isinstance(spec, dict) else None
    devices: Any = linux.get("devices") if isinstance(linux, dict) else None
    rows = devices if isinstance(devices, list) else []
    return {str(row.get("path")) for row in rows if isinstance(row, dict)}


DETECTOR = Detector(
    name="kernel-access",
    title="The host's memory or disks are open past every wall",
    severity="high",
    why="Through /dev/mem or a disk's device one reads and changes the host whatever its permissions "
    "say. A kernel module is part of the kernel: it can hide everything else.",
    next=[
        "on the host: is the module loaded (lsmod), what did the kernel log at that time",
        "how the device came in: cryoscope mounts, the spec's devices, CAP_MKNOD",
    ],
    techniques=["T1611", "T1547.006", "T1006", "T1014"],
    references=[
        "MITRE ATT&CK T1611, Escape to Host",
        "mem(4)",
        "init_module(2)",
    ],
    look=look,
)
