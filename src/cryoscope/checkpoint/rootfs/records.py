"""What the checkpoint knows of one file that the container wrote, deleted or held."""

from __future__ import annotations

import base64

import msgspec

ORIGINS = ("rootfs", "tmpfs", "devshm", "volume", "ghost")
"""Where a file lay, in the order in which `FileTree.find` looks."""

CHANGES = ("added", "changed", "metadata", "same", "written", "deleted", "replaced", "held")
"""Every kind of change; the first four are only told apart by a base."""


class OpenIn(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A process that has a file in use.

    `how` is fd (through the descriptor `fd`), exe (its program), map, cwd or root.
    """

    pid: int
    comm: str
    fd: int | None = None
    how: str = "fd"


class Before(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file as the image has it; `size` in bytes, `mtime_ns` in Unix nanoseconds."""

    type: str
    mode: str | None = None
    size: int | None = None
    uid: int | None = None
    gid: int | None = None
    mtime_ns: int | None = None
    link: str | None = None


class FileEntry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One path of the container that is not as in its image.

    `change` is `written` (added or changed: without a base they look alike), `deleted`, `replaced` (a
    directory whose old contents are gone) or `held` (deleted while open); with a base `added`, `changed`,
    `metadata` (only mode, owner, times or attributes differ) or `same`.  `origin` is one of `ORIGINS`.

    `path` is as the processes in the container see it.  `mode` is written as by ls -l, `size` is in
    bytes (of regular files only), times are in Unix nanoseconds, of which few archives have `atime_ns` and
    `ctime_ns`.  `link` is the target of a link, `device` the numbers of a device.  Extended attributes are
    text or `base64:...`.

    `member` names the archive member that the file's bytes are in, and `offset` their place in it, once
    it is unpacked; None where they lie in parts or are not there.  `by_engine` tells what is in every
    container because its engine makes it there.  With a base, `differs` names what differs (type, content,
    link, device, mode, owner, xattrs, mtime) and `before` says how the file was.
    """

    path: str
    change: str
    origin: str
    path_base64: str | None = None
    type: str | None = None
    mode: str | None = None
    size: int | None = None
    uid: int | None = None
    gid: int | None = None
    uname: str | None = None
    gname: str | None = None
    mtime_ns: int | None = None
    atime_ns: int | None = None
    ctime_ns: int | None = None
    link: str | None = None
    device: str | None = None
    xattrs: dict[str, str] = {}
    sha256: str | None = None
    member: str | None = None
    offset: int | None = None
    open_in: list[OpenIn] = []
    by_engine: bool = False
    differs: list[str] = []
    before: Before | None = None

    @property
    def has_contents(self) -> bool:
        """Whether it is a file whose bytes the archive holds."""
        return self.type in ("file", "hardlink") and self.member is not None and self.change != "deleted"

    @property
    def raw_path(self) -> bytes:
        """The bytes of the path."""
        if self.path_base64 is not None:
            return base64.b64decode(self.path_base64)
        return self.path.encode("utf-8", "surrogateescape")
