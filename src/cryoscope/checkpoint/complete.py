"""Whether an archive is a complete checkpoint: everything there that its engine writes, to the last byte.

What CRIU writes for each process is in criu/cr-dump.c (`dump_one_task`; a zombie has a core image alone),
for shared memory in criu/shmem.c; the documents beside the images are those that the engines themselves ask
for at a restore.  Pages are not read: a full disk, a killed engine or a cut copy shows in sizes, in ends
and in what is missing.

Codes: complete.archive, .cut, .no-end, .document, .image, .process, .pages, .parent, .files.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from typing import Any

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive, open_archive
from cryoscope.checkpoint.archive.codec import sniff, unpack
from cryoscope.checkpoint.archive.report import Report
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.complete_pages import missing_pages
from cryoscope.checkpoint.criu.imageset import ImageSet
from cryoscope.checkpoint.process.task import ZOMBIES
from cryoscope.checkpoint.rootfs.tars import Held, empty_tars, tars
from cryoscope.errors import CryoscopeError, Damaged

CUT = ("archive.truncated", "archive.compression", "archive.header", "archive.io")
"""Codes of an archive's damage that say that bytes are missing or unreadable."""
HARMLESS = ("archive.duplicate-member", "archive.trailing")
"""Codes that say nothing of what is missing."""

BOTH = ("config.dump", "spec.dump")
DOCUMENTS = {"podman": BOTH, "cri-o": BOTH, "containerd": (*BOTH, "status.dump")}
"""What each engine's own restore reads beside the images; Docker and CRIU write nothing beside them."""
DESCRIPTORS = "descriptors.json"
"""What runc and crun write beside the images, below every engine."""


def missing_from(checkpoint: Checkpoint) -> list[Damaged]:
    """What an archive lacks to be a complete checkpoint; nothing where it is one."""
    return list(dict.fromkeys(islice(_missing(checkpoint), limits.DAMAGED)))


def _missing(checkpoint: Checkpoint) -> Iterator[Damaged]:
    archive, prefix = checkpoint.archive, checkpoint.prefix
    yield from _of_archive(archive)
    yield from _documents(checkpoint)
    try:
        images = checkpoint.images
    except CryoscopeError as error:
        yield Damaged(prefix + "inventory.img", error.message, "complete.image")
        return
    alive = yield from _processes(images)
    yield from missing_pages(checkpoint, alive)
    for record in images.damaged:
        yield Damaged(record.part, record.problem, "complete.image", record.offset)
    yield from _file_tars(archive, prefix)


def _of_archive(archive: Archive) -> Iterator[Damaged]:
    """What the archive's own reader found missing."""
    told = {record.code for record in archive.damaged}
    if not archive.ended and not told & {*CUT, "archive.no-end"}:
        yield Damaged(archive.name, "ends without the two blocks that end a tar", "complete.no-end")
    for record in archive.damaged:
        if record.code in HARMLESS:
            continue
        code = "cut" if record.code in CUT else "no-end" if record.code == "archive.no-end" else "archive"
        yield Damaged(record.part, record.problem, f"complete.{code}", record.offset)


# --- documents ------------------------------------------------------------------------------------
def _documents(checkpoint: Checkpoint) -> Iterator[Damaged]:
    archive, engine = checkpoint.archive, checkpoint.container.engine
    for name in _expected(archive, engine):
        if name not in archive:
            yield Damaged(name, "is missing: the engine writes it", "complete.document")
        elif problem := _unreadable(archive, name):
            yield Damaged(name, problem, "complete.document")
    name = checkpoint.prefix + DESCRIPTORS
    if engine != "criu" and name not in archive:
        yield Damaged(name, "is missing: runtimes write it with the images", "complete.document")
    elif name in archive and (problem := _unreadable(archive, name)):
        yield Damaged(name, problem, "complete.document")


def _expected(archive: Archive, engine: str) -> tuple[str, ...]:
    """Who has one of the two has both: without one of them the engine may not be recognised.

    `ctr` keeps the spec in config.proto, and nothing else beside it.
    """
    if "config.proto" in archive:
        return ()
    return DOCUMENTS.get(engine, BOTH if any(name in archive for name in BOTH) else ())


