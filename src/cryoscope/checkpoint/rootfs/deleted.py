"""The paths that Podman and CRI-O list as deleted: JSON in deleted.files."""

from __future__ import annotations

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive
from cryoscope.checkpoint.archive.member import normalise
from cryoscope.checkpoint.rootfs.entries import gone, path_of
from cryoscope.checkpoint.rootfs.records import FileEntry
from cryoscope.errors import CryoscopeError, Damaged

DELETED = "deleted.files"


def deleted_in_list(archive: Archive, damaged: list[Damaged]) -> list[FileEntry]:
    """The deleted paths that the archive lists."""
    if DELETED not in archive:
        return []
    try:
        paths = msgspec.json.decode(archive.read(DELETED, limit=limits.JSON_DOCUMENT), type=list[str])
    except CryoscopeError as error:
        damaged.append(Damaged(DELETED, error.message, error.code))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        damaged.append(Damaged(DELETED, "is not a JSON list of paths", "rootfs.deleted-files"))
    else:
        return [gone(path_of("", normalise(path))) for path in paths[: limits.FILES]]
    return []
