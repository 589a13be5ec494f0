"""Memory that is writable and executable at once."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.checkpoint.memory import AddressSpace, Vma
from cryoscope.checkpoint.process import Process
from cryoscope.examine.findings.code import beginning, executable, touched
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_mapping
from cryoscope.examine.findings.known.runtimes import runtime_of
from cryoscope.examine.findings.scene import Scene

READ_IMPLIES_EXEC = 0x0400000
"""Bit of personality(2) that makes everything readable executable: old programs without PT_GNU_STACK."""


def look(scene: Scene) -> Iterator[Suspicion]:
    """Writable code, process by process: that of a runtime and an executable stack tell less."""
    for process in scene.processes:
        space = scene.space(process.pid)
        found = [vma for vma in executable(space) if "w" in vma.perms] if space is not None else []
        if space is None or not found:
            continue
        if runtime_of(process, space):
            yield _suspicion(process, space, found, "info", "A runtime keeps its code writable")
        elif process.personality & READ_IMPLIES_EXEC:
            yield _suspicion(process, space, found, "low", "All memory of an old program is executable")
        else:
            stacks = [vma for vma in found if vma.kind == "stack"]
            others = [vma for vma in found if vma.kind != "stack" and touched(space, vma)]
            if stacks:
                yield _suspicion(process, space, stacks, "low", "A program has an executable stack")
            if others:
                yield _suspicion(process, space, others)


def _suspicion(
    process: Process,
    space: AddressSpace,
    found: list[Vma],
    severity: str | None = None,
    title: str | None = None,
) -> Suspicion:
    what = "has memory that is writable and executable"
    return Suspicion(
        [of_mapping(process, vma, what, text=beginning(space, vma)) for vma in found], severity, title
    )


DETECTOR = Detector(
    name="writable-code",
    title="Memory is writable and executable",
    severity="medium",
    why="Shellcode and its loaders ask for memory that is writable and executable at once; compilers and "
    "the system's loader avoid it. Some just-in-time compilers and old programs need it.",
    next=[
        "cryoscope hexdump -p PID --address START+256 ARCHIVE shows how it begins",
        "cryoscope stack -p PID ARCHIVE tells whether a thread stood in it",
        "cryoscope extract -p PID --vma START -o FOLDER ARCHIVE saves it for a disassembler",
    ],
    techniques=["T1055"],
    references=["MITRE ATT&CK T1055, Process Injection"],
    look=look,
)
