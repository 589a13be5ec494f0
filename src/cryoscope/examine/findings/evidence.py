"""Evidence of the usual kinds: a process, a mapping, a file, a hit of a pattern."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cryoscope import limits
from cryoscope.checkpoint.memory import Address, Vma
from cryoscope.checkpoint.process import Descriptor, Process
from cryoscope.examine.findings.records import Evidence
from cryoscope.examine.search.hits import Hit, Mapping
from cryoscope.text import readable

if TYPE_CHECKING:
    from cryoscope.checkpoint.rootfs import FileEntry


def shown(data: bytes | str) -> str:
    """Bytes or words of a stranger as text of bounded length."""
    text = readable(data[: limits.FINDING_TEXT * 4])
    return text if len(text) <= limits.FINDING_TEXT else text[: limits.FINDING_TEXT] + "…"


def of_process(process: Process, what: str, **fields: Any) -> Evidence:
    """A process; its command line is the text unless another is given."""
    given = {"text": shown(process.command), "path": process.exe} | fields
    return Evidence(what=what, pid=process.pid, comm=process.comm, **given)


def of_mapping(process: Process, vma: Vma, what: str, **fields: Any) -> Evidence:
    """A mapping of a process; its first address unless another is given."""
    given = {"address": vma.start, "size": vma.size, "path": vma.path} | fields
    given["address"] = Address(given["address"])
    return Evidence(what=what, pid=process.pid, comm=process.comm, vma=mapping(vma), **given)


def mapping(vma: Vma) -> Mapping:
    """A mapping as hits of a search name it."""
    return Mapping(vma.start, vma.end, vma.perms, vma.kind, vma.path)


def of_file(entry: FileEntry, what: str, **fields: Any) -> Evidence:
    """A file of the container's."""
    given = {
        "member": entry.member,
        "offset": entry.offset,
        "size": entry.size,
        "sha256": entry.sha256,
    } | fields
    return Evidence(what=what, path=entry.path, **given)


def of_descriptor(process: Process, descriptor: Descriptor, what: str, **fields: Any) -> Evidence:
    """An open descriptor of a process."""
    given = {"path": descriptor.path, "text": shown(descriptor.target)} | fields
    return Evidence(what=what, pid=process.pid, comm=process.comm, fd=descriptor.fd, **given)


def of_hit(hit: Hit, what: str, **fields: Any) -> Evidence:
    """Bytes that a pattern matched, of the first process that has them."""
    given: dict[str, Any] = {"text": shown(hit.match), "size": hit.size, "path": hit.path}
    if hit.processes:
        owner = hit.processes[0]
        given |= {"pid": owner.pid, "comm": owner.comm, "address": owner.address, "vma": owner.vma}
    elif hit.holders:
        holder = hit.holders[0]
        given |= {"pid": holder.pid, "comm": holder.comm, "fd": holder.fd}
    return Evidence(what=what, **({"member": hit.member, "offset": hit.offset} | given | fields))
