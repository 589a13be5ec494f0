"""What a base is: a file system that can be asked for a path of the container."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Protocol

from cryoscope import limits
from cryoscope.checkpoint.archive.member import NO_XATTRS
from cryoscope.errors import LimitExceeded


class BaseFile(NamedTuple):
    """A file of the image; `mode` has no bits of the type, `blocks` gives its bytes.

    `xattrs` is None where they are not known.
    """

    type: str
    mode: int
    size: int
    uid: int
    gid: int
    mtime_ns: int
    blocks: Callable[[], Iterator[bytes]]
    link: str = ""
    device: str | None = None
    xattrs: Mapping[str, bytes] | None = NO_XATTRS


class Holes:
    """The holes of a base's files that are still read as zeros: a header can claim exabytes of them."""

    def __init__(self) -> None:
        self._left = limits.HASHED_HOLES

    def take(self, name: str, size: int, stored: int) -> None:
        """Count a file of which so many bytes are stored; raises `LimitExceeded` where it is too many."""
        holes = max(0, size - stored)
        if holes > self._left:
            raise LimitExceeded(f"{name} has {size} bytes in the base, mostly holes", code="limit.hole")
        self._left -= holes


class Base(Protocol):
    """The image of a container: `name` is what the user called it."""

    @property
    def name(self) -> str: ...

    def find(self, path: bytes) -> BaseFile | None:
        """The file at an absolute path, no link followed; None if there is none."""

    def below(self, path: bytes) -> Iterator[bytes]:
        """The absolute paths of all files below a folder, in any order."""

    def close(self) -> None: ...
