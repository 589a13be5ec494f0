"""Libraries that the environment has the loader put before all others."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.checkpoint.process import Process
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_file, of_mapping, of_process, shown
from cryoscope.examine.findings.known.folders import base, hidden, temporary
from cryoscope.examine.findings.known.packages import packages
from cryoscope.examine.findings.records import Evidence
from cryoscope.examine.findings.scene import Scene

VARIABLES = ("LD_PRELOAD", "LD_AUDIT")
KNOWN = re.compile(
    r"lib(?:jemalloc|tcmalloc|mimalloc|hoard|nsl|stdc\+\+|gomp|iomp5|omp|asan|tsan|ubsan|lsan|faketime\w*|eatmydata"
    r"|fakeroot\w*|nss_wrapper|uid_wrapper|SegFault|dlfaker|vglfaker|gcompat|mkl_\w+|memusage|pcprofile|snoopy"
    r"|nvidia-[\w-]+|cuda\w*|sysconfcpus|gperftools\w*|profiler)[\w.+-]*$"
)
"""Libraries that images and administrators preload: allocators, sanitizers, clocks, wrappers."""

SEPARATORS = re.compile(r"[ :]+")


def look(scene: Scene) -> Iterator[Suspicion]:
    """Each library in LD_PRELOAD and LD_AUDIT, by where it lies and who put it there."""
    for process in scene.processes:
        environment = scene.environment(process.pid)
        for variable in VARIABLES:
            for path in SEPARATORS.split(environment.get(variable, "")):
                if path:
                    yield _judged(scene, process, variable, path)


def _judged(scene: Scene, process: Process, variable: str, path: str) -> Suspicion:
    written = scene.changed(path)
    text = shown(f"{variable}={path}")
    evidence = [of_process(process, "was started with a library put before all others", path=path, text=text)]
    if written is not None:
        evidence.append(of_file(written, "is that library, written in the container"))
    evidence += _mapped(scene, process, path)
    if temporary(path) or hidden(path):
        return Suspicion(evidence, "high")
    if KNOWN.match(base(path)):
        return Suspicion(evidence, "info", "A well-known library is put before all others")
    if written is not None and not packages(scene).perhaps(written):
        return Suspicion(evidence, "high")
    return Suspicion(evidence, "medium")


def _mapped(scene: Scene, process: Process, path: str) -> Iterator[Evidence]:
    """Where the library lies in the process, if the loader took it."""
    space = scene.space(process.pid)
    for vma in space.mappings if space is not None else ():
        if vma.path and (vma.path == path or ("/" not in path and base(vma.path) == path)):
            yield of_mapping(process, vma, "has it loaded")
            return


DETECTOR = Detector(
    name="preload",
    title="A library is put before all others by the environment",
    severity="medium",
    why="The loader gives a library in LD_PRELOAD or LD_AUDIT the first word on every function: it can read"
    " what the program reads, and hide files, processes and connections from it. Nobody needs one from "
    "a temporary folder, or one that the container wrote itself.",
    next=[
        "cryoscope fs cat ARCHIVE PATH, and look at the functions that the library defines",
        "cryoscope env ARCHIVE shows which processes inherited it",
        "/etc/ld.so.preload does the same for every program: see the finding of that name",
    ],
    techniques=["T1574.006"],
    references=["MITRE ATT&CK T1574.006, Hijack Execution Flow: Dynamic Linker Hijacking", "ld.so(8)"],
    look=look,
)
