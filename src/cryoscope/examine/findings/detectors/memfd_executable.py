"""A program or library that was loaded from memory that never was a file on disk."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.checkpoint.memory import AddressSpace, Vma
from cryoscope.checkpoint.process import Process
from cryoscope.errors import CryoscopeError
from cryoscope.examine.findings.code import executable, touched
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.elf import MAGIC
from cryoscope.examine.findings.evidence import of_mapping, of_process
from cryoscope.examine.findings.known.runtimes import CLONES, MEMFDS, runtime_of
from cryoscope.examine.findings.scene import Scene

MEMFD = "/memfd:"


def look(scene: Scene) -> Iterator[Suspicion]:
    """Programs in memfds, and what is executable of memfds in other programs."""
    for process in scene.processes:
        if (process.exe or "").startswith(MEMFD):
            yield _program(scene, process)
        elif (space := scene.space(process.pid)) is not None:
            yield from _mapped(process, space)


def _program(scene: Scene, process: Process) -> Suspicion:
    runtime = CLONES.match(process.exe or "")
    evidence = [of_process(process, "runs a program out of a memfd")]
    for descriptor in scene.descriptors(process.pid):
        if descriptor.type == "memfd" and descriptor.target.partition(" ")[0] == process.exe:
            evidence = [
                of_process(process, "runs a program out of a memfd, which it holds", fd=descriptor.fd)
            ]
            break
    return Suspicion(evidence, "info" if runtime else None)


def _mapped(process: Process, space: AddressSpace) -> Iterator[Suspicion]:
    """A library that begins as ELF files do is somebody's; other code may be a runtime's own."""
    for vma in executable(space):
        if vma.kind != "memfd" or not touched(space, vma):
            continue
        if _is_elf(space, vma):
            evidence = of_mapping(process, vma, "has a library from a memfd mapped to run")
            yield Suspicion([evidence], title="A library was loaded from memory that is no file")
        else:
            evidence = of_mapping(process, vma, "has code in a memfd")
            known = MEMFDS.match(vma.path or "") or runtime_of(process, space)
            yield Suspicion(
                [evidence], "info" if known else "medium", "Executable memory is shared through a memfd"
            )


def _is_elf(space: AddressSpace, code: Vma) -> bool:
    """Whether the object behind a mapping begins as an ELF file, as far as any mapping shows that."""
    for vma in space.mappings:
        if vma.object_id is not None and vma.object_id == code.object_id and vma.offset == 0:
            try:
                return space.read_known(vma.start, len(MAGIC)) == MAGIC
            except CryoscopeError:
                return False
    return False


DETECTOR = Detector(
    name="memfd-executable",
    title="A program runs from memory that is no file",
    severity="high",
    why="memfd_create(2) makes a file that exists in memory only. Malware starts programs out of it, so "
    "that nothing of them is ever on disk, where a scanner or an image comparison would see them.",
    next=[
        "cryoscope extract -p PID --all -o FOLDER ARCHIVE saves what is mapped of it",
        "cryoscope yara with your rules over the process's memory",
        "look at the process's parent and its sockets: something wrote the program into memory",
    ],
    techniques=["T1620"],
    references=["MITRE ATT&CK T1620, Reflective Code Loading", "memfd_create(2), execveat(2)"],
    look=look,
)
