"""The files of the container, joined with what other rooms know of them: mounts, volumes, who uses what."""

from __future__ import annotations

import base64
import stat
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from cryoscope.checkpoint.process import Mount
from cryoscope.checkpoint.process.files import File
from cryoscope.checkpoint.rootfs.by_engine import made_by_engine
from cryoscope.checkpoint.rootfs.entries import KINDS
from cryoscope.checkpoint.rootfs.ghosts import contents, device_number, entry_of_ghost, nameless
from cryoscope.checkpoint.rootfs.records import FileEntry, OpenIn
from cryoscope.checkpoint.rootfs.tars import Held, tmpfs_key, volume_name
from cryoscope.checkpoint.rootfs.tree import FileTree, Surroundings, Unlinked
from cryoscope.errors import Damaged
from cryoscope.text import with_bytes

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint

ROOT, SHM = "/", "/dev/shm"  # noqa: S108


def filesystem_of(checkpoint: Checkpoint, damaged: list[Damaged]) -> FileTree:
    """The files of a checkpoint; what cannot be read of them goes to `damaged`."""
    joins = Joins(checkpoint)
    around = Surroundings(joins.mountpoint, joins.opened, joins.made, joins.unlinked)
    return FileTree(checkpoint.archive, checkpoint.prefix, around, damaged)


class Joins:
    """What the rooms beside `rootfs` know, in the terms of `rootfs`."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._mounts = {mount.id: raw_mountpoint(mount) for mount in reversed(checkpoint.mounts)}
        self._covered = {at.encode("utf-8", "surrogateescape") for at in self._mounts.values()}
        self._used = self._by_place()

    # --- where --------------------------------------------------------------------------------
    def mountpoint(self, held: Held) -> str:
        """Where the root of a tar was seen; a name in round brackets where nothing tells."""
        if held.origin == "rootfs":
            return ROOT
        if held.origin == "devshm":
            return SHM
        found = self._tmpfs(held.member) if held.origin == "tmpfs" else self._volume(held.member)
        return found or f"/({held.member.rpartition('/')[2].partition('.')[0]})"

    def _tmpfs(self, member: str) -> str | None:
        """The first mount of a tmpfs that shows all of it."""
        kind, number = tmpfs_key(member) or ("", 0)
        device = device_number(number)
        for mount in self._checkpoint.mounts:
            if (kind == "device" and mount.device == device and mount.root == ROOT) or (
                kind == "mount" and mount.id == number
            ):
                return raw_mountpoint(mount)
        return None

    def _volume(self, member: str) -> str | None:
        """Where Podman mounted a volume: libpod names it in its configuration, and the spec its folder."""
        name, container = volume_name(member), self._checkpoint.container
        listed: Any = container.facts.get("namedVolumes")
        for volume in listed if isinstance(listed, list) else ():
            if isinstance(volume, dict) and volume.get("volumeName") == name:
                return _folder(volume.get("dest"))
        for mount in container.mounts:
            if mount.source is not None and mount.source.endswith(f"/volumes/{name}/_data"):
                return _folder(mount.destination)
        return None

    # --- who ----------------------------------------------------------------------------------
    def _by_place(self) -> dict[tuple[bytes, str | None], list[OpenIn]]:
        """Users by path and the mount point of the file system that it lies on, None if unknown."""
        found: dict[tuple[bytes, str | None], list[OpenIn]] = {}
        for file_id, users in self._checkpoint.openers.items():
            file = self._checkpoint.files[file_id]
            if file is not None and file.type == "REG" and not file.deleted:
                place = (file.name, self._mounts.get(file.entry.mnt_id))
                found.setdefault(place, []).extend(users)
        return found

    def opened(self, path: bytes, mountpoint: str) -> list[OpenIn]:
        """Who uses the file of a path on the file system mounted there."""
        found = self._used.get((path, mountpoint), []) + self._used.get((path, None), [])
        return sorted(found, key=_user)

    def made(self, entry: FileEntry, mountpoint: str) -> bool:
        """Whether the engine made a file of the file system mounted there."""
        return made_by_engine(entry, mountpoint, self._covered)

    # --- deleted while open -------------------------------------------------------------------
    def unlinked(self) -> Iterator[Unlinked]:
        """Files that had no name any more: CRIU saved their contents, or gave them a name of its own."""
        images = self._checkpoint.images
        ghosts = [*self._checkpoint.ghosts, *nameless(images, self._checkpoint.ghosts)]
        saved: dict[str, list[int]] = {}
        for ghost in ghosts:
            saved.setdefault(ghost.member, []).append(ghost.file_id)
        for member, ghost in {ghost.member: ghost for ghost in reversed(ghosts)}.items():
            read = partial(contents, images, member.rpartition("/")[2])
            yield entry_of_ghost(images, ghost, self._users(saved[member])), read
        for file in self._checkpoint.files:
            if file.type == "REG" and file.remap == "linked":
                yield self._linked(file), None

    def _users(self, file_ids: list[int]) -> list[OpenIn]:
        openers = self._checkpoint.openers
        return sorted((user for file_id in file_ids for user in openers.get(file_id, ())), key=_user)

    def _linked(self, file: File) -> FileEntry:
        """A deleted file that has other names: the archive need not hold it."""
        mode = file.entry.mode if file.entry.HasField("mode") else None
        kind = None if mode is None else KINDS.get(stat.S_IFMT(mode), "file")
        return FileEntry(
            change="held",
            origin="ghost",
            type=kind,
            mode=None if mode is None else stat.filemode(mode),
            size=file.entry.size if kind == "file" and file.entry.HasField("size") else None,
            open_in=self._users([file.id]),
            **with_bytes("path", file.name),
        )


def _user(user: OpenIn) -> tuple[int, str, int]:
    return user.pid, user.how, -1 if user.fd is None else user.fd


def _folder(path: Any) -> str | None:
    return path if isinstance(path, str) and path.startswith("/") else None


def raw_mountpoint(mount: Mount) -> str:
    """A mount point with undecodable bytes as surrogates, as the names of members have them."""
    if mount.mountpoint_base64 is None:
        return mount.mountpoint
    return base64.b64decode(mount.mountpoint_base64).decode("utf-8", "surrogateescape")