def _unreadable(archive: Archive, name: str) -> str | None:
    """Why a JSON document cannot be used; None if it can."""
    import msgspec

    try:
        msgspec.json.decode(archive.read(name, limit=limits.JSON_DOCUMENT))
    except CryoscopeError as error:
        return error.message
    except (ValueError, RecursionError):
        return "is no JSON: it was cut short or damaged"
    return None


# --- processes ------------------------------------------------------------------------------------
def _processes(images: ImageSet) -> Generator[Damaged, None, list[int]]:
    """What is missing of each process; gives back the pids of those that have memory."""
    for name in ("inventory", "pstree"):
        if name not in images:
            yield Damaged(f"{images.prefix}{name}.img", "is missing", "complete.image")
    tree = images.messages("pstree.img")[: limits.PROCESSES]
    if not tree and "pstree" in images:
        yield Damaged(f"{images.prefix}pstree.img", "names no process", "complete.image")
    alive: list[int] = []
    for entry in tree:
        yield from _absent(images, entry.pid, [f"core-{entry.pid}"])
        if not _is_zombie(images.first(f"core-{entry.pid}")):
            alive.append(entry.pid)
            yield from _absent(images, entry.pid, _needed(images, entry))
    if alive and not any(name in images for name in ("files", "reg-files")):
        yield Damaged(f"{images.prefix}files.img", "is missing", "complete.image")
    return alive


def _is_zombie(core: Any) -> bool:
    return core is not None and core.HasField("tc") and core.tc.task_state in ZOMBIES


def _needed(images: ImageSet, entry: Any) -> list[str]:
    """Images of a process that runs (of a zombie's threads CRIU writes numbers without meaning).

    A table of descriptors may be another process's (CLONE_FILES).
    """
    pid, ids = entry.pid, images.first(f"ids-{entry.pid}")
    threads = [f"core-{tid}" for tid in entry.threads if tid != pid]
    files = ids.files_id if ids is not None else pid
    return [*threads, f"mm-{pid}", f"pagemap-{pid}", f"fs-{pid}", f"fdinfo-{files}"]


def _absent(images: ImageSet, pid: int, names: Iterable[str]) -> Iterator[Damaged]:
    for name in names:
        if name not in images:
            problem = f"is missing: process {pid} cannot go on without it"
            yield Damaged(f"{images.prefix}{name}.img", problem, "complete.process")


# --- files of the container ---------------------------------------------------------------------
def _file_tars(archive: Archive, prefix: str) -> Iterator[Damaged]:
    """The tars with files of the container that do not end as a tar or gzip does."""
    unread: list[Damaged] = []
    for empty in empty_tars(archive, prefix):
        yield Damaged(empty.part, empty.problem, "complete.files")
    for held in tars(archive, prefix, unread):
        if problem := _broken_end(archive, held):
            yield Damaged(held.member, problem, "complete.files")
    for record in unread:
        yield Damaged(record.part, record.problem, "complete.files")


def _broken_end(archive: Archive, held: Held) -> str | None:
    try:
        return _unpacked_end(archive, held.member) if held.packed else _plain_end(archive, held.member)
    except CryoscopeError as error:
        return error.message


def _plain_end(archive: Archive, name: str) -> str | None:
    """What is wrong with a tar, by its headers alone."""
    inner = open_archive(archive.source(name), nesting=archive.nesting + 1)
    found = [record for record in inner.damaged if record.code not in HARMLESS]
    if found:
        return f"{found[0].part}: {found[0].problem}"
    return None if inner.ended else "ends without the two blocks that end a tar"


def _unpacked_end(archive: Archive, name: str) -> str | None:
    """What is wrong with compressed bytes, where that costs little: those of a layer of gigabytes are
    checked by whoever reads them."""
    source = archive.source(name)
    codec = sniff(source.read_at(0, 16))
    if codec is None or source.size is None or source.size > limits.COMPLETE_UNPACKED:
        return None
    report, unpacked = Report(name), 0
    for block in unpack(source, codec, report, None):
        unpacked += len(block)
        if unpacked > 4 * limits.COMPLETE_UNPACKED:
            return None
    found = [record for record in report.records if record.code not in HARMLESS]
    return found[0].problem if found else None
