"""What a search gives: one record a hit, and what it could not do."""

from __future__ import annotations

import msgspec

from cryoscope.checkpoint.memory import Address

PLACES = {
    "memory": "private pages of the processes",
    "shared": "pages of shared memory, memfd files and System V segments, mapped or not",
    "pipe": "data waiting in pipes and fifos",
    "socket": "data waiting in unix, packet and TCP sockets",
    "tty": "data typed into a terminal and not read",
    "message": "messages waiting in System V queues",
    "ghost": "files that were deleted and still open",
    "rootfs": "files that the container wrote (rootfs-diff.tar)",
    "tmpfs": "contents of tmpfs mounts and of /dev/shm",
    "volume": "contents of volumes that the engine put into the archive",
}
"""Every kind of place that is searched, and what it is."""

IN_PAGES = ("memory", "shared")
IN_FILES = ("rootfs", "tmpfs", "volume")


class Mapping(msgspec.Struct, frozen=True, omit_defaults=True):
    """The mapping that an address lies in, as `cryoscope maps` shows it."""

    start: Address
    end: Address
    perms: str
    kind: str
    path: str | None = None


class Owner(msgspec.Struct, frozen=True):
    """A process that maps the bytes, the address where it does, and the mapping."""

    pid: int
    comm: str
    address: Address
    vma: Mapping


class Holder(msgspec.Struct, frozen=True, omit_defaults=True):
    """A process that holds a pipe, socket, terminal or file open, and its descriptor."""

    pid: int
    comm: str
    fd: int | None = None


class Context(msgspec.Struct, frozen=True):
    """Bytes around a match: as text, as hex, and how many of them stand before the match."""

    before: int
    text: str
    hex: str


class Hit(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One match.

    `pattern` is the name of what was searched, `encoding` how (`utf-8`, `utf-16le`, `hex`, `bytes`
    for a regular expression), `match` the bytes found as text, with `match_base64` where they are not
    UTF-8 text, `size` their number.  `place` is one of `PLACES`; `member` and `offset` say where in
    the archive the first byte lies (of files in a tar in the archive, `path` names the file and the
    offset is that in the member).  `address` and `vma` are those of the first of `processes`;
    `holders` are those of other places, `object` the number of the pipe, socket, terminal, queue or
    shared object.
    """

    pattern: str
    encoding: str
    place: str
    match: str
    match_base64: str | None = None
    size: int
    address: Address | None = None
    vma: Mapping | None = None
    processes: list[Owner] = []
    holders: list[Holder] = []
    object: int | None = None
    path: str | None = None
    member: str | None = None
    offset: int | None = None
    context: Context | None = None


class SearchResult(msgspec.Struct, frozen=True):
    """All hits in the order of pattern, place and address; `counts` by pattern's name.

    `notes` says what was not done as asked (more hits left out, a pattern searched the slow way);
    `complete` is false where the search was stopped before its end.
    """

    hits: list[Hit]
    counts: dict[str, int]
    notes: list[str] = []
    complete: bool = True
