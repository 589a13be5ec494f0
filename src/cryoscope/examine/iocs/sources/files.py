"""Files that the container wrote and that can run, and those that it deleted and still held open."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope import limits
from cryoscope.checkpoint.rootfs.records import FileEntry
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.findings.elf import MAGIC
from cryoscope.examine.findings.known.files import program
from cryoscope.examine.iocs.asked import Asked
from cryoscope.examine.iocs.noise import EVERYWHERE
from cryoscope.examine.iocs.records import Sighting
from cryoscope.examine.iocs.signature import signature
from cryoscope.text import readable

SCRATCH = ("/tmp/", "/var/tmp/", "/dev/shm/", "/run/", "/dev/")  # noqa: S108
"""Folders that no package puts programs into."""

UNNAMED = "/("
"""What stands for the path of a file of which only the contents are known."""

Reason = tuple[str, str]
"""How sure it is that somebody should look for this file elsewhere, and why."""


def collect(asked: Asked) -> None:
    """Digests and paths of such files, and what stands in those that are scripts."""
    chosen = [(entry, reason) for entry in _candidates(asked) for reason in _asked(asked, entry)]
    chosen.sort(key=lambda pair: ("high", "medium", "low").index(pair[1][0]))
    if len(chosen) > limits.IOC_FILES:
        asked.found.notes.append(f"{len(chosen) - limits.IOC_FILES} changed programs more were not hashed")
        del chosen[limits.IOC_FILES :]
    hashed = asked.checkpoint.filesystem.hashes([entry for entry, _ in chosen])
    for entry, (_, reason) in zip(hashed, chosen, strict=True):
        _file(asked, entry, reason)


def _candidates(asked: Asked) -> list[FileEntry]:
    """The files that may run, so many as are looked into: those in use first if there are more."""
    found = [entry for entry in asked.checkpoint.filesystem.entries if _may_run(entry)]
    if len(found) > limits.IOC_HEADS:
        more = len(found) - limits.IOC_HEADS
        asked.found.notes.append(f"{more} more changed files that may be programs were not looked into")
        found.sort(key=lambda entry: not (entry.change == "held" or _running(entry)))
    return found[: limits.IOC_HEADS]


def _may_run(entry: FileEntry) -> bool:
    if not entry.has_contents or not entry.size:
        return False
    mode = entry.mode or ""
    marked = entry.change == "held" or _running(entry) or "x" in mode or "s" in mode
    return marked or entry.path.startswith(SCRATCH)


def _running(entry: FileEntry) -> bool:
    return any(user.how == "exe" for user in entry.open_in)


def _asked(asked: Asked, entry: FileEntry) -> Iterator[Reason]:
    """The reason to take a file, if there is one."""
    head = content(asked, entry, len(MAGIC))
    runs = program(head) is not None
    if runs or entry.change == "held":
        yield _reason(entry, runs, _running(entry))


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
    if program(sample) == "script":
        asked.text(sample, reason[0], "it stands in a script that the container wrote", _sighting(entry))


def add_file(asked: Asked, entry: FileEntry, confidence: str, why: str) -> None:
    """The digest and the path of a file."""
    where = _sighting(entry)
    if entry.sha256 is not None and "sha256" in asked.kinds:
        facts = {"path": entry.path, "size": entry.size, "signature": _signature(asked, entry)}
        asked.found.add("sha256", entry.sha256, confidence, why, where, **facts)
    if "path" in asked.kinds and entry.path not in EVERYWHERE and not entry.path.startswith(UNNAMED):
        asked.found.add("path", entry.path, confidence, why, where, size=entry.size)


def _signature(asked: Asked, entry: FileEntry) -> list[str]:
    """The signature of a file with a digest, of those that are alike once."""
    known, digest = asked.signatures, entry.sha256 or ""
    if digest not in known:
        known[digest] = [row.hex() for row in signature(content(asked, entry, limits.IOC_SAMPLE))]
    return known[digest]


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
