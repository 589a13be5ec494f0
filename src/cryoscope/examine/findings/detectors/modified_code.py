"""Code of a mapped file that is no longer what the file says: somebody wrote into it in memory."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope import limits
from cryoscope.checkpoint.memory import AddressSpace
from cryoscope.checkpoint.process import Process
from cryoscope.errors import CryoscopeError
from cryoscope.examine.findings.code import Span, criu_page, written
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.elf import has_text_relocations
from cryoscope.examine.findings.evidence import of_mapping
from cryoscope.examine.findings.scene import Scene

BREAKPOINT = 0xCC
DIFFERENT = "Code in memory differs from its file"
TRACED = "Code in memory has breakpoints in it"
RELOCATED = "A library is relocated within its code"


def look(scene: Scene) -> Iterator[Suspicion]:
    """Changed pages of code; where the archive has the file they are compared with it."""
    originals: dict[str, bytes] = {}
    for process in scene.processes:
        space = scene.space(process.pid)
        if space is None:
            continue
        for span in written(space):
            yield from _judged(process, space, span, _original(scene, span, originals))
        own = criu_page(space)
        original = _original(scene, own, originals) if own is not None else b""
        if own is not None and original:  # without the file nobody can tell
            yield from _judged(process, space, own, original)


def _original(scene: Scene, span: Span, cache: dict[str, bytes]) -> bytes:
    """The mapped file as the container wrote it, as much as is read of one; empty where it did not."""
    path = span.vma.path or ""
    if path not in cache:
        cache.clear()  # files of hundreds of megabytes are mapped: one at a time
        entry = scene.held(path) if span.vma.deleted else scene.changed(path)
        cache[path] = scene.content(entry, limits.FINDING_HASHED) if entry is not None else b""
    return cache[path]


def _judged(process: Process, space: AddressSpace, span: Span, original: bytes) -> Iterator[Suspicion]:
    if not original:
        what = "has changed pages in the code of a file"
        yield Suspicion([of_mapping(process, span.vma, what, address=span.start, size=span.end - span.start)])
        return
    differing = _differing(space, span, original)
    if not differing:
        return
    at, size, only_breakpoints = differing
    what = f"has {size} bytes of code that are not the file's" + (
        " but breakpoints" if only_breakpoints else ""
    )
    text = space.read_known(at, 16).hex(" ")
    evidence = [of_mapping(process, span.vma, what, address=at, size=size, text=text)]
    if only_breakpoints or any(vma.kind == "uprobes" for vma in space.mappings):
        yield Suspicion(evidence, "medium", TRACED)
    elif has_text_relocations(original):
        yield Suspicion(evidence, "low", RELOCATED)
    else:
        yield Suspicion(evidence, "high", DIFFERENT)


def _differing(space: AddressSpace, span: Span, original: bytes) -> tuple[int, int, bool] | None:
    """Address of the first byte that differs, how many do, and whether all of those are breakpoints."""
    first, count, breakpoints = 0, 0, True
    for start in range(span.start, span.end, space.page_size):
        try:
            page = space.read(start, space.page_size)
        except CryoscopeError:
            continue
        offset = span.vma.offset + start - span.vma.start
        wanted = original[offset : offset + space.page_size].ljust(space.page_size, b"\0")
        if page == wanted:
            continue
        places = [place for place, byte in enumerate(page) if byte != wanted[place]]
        first = first or start + places[0]
        count += len(places)
        breakpoints = breakpoints and all(page[place] == BREAKPOINT for place in places)
    return (first, count, breakpoints) if count else None


DETECTOR = Detector(
    name="modified-code",
    title="Code of a file was changed in memory",
    severity="medium",
    why="A page of a program's or library's code is in a checkpoint only if it is no longer the file's: it "
    "was written to in memory. Hooks and injected code do that; so do debuggers, uprobes and libraries "
    "that are relocated within their code. The page that CRIU itself writes to is left out.",
    next=[
        "cryoscope hexdump -p PID --address START+256 ARCHIVE shows the changed page",
        "compare with the file of the image: cryoscope extract -p PID --file PATH -o FOLDER ARCHIVE",
        "cryoscope yara with your rules over the process's memory",
    ],
    techniques=["T1055", "T1574"],
    references=["MITRE ATT&CK T1055, Process Injection", "criu/mem.c, should_dump_page"],
    look=look,
)
