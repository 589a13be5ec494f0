"""`fs`: the files that a container wrote, deleted or held: listed, hashed, read, compared with its image."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive import FileSource, open_archive
from cryoscope.checkpoint.archive.folder import FolderArchive, open_root
from cryoscope.checkpoint.archive.oci import is_image
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.rootfs import FileEntry
from cryoscope.errors import CryoscopeError, Damaged, UsageError
from cryoscope.examine.changes import (
    Base,
    ContentDiff,
    FolderBase,
    compared,
    content_diff,
    image_base,
)
from cryoscope.text import readable
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, Asking, answer, each
from cryoscope.workflows.masking import KEY_BEGINS, KEY_ENDED, KEY_ENDS, KEY_LINES, KeyLines, Masker
from cryoscope.workflows.open import open_checkpoint, unreadable
from cryoscope.workflows.paths import chosen

BASED = ("added", "changed", "metadata", "same")
"""Kinds of change that only a base tells."""


class FsPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `fs ls`, `tree` and `hash`; `base` is what the files were compared with.

    `hidden` counts the files that every container has from its engine, which were left out.
    """

    files: list[FileEntry]
    base: str | None = None
    hidden: int = 0

    def rows(self) -> list[Any]:
        return list(self.files)


class FsDiffPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `fs diff`."""

    base: str
    diffs: list[ContentDiff]

    def rows(self) -> list[Any]:
        return list(self.diffs)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which files: paths or patterns, kinds of change, origins; compared with the image at `base`.

    `hashes` wants the SHA-256 of each, `by_engine` those too that engines make in every container.
    """

    paths: Sequence[str] = ()
    changes: Sequence[str] = ()
    origins: Sequence[str] = ()
    base: str | None = None
    hashes: bool = False
    by_engine: bool = False

    def check(self) -> None:
        """Raise `UsageError` for a kind of change that this cannot tell."""
        asked = [change for change in self.changes if change in BASED]
        if asked and self.base is None:
            raise UsageError(
                f"{asked[0]} files can only be told from others by the container's image",
                hint="give --base IMAGE, or ask for --change written, which is both",
                code="fs.base-needed",
            )


def list_files(targets: Sequence[str], wanted: Wanted, asking: Asking) -> Answer:
    """The files of each target."""
    wanted.check()

    def question(target: str, checkpoint: Checkpoint, base: Base | None, damaged: list[Damaged]) -> FsPart:
        found, hidden = select(checkpoint, wanted, base, damaged)
        files: Sequence[Any] = found
        if wanted.hashes:
            files = list(checkpoint.filesystem.hashes(found))
        return FsPart(archive=readable(target), files=list(files), base=_shown(base), hidden=hidden)

    return answer("fs", *each(targets, _asker(question, wanted, asking)))


def diff_files(targets: Sequence[str], wanted: Wanted, asking: Asking) -> Answer:
    """What changed in the contents of the files of each target."""
    wanted.check()

    def question(
        target: str, checkpoint: Checkpoint, base: Base | None, damaged: list[Damaged]
    ) -> FsDiffPart:
        found, _ = select(checkpoint, wanted, base, damaged)
        # The contents of hard links are told once: an archive can have a million of one file.
        asked = [entry for entry in found if _has_contents(entry) and (wanted.paths or not entry.link)]
        told = (content_diff(checkpoint.filesystem, entry, base) for entry in asked)
        diffs = [masked(diff, asking.masker) for diff in _bounded(told)]
        return FsDiffPart(archive=readable(target), base=_shown(base) or "", diffs=diffs)

    return answer("fs-diff", *each(targets, _asker(question, wanted, asking)))


def _has_contents(entry: FileEntry) -> bool:
    before = entry.before is not None and entry.before.type == "file"
    gone = before and entry.change in ("deleted", "changed")
    return gone or (entry.has_contents and entry.change != "same")


def _bounded(diffs: Iterable[ContentDiff]) -> Iterator[ContentDiff]:
    """The diffs with no more lines in all than `limits.DIFF_LINES_TOTAL`; the others are counted."""
    room = limits.DIFF_LINES_TOTAL
    for diff in diffs:
        over = max(0, len(diff.lines) - room)
        if over:
            shown = diff.lines[:room]
            diff = msgspec.structs.replace(diff, lines=shown, left_out=diff.left_out + over)
        room -= len(diff.lines)
        yield diff


def masked(diff: ContentDiff, masker: Masker) -> ContentDiff:
    """A diff without the secrets in its lines."""
    taken = _in_keys(diff.lines)
    lines = [masker.line(line, end, kept=1) for line, end in zip(diff.lines, taken, strict=True)]
    return msgspec.structs.replace(diff, lines=lines)


