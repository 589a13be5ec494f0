"""A kubelet's checkpoint folder, which nobody else tidies: its archives go by rules, nothing else in it does.

    <root-dir>/checkpoints/checkpoint-<pod>_<namespace>-<container>-<RFC 3339, seconds>.tar

A name does not tell where the namespace ends and the container begins: both may hold dashes.  So what an
archive counts among is read from it, and believed only where its name agrees.
"""

from __future__ import annotations

import functools
import os
import stat
import time
from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from cryoscope.errors import CryoscopeError, UsageError
from cryoscope.evidence.clock import now, written
from cryoscope.evidence.retention import Kind, Rule, chosen, unit
from cryoscope.limits import KUBELET_FOLDER
from cryoscope.settings import Retention, settings
from cryoscope.text import readable
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, answer
from cryoscope.workflows.prune import Gone, part_of, rules_of
from cryoscope.workflows.removing import remove
from cryoscope.workflows.roles import allow, operator

YOUNG = 60
"""Seconds since the last write for which a file is taken to be in the making."""
PIN = ".keep"
"""A file of an archive's name and this keeps it (checkpoint-restore-operator has the same)."""


class Archive(msgspec.Struct, frozen=True):
    """A kubelet's archive as it lies; `time` is that of its name, in UTC."""

    folder: str
    name: str
    time: str
    size: int
    written: float
    identity: tuple[int, int]

    @property
    def path(self) -> str:
        return os.path.join(self.folder, self.name)


def prune_folder(folder: str, given: Sequence[Retention] = (), *, dry_run: bool = True) -> Answer:
    """Remove what the rules have go from a kubelet's folder; pinned, open and young archives stay.

    Raises `UsageError` (`prune.folder`, `retention.…`), `Refused` `role.refused`.
    """
    rules = rules_of(given)
    if any(each.per == "case" for each in rules):
        raise UsageError(
            "a kubelet's folder has no cases",
            hint="--per container, pod, namespace or all",
            code="retention.per",
        )
    allow("prune", settings(), operator(settings()))
    archives = [*_archives(folder)]
    free = [each for each in archives if not _pinned(each)]
    doomed = [*chosen(free, ARCHIVE, rules, now())]
    gone = [_gone(archive, why, dry_run=dry_run) for archive, why in doomed]
    parts: list[Part] = [
        part_of(readable(folder), gone, len(archives), dry_run=dry_run, notes=[*_notes(free, rules)])
    ]
    return answer("prune", parts, [], [])


def _archives(folder: str) -> Iterator[Archive]:
    """The archives of a folder: files of a kubelet's names, never links."""
    from cryoscope.engines.collect.names import FILE

    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number == KUBELET_FOLDER:
                    raise UsageError(f"{folder} holds too many files", code="prune.folder")
                if FILE.fullmatch(entry.name) and (found := _archive(folder, entry)):
                    yield found
    except OSError as error:
        raise UsageError(
            f"{readable(folder)}: {error.strerror}",
            hint="name `checkpoints` below the kubelet's --root-dir, and run as root",
            code="prune.folder",
        ) from None


def _archive(folder: str, entry: os.DirEntry[str]) -> Archive | None:
    try:
        status = entry.stat(follow_symlinks=False)
        moment = datetime.fromisoformat(_stamp(entry.name))
    except (FileNotFoundError, ValueError):  # gone meanwhile; the 31st of February
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    identity = status.st_dev, status.st_ino
    return Archive(folder, entry.name, written(moment), status.st_size, status.st_mtime, identity)


def _stamp(name: str) -> str:
    """The time in a name: its last 20 letters, or 25 where that is not UTC."""
    text = name.removesuffix(".tar")
    return text[-20:] if text.endswith("Z") else text[-25:]


def _pinned(archive: Archive) -> bool:
    return os.path.lexists(archive.path + PIN)


def _gone(archive: Archive, why: str, *, dry_run: bool) -> Gone:
    gone = Gone(address=archive.path, name=archive.name, time=archive.time, size=archive.size, why=why)
    if time.time() - archive.written < YOUNG:
        return msgspec.structs.replace(gone, left=f"it was written less than {YOUNG} seconds ago")
    if dry_run:
        return gone
    if _pinned(archive):
        return msgspec.structs.replace(gone, left=f"it was pinned meanwhile ({PIN})")
    left = remove(archive.folder, archive.name, archive.identity)
    return msgspec.structs.replace(gone, left=left, done=left is None)


@functools.lru_cache(KUBELET_FOLDER)
def _whose(archive: Archive) -> tuple[str, str, str] | None:
    """Namespace, pod and container as the archive has them, if its name agrees."""
    from cryoscope.checkpoint.overview import read_overview
    from cryoscope.workflows.open import open_at

    try:
        with open_at(archive.path) as opened:
            found, _ = read_overview(opened)
    except CryoscopeError:
        return None
    if not (found.namespace and found.pod and found.name):
        return None
    stem = f"checkpoint-{found.pod}_{found.namespace}-{found.name}-"
    return (
        (found.namespace, found.pod, found.name)
        if archive.name == f"{stem}{_stamp(archive.name)}.tar"
        else None
    )


def _unit(archive: Archive, per: str) -> object:
    found = _whose(archive)
    return unit(per, *found, place=None) if found else None


ARCHIVE: Kind[Archive] = Kind(lambda each: each.time, lambda each: each.size, _unit)


def _notes(archives: Sequence[Archive], rules: Sequence[Rule]) -> Iterator[str]:
    if all(each.per == "all" for each in rules):
        return
    for archive in archives:
        if _whose(archive) is None:
            yield f"{archive.name}: whose it is cannot be read, so only rules for all of them count it"
