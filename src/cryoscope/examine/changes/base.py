"""What a base is: a file system that can be asked for a path of the container."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Protocol

from cryoscope.checkpoint.archive.member import NO_XATTRS


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


class Base(Protocol):
    """The image of a container: `name` is what the user called it."""

    @property
    def name(self) -> str: ...

    def find(self, path: bytes) -> BaseFile | None:
        """The file at an absolute path, no link followed; None if there is none."""

    def below(self, path: bytes) -> Iterator[bytes]:
        """The absolute paths of all files below a folder, in any order."""

    def close(self) -> None: ...
