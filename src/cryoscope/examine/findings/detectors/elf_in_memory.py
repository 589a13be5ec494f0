"""ELF images in memory that is no file's: programs or libraries that somebody's own loader put there."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.checkpoint.memory import AddressSpace, Vma
from cryoscope.checkpoint.process import Process
from cryoscope.errors import CryoscopeError
from cryoscope.examine.findings.code import executable, from_file
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.elf import CORE, HEADER, RELOCATABLE, extent_of, header_of
from cryoscope.examine.findings.evidence import of_mapping
from cryoscope.examine.findings.known.runtimes import runtime_of
from cryoscope.examine.findings.scene import Scene
from cryoscope.examine.search.hits import Hit, Owner
from cryoscope.examine.search.patterns import Pattern

TABLES = 4096
"""Bytes in which a file's program headers lie."""

HEADERS = Pattern(
    "header",
    rb"\x7fELF[\x01\x02][\x01\x02]\x01[\x00-\x12].\x00{7}(?:[\x01-\x03]\x00[\x03\x08\x15\x16\x28\x3e\xb7\xf3\x02]"
    rb"[\x00\x01]\x01\x00\x00\x00|\x00[\x01-\x03][\x00\x01][\x03\x08\x15\x16\x28\x3e\xb7\xf3\x02]\x00\x00\x00\x01)",
)
"""The beginning of an object file, executable or shared object of a machine that Linux runs on."""

ANONYMOUS = ("anon", "heap", "stack", "shared-anon", "sysv-shm", "memfd")
RUNS = "An ELF image in memory that is no file can run"
UNPACKED = "A program unpacked itself in memory"


def look(scene: Scene) -> Iterator[Suspicion]:
    """Each header at the start of a page of anonymous memory, in every process that has it."""
    for hit in scene.hits("elf-in-memory"):
        for owner in hit.processes:
            process, space = scene.by_pid.get(owner.pid), scene.space(owner.pid)
            if process is not None and space is not None and owner.vma.kind in ANONYMOUS:
                yield from _judged(process, space, owner, hit)


def _judged(process: Process, space: AddressSpace, owner: Owner, hit: Hit) -> Iterator[Suspicion]:
    data = _read(space, owner.address)
    header, vma = header_of(data), space.find(owner.address)
    if header is None or vma is None or header.type == CORE:
        return
    evidence = [
        of_mapping(
            process,
            vma,
            f"has a {header.words} in memory that is no file",
            address=owner.address,
            size=None,
            member=hit.member,
            offset=hit.offset,
        )
    ]
    aligned = owner.address % space.page_size == 0
    if not aligned and vma.kind == "stack":
        return  # ld.so reads the beginnings of libraries onto its stack
    code = _code(space, owner.address, extent_of(data, header)) if aligned else None
    if header.type == RELOCATABLE:
        yield Suspicion(evidence, "info", "An object file lies in memory")  # LLVM and gdb make them
    elif code is None:
        yield Suspicion(evidence, *_as_data(process, space, aligned))
    elif not _own_program(process, space):
        yield Suspicion(evidence, "medium", UNPACKED)
    else:
        yield Suspicion(evidence, "high", RUNS)


def _as_data(process: Process, space: AddressSpace, aligned: bool) -> tuple[str, str | None]:
    """What reads files has them in buffers; seldom, but for runtimes, at the start of a page."""
    if aligned and not runtime_of(process, space):
        return "medium", None
    return "info", "A copy of an ELF file lies in memory"


def _read(space: AddressSpace, address: int) -> bytes:
    try:
        return space.read_known(address, TABLES)
    except CryoscopeError:
        return b""


def _code(space: AddressSpace, start: int, extent: int) -> Vma | None:
    """A mapping of the image, as far as its header says it goes, in which code can run."""
    end = start + max(extent, HEADER)
    for vma in executable(space):
        if not from_file(vma) and vma.start < end and vma.end > start:
            return vma
    return None


def _own_program(process: Process, space: AddressSpace) -> bool:
    """Whether the process's own program is mapped from its file: that of a packed one is not."""
    return any(vma.path is not None and vma.path == process.exe for vma in executable(space))


DETECTOR = Detector(
    name="elf-in-memory",
    title="A copy of an ELF file lies at the start of a page of memory",
    severity="medium",
    why="Libraries and programs are mapped from files. An ELF header in anonymous memory was put there by a"
    " loader of somebody's own, which leaves no file and no name in the list of mappings; or a program "
    "read an ELF file as data, as debuggers and scanners do.",
    next=[
        "cryoscope extract -p PID --vma START -o FOLDER ARCHIVE saves it as a file",
        "cryoscope yara with your rules over the process's memory",
        "cryoscope stack -p PID ARCHIVE tells whether a thread stood in it",
    ],
    techniques=["T1620", "T1055.001"],
    references=["MITRE ATT&CK T1620, Reflective Code Loading", "elf(5)"],
    look=look,
    patterns=(HEADERS,),
)
