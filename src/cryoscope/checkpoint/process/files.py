"""Open files by id, as tasks, descriptors and mappings refer to them.

Since CRIU 3 all of them are in files.img (images/fdinfo.proto, file_entry); before, each kind had
an image of its own.  Whether a file was deleted is told by remap-fpath.img.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from cryoscope.checkpoint.criu.imageset import ImageSet
from cryoscope.checkpoint.criu.names import FD_TYPES, named

BY_TYPE = {
    "REG": "reg",
    "PIPE": "pipe",
    "FIFO": "fifo",
    "INETSK": "isk",
    "UNIXSK": "usk",
    "EVENTFD": "efd",
    "EVENTPOLL": "epfd",
    "INOTIFY": "ify",
    "SIGNALFD": "sgfd",
    "PACKETSK": "psk",
    "TTY": "tty",
    "FANOTIFY": "ffy",
    "NETLINKSK": "nlsk",
    "NS": "nsf",
    "TUNF": "tunf",
    "EXT": "ext",
    "TIMERFD": "tfd",
    "MEMFD": "memfd",
    "BPFMAP": "bpf",
    "PIDFD": "pidfd",
}
"""Kind of file to the field of `file_entry` that describes it."""

OLD_IMAGES = {
    "reg-files.img": "REG",
    "ext-files.img": "EXT",
    "pipes.img": "PIPE",
    "fifo.img": "FIFO",
    "inetsk.img": "INETSK",
    "unixsk.img": "UNIXSK",
    "packetsk.img": "PACKETSK",
    "netlinksk.img": "NETLINKSK",
    "eventfd.img": "EVENTFD",
    "eventpoll.img": "EVENTPOLL",
    "signalfd.img": "SIGNALFD",
    "inotify.img": "INOTIFY",
    "fanotify.img": "FANOTIFY",
    "tty.img": "TTY",
    "ns-files.img": "NS",
    "tunfile.img": "TUNF",
    "timerfd.img": "TIMERFD",
}
"""Images of one kind each, as CRIU wrote them before files.img."""


class File(NamedTuple):
    """One open file: its kind as in CRIU's enum `fd_types`, its entry, and whether it was deleted."""

    id: int
    type: str
    entry: Any
    remap: str | None = None

    @property
    def deleted(self) -> bool:
        """Whether the name had been unlinked while the file was open."""
        return self.remap is not None or bool(getattr(self.entry, "deleted", False))

    @property
    def name(self) -> bytes:
        """The path of a regular file, directory, device or fifo, as in the container."""
        return bytes(getattr(self.entry, "name", b""))


class FileTable:
    """All open files of a checkpoint by id."""

    def __init__(self, images: ImageSet) -> None:
        self._images = images
        self._remaps = {entry.orig_id: _remap_name(entry) for entry in images.messages("remap-fpath.img")}
        self._files = dict(self._old())
        self._files.update(self._new())
        self._memfds = {entry.inode_id: entry for entry in images.messages("memfd.img")}

    def _new(self) -> dict[int, File]:
        files = {}
        for entry in self._images.messages("files.img"):
            kind = named(entry.type, FD_TYPES)
            field = BY_TYPE.get(kind)
            described = getattr(entry, field) if field else entry  # of defaults where it is absent
            files[entry.id] = File(entry.id, kind, described, self._remaps.get(entry.id))
        return files

    def _old(self) -> dict[int, File]:
        return {
            entry.id: File(entry.id, kind, entry, self._remaps.get(entry.id))
            for image, kind in OLD_IMAGES.items()
            for entry in self._images.messages(image)
        }

    def __getitem__(self, file_id: int) -> File | None:
        return self._files.get(file_id)

    def __iter__(self) -> Any:
        return iter(self._files.values())

    def path(self, file_id: int) -> tuple[bytes, bool] | None:
        """Path of the file with this id, and whether it was deleted."""
        file = self._files.get(file_id)
        if file is None:
            return None
        if file.type == "MEMFD":
            return b"/memfd:" + (self.memfd_name(file_id) or b""), True
        return file.name, file.deleted

    def memfd(self, file: File) -> Any:
        """The `memfd_inode_entry` behind a memfd, or None."""
        return self._memfds.get(file.entry.inode_id)

    def memfd_name(self, file_id: int) -> bytes | None:
        """The name that a memfd was created with; None for any other file."""
        file = self._files.get(file_id)
        memfd = self.memfd(file) if file is not None and file.type == "MEMFD" else None
        return bytes(memfd.name) if memfd is not None else None

    def shmid(self, file_id: int) -> int | None:
        """Number of the shared object behind a mapped memfd (pagemap-shmem-<number>.img)."""
        file = self._files.get(file_id)
        memfd = self.memfd(file) if file is not None and file.type == "MEMFD" else None
        return int(memfd.shmid) if memfd is not None else None


def _remap_name(entry: Any) -> str:
    """How a deleted file was saved: `ghost` (its contents), `linked` (another name), `procfs`."""
    return {0: "linked", 1: "ghost", 2: "procfs"}.get(entry.remap_type, "linked")