def _in_keys(lines: list[str]) -> list[int]:
    """How many characters of each line of a diff are inside a private key, on the side that has more."""
    taken = [0] * len(lines)
    for mark in "-+":
        side, before = KeyLines(), list[int]()
        for at, line in enumerate(lines):
            if line.startswith("@@"):
                before = []
            if line[:1] not in (mark, " "):
                continue
            inside = side.left > 0
            taken[at] = max(taken[at], side.taken(line))
            before.append(at)
            if KEY_ENDS in line:
                hidden = before[-KEY_LINES:] if not inside and _ends_unbegun(line) else []
                for index in hidden:
                    taken[index] = line.find(KEY_ENDS) if index == at else len(lines[index])
                before = []
    return taken


def _ends_unbegun(line: str) -> bool:
    """Whether a line ends a private key that no line shown before began: a hunk may begin inside of one."""
    end = KEY_ENDED.search(line)
    return end is not None and not KEY_BEGINS.search(line, 0, end.start())


Question = Callable[[str, Checkpoint, Base | None, list[Damaged]], Part]


def _asker(question: Question, wanted: Wanted, asking: Asking) -> Callable[[str], tuple[Part, list[Damaged]]]:
    """Opens a target and the base, asks, and gives what was damaged in both."""

    def read(target: str) -> tuple[Part, list[Damaged]]:
        damaged: list[Damaged] = []
        with ExitStack() as stack:
            base = opened_base(wanted.base, stack, damaged)
            checkpoint = stack.enter_context(
                open_checkpoint(
                    target, cache=asking.cache, access=asking.access, progress=asking.progress(target)
                )
            )
            part = question(target, checkpoint, base, damaged)
            return part, list(dict.fromkeys([*checkpoint.damaged, *damaged]))

    return read


def opened_base(path: str | None, stack: ExitStack, damaged: list[Damaged]) -> Base | None:
    """The base at a path, closed with `stack`: an OCI layout, an archive of an image or a root, a folder."""
    if path is None:
        return None
    try:
        base = _base(path, damaged)
    except OSError as error:
        raise unreadable(path, error) from None
    except CryoscopeError as error:
        raise type(error)(f"base {path}: {error.message}", hint=error.hint, code=error.code) from None
    stack.callback(base.close)
    return base


def _base(path: str, damaged: list[Damaged]) -> Base:
    if not os.path.isdir(path):
        return image_base(open_archive(FileSource(path), nesting=1), damaged)
    if not os.path.exists(os.path.join(path, "index.json")):
        return FolderBase(path)
    archive = FolderArchive(path, open_root(path))
    if is_image(archive):
        return image_base(archive, damaged)
    archive.close()
    return FolderBase(path)


def _shown(base: Base | None) -> str | None:
    return None if base is None else readable(base.name)


def select(
    checkpoint: Checkpoint, wanted: Wanted, base: Base | None, damaged: list[Damaged]
) -> tuple[list[FileEntry], int]:
    """The files that are wanted, and how many of them were left out because the engine made them.

    Raises `UsageError` where a path or pattern is of no file.
    """
    entries = chosen(checkpoint.filesystem.entries, wanted.paths)
    named = {entry.path for entry in entries if entry.path in wanted.paths}
    shown = [entry for entry in entries if wanted.by_engine or not entry.by_engine or entry.path in named]
    of_origin = [entry for entry in shown if not wanted.origins or entry.origin in wanted.origins]
    found = compared(checkpoint.filesystem, of_origin, base, damaged)
    kept = [entry for entry in found if not wanted.changes or entry.change in wanted.changes]
    return kept, len(entries) - len(shown)


def contents_of(checkpoint: Checkpoint, path: str, origin: str | None) -> Iterator[bytes]:
    """The bytes of one file; raises `UsageError` where there is no such file."""
    return checkpoint.filesystem.blocks(entry_at(checkpoint, path, origin))


def entry_at(checkpoint: Checkpoint, path: str, origin: str | None) -> FileEntry:
    """The file at a path, one with contents before others; raises `UsageError` if there is none."""
    found = [
        entry
        for entry in chosen(checkpoint.filesystem.entries, [path], exact=True)
        if origin is None or entry.origin == origin
    ]
    if not found:
        raise UsageError(
            f"{readable(path)} has no changed file in {origin}",
            hint="leave out --origin, or see `cryoscope fs ls`",
            code="fs.unknown",
        )
    return next((entry for entry in found if entry.has_contents), found[0])
