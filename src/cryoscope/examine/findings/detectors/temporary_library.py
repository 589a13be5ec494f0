"""Libraries with code that are mapped out of folders for temporary files, or were deleted since."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.checkpoint.memory import Vma
from cryoscope.checkpoint.process import Process
from cryoscope.examine.findings.code import executable
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_mapping
from cryoscope.examine.findings.known.folders import hidden, temporary
from cryoscope.examine.findings.known.runtimes import runtime_of
from cryoscope.examine.findings.scene import Scene

HARMLESS = re.compile(
    r"/(?:var/)?tmp/(?:_MEI|jna|libjna|netty|libnetty|snappy|libzstd|liblz4|jffi|jansi|sqlite-|onefile_|\.mount_|ffi)"
)
"""What extracts its libraries where it may write, and often deletes them: Java, PyInstaller, AppImage."""


def look(scene: Scene) -> Iterator[Suspicion]:
    """Executable mappings of files in such folders; a program itself is another detector's."""
    for process in scene.processes:
        space = scene.space(process.pid)
        for vma in executable(space) if space is not None else ():
            path = vma.path or ""
            if vma.kind in ("memfd", "sysv-shm", "shared-anon") or not path or path == process.exe:
                continue
            if temporary(path) or (vma.deleted and scene.changed(path) is None):
                yield _judged(process, vma, path, runtime_of(process, space))


def _judged(process: Process, vma: Vma, path: str, runtime: str | None) -> Suspicion:
    what = "has the code of a deleted file" if vma.deleted else "has code from a folder for temporary files"
    evidence = [of_mapping(process, vma, what)]
    if HARMLESS.match(path) or runtime:
        return Suspicion(evidence, "low")
    return Suspicion(evidence, "high" if hidden(path) else None)


DETECTOR = Detector(
    name="temporary-library",
    title="Code is mapped from a temporary or deleted file",
    severity="medium",
    why="Injected libraries are written where anybody may write, loaded, and deleted at once. Java and "
    "programs packed into one file do the same with their own.",
    next=[
        "cryoscope extract -p PID --file PATH -o FOLDER ARCHIVE saves what memory holds of it",
        "cryoscope fs cat ARCHIVE PATH, where the file is still there",
        "the process's environment: LD_PRELOAD is one way in",
    ],
    techniques=["T1055.001", "T1574.006"],
    references=["MITRE ATT&CK T1055.001, Process Injection: Dynamic-link Library Injection"],
    look=look,
)
