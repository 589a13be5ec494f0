"""The copy of an archive that an engine gets: nothing in it that this project has not written itself.

Members are copied as a stream in the order of the archive, changed, left out and added as the edits say;
the tars inside are written anew entry by entry.  So what the engine's own readers see is what was judged
here: no duplicates, no odd headers, no absolute names, nothing behind the end.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive, Member, TarWriter
from cryoscope.checkpoint.archive.member import normalise
from cryoscope.engines import port
from cryoscope.engines.vetting.layers import BLOCK, Layer
from cryoscope.errors import MemberTooLarge, Refused

MODES, FILE_MODES = 0o7777, 0o777
"""Bits that files in a tar inside keep, and members of the archive itself: no engine needs setuid there."""

ATTRIBUTES = ("user.", "security.capability")
"""Extended attributes that are kept; labels and those of overlayfs are the restoring host's business."""

SPOOLED = 64 * limits.MIB
"""Bytes of a rewritten tar kept in memory; a larger one goes to an unnamed temporary file."""

LEVEL = 1
"""How hard gzip works: the copy lives for one restore."""


def clean_copy(archive: Archive, edits: port.Edits, to: BinaryIO) -> None:
    """Write the cleaned archive as a plain tar.

    Raises `Refused` for an edit that cannot be made, `ArchiveError` where the archive is cut short.
    """
    dropped = set(edits.drop)
    with TarWriter(to) as tar:
        for name, member in archive.members.items():
            if name not in dropped and name not in edits.add and ".." not in name.split("/"):
                _copy(archive, member, edits, tar)
        for name, data in edits.add.items():
            tar.add(name, data, mode=0o600)


def _copy(archive: Archive, member: Member, edits: port.Edits, tar: TarWriter) -> None:
    about = _about(member, FILE_MODES)
    name = edits.rename.get(member.name, member.name)
    if member.type == "directory":
        tar.add_directory(name, **about)
    elif member.type == "symlink":
        tar.add_symlink(name, member.linkname, **about)
    elif member.type in ("file", "hardlink", "other"):
        _copy_file(archive, member, edits, tar, name)


def _copy_file(archive: Archive, member: Member, edits: port.Edits, tar: TarWriter, name: str) -> None:
    about = _about(member, FILE_MODES)
    changes, front = edits.change.get(member.name, []), edits.before.get(member.name, b"")
    if member.name in edits.keep:
        with SpooledTemporaryFile(SPOOLED) as made:
            _write_tree(archive, member, edits.keep[member.name], front, cast(BinaryIO, made))
            made.seek(0)
            tar.add(name, cast(BinaryIO, made), **about)
    elif changes:
        tar.add(name, front + _changed(archive, member.name, changes), **about)
    else:
        whole = cast(BinaryIO, Blocks(_blocks(archive, member, front)))
        tar.add(name, whole, size=len(front) + member.size, **about)


def _blocks(archive: Archive, member: Member, front: bytes) -> Iterator[bytes]:
    if front:
        yield front
    for at in range(0, member.size, BLOCK):
        yield archive.read_at(member.name, at, BLOCK)


def _about(member: Member, bits: int) -> dict[str, Any]:
    return {"mode": member.mode & bits, "uid": member.uid, "gid": member.gid, "mtime_ns": member.mtime_ns}


def _changed(archive: Archive, name: str, changes: list[port.Edit]) -> bytes:
    try:
        data = archive.read(name, limit=limits.IMAGE)
        for change in changes:
            data = change(data)
    except (MemberTooLarge, ValueError, RecursionError) as error:
        raise Refused(
            f"{name} cannot be cleaned: {error}", hint="take the checkpoint again", code="vetting.edit"
        ) from None
    return data


# --- tars inside ------------------------------------------------------------------------------
def _write_tree(
    archive: Archive, member: Member, tests: list[Callable[[Member], bool]], front: bytes, out: BinaryIO
) -> None:
    """A tar inside, packed as it was; to a place of its own, because its size stands before it."""
    layer = Layer(archive, member.name)
    packed = Packed(out) if layer.codec else None
    into = cast(BinaryIO, packed or out)
    into.write(front)
    with TarWriter(into) as tree:
        for entry in layer:
            if all(test(entry) for test in tests):
                _write_entry(layer, entry, tree)
    if packed is not None:
        packed.close()


def _write_entry(layer: Layer, member: Member, tree: TarWriter) -> None:
    about = _about(member, MODES)
    xattrs = {name: value for name, value in member.xattrs.items() if name.startswith(ATTRIBUTES)}
    if member.type == "directory":
        tree.add_directory(member.name, xattrs=xattrs, **about)
    elif member.type == "symlink":
        tree.add_symlink(member.name, member.linkname, **about)
    elif member.type == "hardlink":
        tree.add_hardlink(member.name, normalise(member.linkname), **about)
    elif member.type in ("fifo", "chardev", "blockdev"):
        tree.add_node(member.name, member.type, (member.devmajor, member.devminor), xattrs=xattrs, **about)
    elif member.type == "file":
        data = cast(BinaryIO, Blocks(layer.blocks(member)))
        tree.add(member.name, data, size=member.size, xattrs=xattrs, **about)


class Blocks:
    """Blocks as a file that is read forward."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = b""

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end."""
        if not self._rest:
            self._rest = next(self._blocks, b"")
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


class Packed:
    """A gzip stream (RFC 1952) without name and time, so that the same tree gives the same bytes."""

    def __init__(self, out: BinaryIO | Any) -> None:
        self._out = out
        self._machine = zlib.compressobj(LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)

    def write(self, data: bytes) -> int:
        """Compress and pass on."""
        self._out.write(self._machine.compress(data))
        return len(data)

    def close(self) -> None:
        """End the stream; what it goes to stays open."""
        self._out.write(self._machine.flush())
