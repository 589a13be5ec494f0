"""Executable memory that belongs to no file."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.checkpoint.memory import AddressSpace, Vma
from cryoscope.examine.findings.code import beginning, executable, from_file, touched
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_mapping
from cryoscope.examine.findings.known.runtimes import runtime_of
from cryoscope.examine.findings.scene import Scene

MAKES_CODE = "A runtime has code that it made itself"


def look(scene: Scene) -> Iterator[Suspicion]:
    """Mappings with code that is in memory only; what is writable, too, is another detector's."""
    for process in scene.processes:
        space = scene.space(process.pid)
        if space is None:
            continue
        found = [vma for vma in executable(space) if _suspicious(space, vma)]
        if not found:
            continue
        runtime = runtime_of(process, space)
        what = "has executable memory that is no file's"
        evidence = [of_mapping(process, vma, what, text=beginning(space, vma)) for vma in found]
        yield Suspicion(evidence, "info", MAKES_CODE) if runtime else Suspicion(evidence)


def _suspicious(space: AddressSpace, vma: Vma) -> bool:
    """Not of a file, not a memfd (which has its own detector), not writable, and with bytes in it."""
    if "w" in vma.perms or from_file(vma) or vma.kind == "memfd":
        return False
    return touched(space, vma) > 0


DETECTOR = Detector(
    name="anonymous-code",
    title="Executable memory belongs to no file",
    severity="medium",
    why="Programs and libraries are mapped from files. Code in anonymous memory was written there at run "
    "time: by a just-in-time compiler, by a packer that unpacked its program, or by an attacker's "
    "loader.",
    next=[
        "cryoscope hexdump -p PID --address START+256 ARCHIVE shows how it begins",
        "cryoscope extract -p PID --vma START -o FOLDER ARCHIVE saves it for a disassembler",
        "cryoscope yara with your rules over the process's memory",
    ],
    techniques=["T1055", "T1620"],
    references=["MITRE ATT&CK T1055, Process Injection", "MITRE ATT&CK T1620, Reflective Code Loading"],
    look=look,
)
