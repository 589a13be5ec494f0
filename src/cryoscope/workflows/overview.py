"""`show` and `list`: what each checkpoint is, in one line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial

import msgspec

from cryoscope.checkpoint.overview import Overview, read_overview
from cryoscope.errors import CryoscopeError, Damaged, UsageError
from cryoscope.text import readable
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, Asking, answer, each
from cryoscope.workflows.open import STANDARD_INPUT, open_at, source_at, unreadable

KUBELET_FOLDER = "/var/lib/kubelet/checkpoints"
WORTH_KEEPING = ("tar+", "oci-archive")
"""Forms whose overview costs a pass over the whole file; a plain tar's costs as much as the cache."""

CACHE_FORM = "overview/1"


class OverviewPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `show` and `list`."""

    overview: Overview


def show(targets: Sequence[str], asking: Asking) -> Answer:
    """The overview of each target."""
    return answer("overview", *each(targets, partial(_part, asking=asking)))


def _part(target: str, asking: Asking) -> tuple[OverviewPart, list[Damaged]]:
    found, damaged = overview(target, asking)
    return OverviewPart(archive=readable(target), overview=found), damaged


def overview(target: str, asking: Asking) -> tuple[Overview, list[Damaged]]:
    """The overview of one target and what of it is damaged, from the cache where that may be."""
    key = _key(target) if asking.cache is not None else None
    kept = asking.cache.get(key) if asking.cache is not None and key else None
    if kept is not None:
        try:
            return msgspec.json.decode(kept, type=Overview), []
        except msgspec.DecodeError:
            pass
    with open_at(
        target, cache=asking.cache, access=asking.access, progress=asking.progress(target)
    ) as archive:
        found, damaged = read_overview(archive)
    if asking.cache is not None and key and not damaged and found.form.startswith(WORTH_KEEPING):
        asking.cache.put(key, msgspec.json.encode(found))
    return found, damaged


def _key(target: str) -> str | None:
    if target == STANDARD_INPUT or not os.path.isfile(target):
        return None
    try:
        source = source_at(target)
    except OSError as error:
        raise unreadable(target, error) from None
    try:
        fingerprint = source.fingerprint()
    finally:
        source.close()
    return f"{CACHE_FORM}:{fingerprint}" if fingerprint else None


def checkpoints_in(folder: str) -> list[str]:
    """What in `folder` may be a checkpoint: its files, and folders that hold images; by name.

    Raises `UsageError` if it cannot be listed.
    """
    try:
        with os.scandir(folder) as entries:
            found = [entry.path for entry in entries if _may_be(entry)]
    except OSError as error:
        hint = (
            "run as root: the kubelet's folder is readable by root only"
            if isinstance(error, PermissionError)
            else ("name the folder that holds the checkpoints")
        )
        raise UsageError(f"{folder}: {error.strerror}", hint=hint, code="list.folder") from None
    return sorted(found)


def _may_be(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith("."):
        return False
    if entry.is_file(follow_symlinks=False):
        return True
    inside = ("inventory.img", "checkpoint/inventory.img", "oci-layout")
    return entry.is_dir(follow_symlinks=False) and any(
        os.path.isfile(os.path.join(entry.path, n)) for n in inside
    )


def list_folder(folder: str, asking: Asking) -> tuple[Answer, list[str]]:
    """The overviews of the checkpoints in a folder, and the names of files that are none."""
    parts, damaged, failures = each(checkpoints_in(folder), partial(_part, asking=asking))
    others = [target for target, error in failures if _is_something_else(error)]
    failures = [(target, error) for target, error in failures if not _is_something_else(error)]
    return answer("overview", parts, damaged, failures), others


def _is_something_else(error: CryoscopeError) -> bool:
    return error.code.startswith("archive.no") or error.code == "archive.unreadable"
