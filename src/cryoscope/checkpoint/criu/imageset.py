"""The images of one checkpoint: found by name, decoded once, damage collected.

Images are named without folder and without `.img` (`core-1`, `pagemap-shmem-3`, `stats-dump`); with
it is understood as well.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Protocol

from cryoscope import limits
from cryoscope.checkpoint.criu.framing import Entry, Image, parse
from cryoscope.checkpoint.criu.images import base_name, by_file_name
from cryoscope.checkpoint.criu.inventory import check_inventory
from cryoscope.errors import CryoscopeError, Damaged, ImageError

CACHED_BYTES = 16 * limits.MIB
"""Sizes of the images kept decoded, as files; decoded they take about eight times that."""

HEX_IDS = ("ghost-file-", "tcp-stream-")
"""Names whose number is hexadecimal (criu/image-desc.c)."""


class SizedMember(Protocol):
    """What a set asks of an archive's member."""

    @property
    def size(self) -> int: ...


class ImageArchive(Protocol):
    """What a set asks of an archive."""

    @property
    def members(self) -> Mapping[str, SizedMember]: ...
    def names(self, prefix: str, /) -> list[str]: ...
    def __contains__(self, name: str, /) -> bool: ...
    def read(self, name: str, *, limit: int = ..., partial: bool = ...) -> bytes: ...
    def read_at(self, name: str, offset: int, length: int, /) -> bytes: ...
    def parent_of(self, prefix: str, /) -> tuple[Any, str] | None: ...


class ImageSet:
    """The images under `prefix` (`checkpoint/`, or empty) of an archive.

    Nothing here raises for what an image holds: an image that cannot be read is None, one that can be
    read in part is that part, and `damaged` says so, once an image.
    """

    def __init__(self, archive: ImageArchive, prefix: str, *, depth: int = 0) -> None:
        self.archive = archive
        self.prefix = prefix if not prefix or prefix.endswith("/") else prefix + "/"
        self.damaged: list[Damaged] = []
        self._depth = depth
        self._cache: OrderedDict[str, Image] = OrderedDict()
        self._cached = 0
        self._seen: set[str] = set()

    @cached_property
    def _members(self) -> dict[str, str]:
        """Base name to member name; a file with `.img` wins over one without."""
        found: dict[str, str] = {}
        for member in sorted(self.archive.names(self.prefix)):
            inner = member.removeprefix(self.prefix)
            if inner and "/" not in inner and (base_name(inner) not in found or inner.endswith(".img")):
                found[base_name(inner)] = self.prefix + inner
        return found

    @property
    def names(self) -> list[str]:
        """The base names of all files beside each other here, images or not."""
        return list(self._members)

    def __contains__(self, name: str) -> bool:
        return base_name(name) in self._members

    def member(self, name: str) -> str | None:
        """The archive's member that holds an image, or None."""
        return self._members.get(base_name(name))

    def size(self, name: str) -> int:
        """Bytes of an image; 0 if there is none."""
        member = self.member(name)
        return self.archive.members[member].size if member else 0

    def read(self, name: str) -> bytes | None:
        """An image's bytes, or None if it is absent or cannot be read (then `damaged` says so).

        Of an image that the archive cuts short, what is there.
        """
        member = self.member(name)
        if member is None:
            return None
        try:
            return self.archive.read(member, limit=limits.IMAGE)
        except CryoscopeError as problem:
            self.damage(name, problem)
            cut = problem.code == "archive.truncated"
            return self.archive.read(member, limit=limits.IMAGE, partial=True) if cut else None

    def image(self, name: str) -> Image | None:
        """A decoded image; None if it is absent or cannot be decoded at all."""
        key = base_name(name)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        data = self.read(key)
        return None if data is None else self._decode(key, data)

    def _decode(self, key: str, data: bytes) -> Image | None:
        try:
            image = parse(data, name=self._members[key])
            _demand(image, key)
        except CryoscopeError as problem:
            self.damage(key, problem)
            return None
        if key not in self._seen:
            self._seen.add(key)
            self.damaged += image.damaged
        self._keep(key, image, len(data))
        return image

    def _keep(self, key: str, image: Image, size: int) -> None:
        if size > CACHED_BYTES // 4:
            return
        self._cache[key] = image
        self._cached += size
        while self._cached > CACHED_BYTES:
            oldest, _ = self._cache.popitem(last=False)
            self._cached -= self.size(oldest)

    def damage(self, name: str, problem: CryoscopeError) -> None:
        """Records that an image could not be read, the first time that it is found out."""
        key = base_name(name)
        if key not in self._seen:
            self._seen.add(key)
            part = self._members.get(key, self.prefix + key)
            self.damaged.append(Damaged(part=part, problem=problem.message, code=problem.code))

    # --- what is in them ------------------------------------------------------------------------
    def entries(self, name: str) -> list[Entry]:
        """An image's entries; none if there is no such image."""
        image = self.image(name)
        return image.entries if image else []

    def messages(self, name: str) -> list[Any]:
        """The messages of an image's entries."""
        return [entry.message for entry in self.entries(name)]

    def first(self, name: str) -> Any | None:
        """The first message of an image, or None."""
        return next(iter(self.messages(name)), None)

    def matching(self, pattern: str) -> list[tuple[str, int]]:
        """(base name, number at its end) of images such as `core-*`, by number; names without a
        number are left out.  Ghost files' and TCP streams' numbers are hexadecimal."""
        return sorted(self._matching(pattern), key=lambda found: (found[1], found[0]))

    def _matching(self, pattern: str) -> Iterator[tuple[str, int]]:
        for name in self._members:
            if fnmatchcase(name, pattern):
                number = _number(name)
                if number is not None:
                    yield name, number

    @cached_property
    def parent(self) -> ImageSet | None:
        """The set that pages marked PARENT lie in, or None; a chain ends after limits.PARENTS sets."""
        found = self.archive.parent_of(self.prefix)
        if found is None or self._depth >= limits.PARENTS:
            return None
        return ImageSet(found[0], found[1], depth=self._depth + 1)

    @cached_property
    def inventory(self) -> Any | None:
        """The inventory's message, or None if there is none; raises ImageUnsupported for images of a
        version that this release does not know."""
        message = self.first("inventory")
        if message is not None:
            check_inventory(message)
        return message


def _demand(image: Image, name: str) -> None:
    """ImageError for an image of another type than its name says: nobody could use its messages."""
    expected = by_file_name(name)
    if expected is not None and image.type is not expected:
        problem = f"is a {image.type.name} image under the name of a {expected.name} image"
        raise ImageError(problem, code="criu.image-type")


def _number(name: str) -> int | None:
    digits = name.rpartition("-")[2]
    try:
        if not digits.isalnum():
            return None
        return int(digits, 16 if name.startswith(HEX_IDS) else 10)
    except ValueError:
        return None
