"""Files that the container wrote and that can run, and those that it deleted and still held open."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope import limits
from cryoscope.checkpoint.rootfs.records import FileEntry
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.iocs.asked import Asked
from cryoscope.examine.iocs.noise import EVERYWHERE
from cryoscope.examine.iocs.records import Sighting
from cryoscope.examine.iocs.signature import signature
from cryoscope.text import readable

ELF, SCRIPT = b"\x7fELF", b"#!"
SCRATCH = ("/tmp/", "/var/tmp/", "/dev/shm/", "/run/", "/dev/")  # noqa: S108
"""Folders that no package puts programs into."""

UNNAMED = "/("
"""What stands for the path of a file of which only the contents are known."""

Reason = tuple[str, str]
"""How sure it is that somebody should look for this file elsewhere, and why."""


def collect(asked: Asked) -> None:
    """Digests and paths of such files, and what stands in those that are scripts."""
    chosen = [
        (entry, reason) for entry in asked.checkpoint.filesystem.entries for reason in _asked(asked, entry)
    ]
    chosen.sort(key=lambda pair: ("high", "medium", "low").index(pair[1][0]))
    if len(chosen) > limits.IOC_FILES:
        asked.found.notes.append(f"{len(chosen) - limits.IOC_FILES} changed programs more were not hashed")
        del chosen[limits.IOC_FILES :]
    hashed = asked.checkpoint.filesystem.hashes([entry for entry, _ in chosen])
    for entry, (_, reason) in zip(hashed, chosen, strict=True):
        _file(asked, entry, reason)


def _asked(asked: Asked, entry: FileEntry) -> Iterator[Reason]:
    """The reason to take a file, if there is one; only those that may run are looked into."""
    if not entry.has_contents or not entry.size:
        return
    used = [user.how for user in entry.open_in]
    held = entry.change == "held"
    candidate = held or "exe" in used or "x" in (entry.mode or "") or "s" in (entry.mode or "")
    if not candidate and not entry.path.startswith(SCRATCH):
        return
    head = content(asked, entry, len(ELF))
    runs = head == ELF or head.startswith(SCRIPT)
    if runs or held:
        yield _reason(entry, runs, "exe" in used)


def _reason(entry: FileEntry, runs: bool, running: bool) -> Reason:
    scratch = entry.path.startswith(SCRATCH) or "/." in entry.path
    if running and (entry.change == "held" or scratch):
        return "high", "a process runs it, and it was deleted or lies where no package puts programs"
    if running:
        return "medium", "a process runs it, and the container wrote it"
    if entry.change == "held":
        return "medium" if runs or scratch else "low", "it was deleted and a process still held it open"
    if scratch:
        return "medium", "a program where no package puts programs"
    return "low", "a program that the container wrote"


def content(asked: Asked, entry: FileEntry, limit: int) -> bytes:
    """The first bytes of a file, none where it cannot be read."""
    try:
        return asked.checkpoint.filesystem.read(entry, limit)
    except CryoscopeError as error:
        asked.damaged.append(Damaged(f"{entry.member}: {entry.path}", error.message, error.code))
    return b""


def _file(asked: Asked, entry: FileEntry, reason: Reason) -> None:
    add_file(asked, entry, *reason)
    sample = content(asked, entry, limits.IOC_TEXT)
    if sample.startswith(SCRIPT):
        asked.text(sample, reason[0], "it stands in a script that the container wrote", _sighting(entry))


def add_file(asked: Asked, entry: FileEntry, confidence: str, why: str) -> None:
    """The digest and the path of a file."""
    where = _sighting(entry)
    if entry.sha256 is not None and "sha256" in asked.kinds:
        rows = [row.hex() for row in signature(content(asked, entry, limits.IOC_SAMPLE))]
        facts = {"path": entry.path, "size": entry.size, "signature": rows}
        asked.found.add("sha256", entry.sha256, confidence, why, where, **facts)
    if "path" in asked.kinds and entry.path not in EVERYWHERE and not entry.path.startswith(UNNAMED):
        asked.found.add("path", entry.path, confidence, why, where, size=entry.size)


def _sighting(entry: FileEntry) -> Sighting:
    user = next(iter(sorted(entry.open_in, key=lambda one: one.how != "exe")), None)
    return Sighting(
        source="program" if user is not None and user.how == "exe" else "file",
        pid=user.pid if user else None,
        comm=user.comm if user else None,
        fd=user.fd if user else None,
        path=entry.path,
        member=entry.member,
        offset=entry.offset,
        text=readable(f"{entry.change} {entry.mode or ''}".strip()),
    )
