"""Checkpoints for the search's tests: any pages of any processes, with parents, and the slow truth."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterable, Mapping, Sequence

from cryoscope.checkpoint.archive import BytesSource, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.memory import AddressSpace
from cryoscope.examine.search import Pattern, SearchResult, StreamScan, Where, search
from cryoscope.examine.search.runs import known, rows
from tests.checkpoint.built_samples import PAGE, Fields, core, image, mm, pagemap, vma

BASE = 0x10000
PRESENT, PARENT = 4, 1


def page(text: bytes, at: int = 0) -> bytes:
    """A page of dots with a text in it; from behind if `at` is negative."""
    place = at if at >= 0 else PAGE + at
    assert place + len(text) <= PAGE
    return (b"." * place + text).ljust(PAGE, b".")


Pages = Mapping[int, bytes]
"""Contents of pages by their number from BASE on."""


class Made:
    """The members of an archive, in the order in which they were added."""

    def __init__(self) -> None:
        self.members: dict[str, bytes] = {"checkpoint/inventory.img": image("INVENTORY", {"img_version": 2})}
        self.tasks: list[Fields] = []
        self.links: dict[str, str] = {}
        self._ids = dict[str, int]()

    def process(
        self,
        pid: int,
        pages: Pages,
        *,
        ppid: int = 0,
        vmas: list[Fields] | None = None,
        inherited: Iterable[int] = (),
    ) -> None:
        """A process with these pages; `inherited` are those that lie in the parent."""
        self.tasks.append({"pid": pid, "ppid": ppid, "pgid": pid, "sid": 1, "threads": [pid]})
        self.put(f"core-{pid}.img", core(b"p%d" % pid))
        last = max([0, *pages, *inherited]) + 1
        self.put(f"mm-{pid}.img", mm(vmas if vmas is not None else [vma(BASE, BASE + last * PAGE)]))
        self.pages(f"pagemap-{pid}.img", pages, inherited=inherited)

    def put(self, name: str, data: bytes, folder: str = "checkpoint/") -> None:
        self.members[folder + name] = data

    def pages(
        self,
        name: str,
        pages: Pages,
        *,
        folder: str = "checkpoint/",
        inherited: Iterable[int] = (),
        base: int = BASE,
    ) -> None:
        """A page map and its pages, an entry each run of one kind."""
        number = self._ids[folder] = self._ids.get(folder, 0) + 1
        kinds = dict.fromkeys(inherited, PARENT) | dict.fromkeys(pages, PRESENT)
        entries: list[tuple[int, int, int]] = []
        for place, flags in sorted(kinds.items()):
            at = base + place * PAGE
            if entries and entries[-1][0] + entries[-1][1] * PAGE == at and entries[-1][2] == flags:
                entries[-1] = (entries[-1][0], entries[-1][1] + 1, flags)
            else:
                entries.append((at, 1, flags))
        self.put(name, pagemap(*entries, pages_id=number), folder)
        self.put(f"pages-{number}.img", b"".join(pages[place] for place in sorted(pages)), folder)

    def tar(self) -> bytes:
        self.members["checkpoint/pstree.img"] = image("PSTREE", *self.tasks)
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, target in self.links.items():
                info = tarfile.TarInfo(name)
                info.type, info.linkname = tarfile.SYMTYPE, target
                tar.addfile(info)
            for name, data in self.members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        return buffer.getvalue()


def find(
    data: bytes, patterns: Sequence[Pattern], *, where: Where | None = None, slow: bool = False
) -> SearchResult:
    """Search an archive's bytes; compressed ones while they stream by."""
    from cryoscope.examine.search.engine import Engine

    tap = StreamScan(patterns, engine=Engine(patterns, slow=slow))
    with open_archive(BytesSource(data, "made.tar"), tap=tap) as archive:
        return search(Checkpoint(archive), patterns, where=where or Where(), tap=tap)


def truth(data: bytes, pattern: re.Pattern[bytes]) -> set[tuple[int, int, int]]:
    """(pid, address, size) of every match in memory, by `re` over each run of contiguous addresses."""
    found = set()
    with open_archive(BytesSource(data, "made.tar")) as archive:
        checkpoint = Checkpoint(archive)
        for process in checkpoint.processes:
            space = checkpoint.memory(process.pid)
            assert space is not None
            for start, run in runs(space):
                found |= {(process.pid, start + m.start(), len(m[0])) for m in pattern.finditer(run)}
    return found


def runs(space: AddressSpace) -> Iterable[tuple[int, bytes]]:
    """Every run of known bytes with its address."""
    whole = (extent for vma in space.mappings for extent in space.extents(vma.start, vma.size))
    for row in rows(known(whole)):
        start, end = row[0].start, row[-1].start + row[-1].length
        yield start, space.read(start, end - start)


def owned(result: SearchResult) -> list[tuple[int, int, int]]:
    """(pid, address, size) of every process of every hit."""
    return sorted((owner.pid, owner.address, hit.size) for hit in result.hits for owner in hit.processes)
