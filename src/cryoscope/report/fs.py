"""What `fs` shows: a long listing, a tree, digests, differences, what was extracted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryoscope import limits
from cryoscope.checkpoint.rootfs.safe_names import Namer, in_order
from cryoscope.report.table import Table, fit
from cryoscope.report.tree import Outline
from cryoscope.report.units import plural, second, size
from cryoscope.text import escape

USERS = 3
"""Processes named with one file; JSON has them all."""


def files(part: Any, width: int | None) -> Iterator[str]:
    """`fs ls`: one row a file, as `ls -l`, with what happened to it and who uses it."""
    table = Table(
        "CHANGE",
        "MODE",
        "OWNER",
        "SIZE",
        "TIME",
        "ORIGIN",
        "USED BY",
        "DIFFERS",
        "SHA-256",
        "PATH",
        right=("SIZE",),
        spare=("OWNER", "ORIGIN", "TIME", "SHA-256", "USED BY", "DIFFERS", "MODE", "SIZE"),
    )
    for file in part.files:
        table.add(
            file.change,
            file.mode,
            owner(file),
            file.size if file.size is not None else file.device,
            second(file.mtime_ns),
            file.origin,
            users(file),
            ",".join(file.differs),
            file.sha256,
            named(file),
        )
    yield from table.lines(width) if part.files else ["no changed files"]
    if part.hidden:
        text = f"{plural(part.hidden, 'file')} that every container has from its engine left out: --all"
        yield from fit([text], width)


def owner(file: Any) -> str | None:
    """User and group as numbers."""
    return None if file.uid is None else f"{file.uid}:{file.gid}"


def users(file: Any) -> str:
    """The processes that use a file: `1 sh fd 3, 7 nc exe`."""
    said = [
        f"{user.pid} {user.comm} {user.how if user.fd is None else f'fd {user.fd}'}" for user in file.open_in
    ]
    more = len(said) - USERS
    return ", ".join(said[:USERS]) + (f" and {more} more" if more > 0 else "")


def named(file: Any) -> str:
    """The path, and where a link leads."""
    return str(file.path) + (f" -> {file.link}" if file.link else "")


def tree(part: Any, width: int | None) -> Iterator[str]:
    """`fs tree`: the changed files in their folders."""
    root = Outline("/")
    folders: dict[tuple[str, ...], Outline] = {(): root}
    for file in part.files:
        *above, last = _names(file.path)
        _folder(folders, tuple(above)).add(f"{last}{_about(file)}") if file.type != "directory" else _mark(
            folders, (*above, last), file
        )
    yield from root.lines(width)


def _names(path: str) -> list[str]:
    """The names of a path, those deeper than a tree draws in one."""
    parts = path.strip("/").split("/", limits.FILE_DEPTH)
    return parts or [path]


def _folder(folders: dict[tuple[str, ...], Outline], names: tuple[str, ...]) -> Outline:
    """The outline of a folder, made with those above it."""
    have = len(names)
    while names[:have] not in folders:
        have -= 1
    for end in range(have + 1, len(names) + 1):
        folders[names[:end]] = folders[names[: end - 1]].add(names[end - 1] + "/")
    return folders[names]


def _mark(folders: dict[tuple[str, ...], Outline], names: tuple[str, ...], file: Any) -> None:
    outline = _folder(folders, names)
    outline.text += escape(_about(file))


def _about(file: Any) -> str:
    link = f" -> {file.link}" if file.link else ""
    facts = [file.change, *([size(file.size)] if file.size is not None else [])]
    facts += [file.origin] if file.origin not in ("rootfs", "ghost") else []
    return f"{link}  ({', '.join(facts)})"


def sums(part: Any, _width: int | None) -> Iterator[str]:
    """`fs hash --format sums`: what `sha256sum --check` takes in the folder that `fs extract` makes."""
    names = Namer()
    for file in in_order(part.files):
        if file.type == "directory":
            names.folder(file)
        elif file.has_contents:
            name = "/".join(names.file(file))
            if file.sha256 is not None:
                quoted = name.replace("\\", "\\\\")
                yield ("\\" if quoted != name else "") + f"{file.sha256}  {quoted}"


def diffs(part: Any, width: int | None) -> Iterator[str]:
    """`fs diff`: unified diffs of text, a line for anything else."""
    for diff in part.diffs:
        yield from fit([f"{diff.change} {diff.path}: {_sizes(diff)}"], width)
        yield from (escape(line) for line in diff.lines)
        if diff.left_out:
            yield f"({plural(diff.left_out, 'line')} more)"
        yield from fit(diff.notes, width)
    if not part.diffs:
        yield "no contents differ"


def _sizes(diff: Any) -> str:
    if diff.kind in ("same", "unreadable"):
        return str(diff.kind)
    sides = [
        f"{size(count)} {digest[:12]}" if digest else "nothing"
        for count, digest in ((diff.before_size, diff.before_sha256), (diff.size, diff.sha256))
    ]
    return f"{diff.kind}, {sides[0]} -> {sides[1]}"


def extracted(part: Any, width: int | None) -> Iterator[str]:
    """`fs extract`: what was written, and what not."""
    table = Table("FILE", "SIZE", "SHA-256", "PATH", right=("SIZE",), spare=("SHA-256", "PATH"))
    for file in part.files:
        note = "" if file.complete else " (cut short)"
        table.add(file.file + note, file.size, file.sha256, file.path)
    yield from table.lines(width) if part.files else ["no file was written"]
    for left in part.left_out:
        yield from fit([f"not written: {left.path}: {left.reason}"], width)
    yield from fit([f"{part.folder}/manifest.json says all of it"], width)
