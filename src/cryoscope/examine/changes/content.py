"""What changed in a file: a unified diff of text, sizes and digests of anything else.

Neither side is trusted, and a comparison of lines takes time that grows with both: what the files begin
and end with alike is left out first, and where too much is left in between it is shown as replaced.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Iterator

from cryoscope import limits
from cryoscope.checkpoint.rootfs import FileEntry, FileTree
from cryoscope.errors import CryoscopeError
from cryoscope.examine.changes.base import Base, BaseFile
from cryoscope.examine.changes.records import ContentDiff

CONTEXT = 3
NO_NEWLINE = "\\ No newline at end of file"


def content_diff(tree: FileTree, entry: FileEntry, base: Base | None) -> ContentDiff:
    """What changed in the contents of one file; an added one is compared with nothing."""
    found = base.find(entry.raw_path) if base is not None and entry.origin == "rootfs" else None
    before = found if found is not None and found.type == "file" else None
    try:
        return _diff(tree, entry, before)
    except CryoscopeError as error:
        return _about(entry, kind="unreadable", notes=[error.message])


def _about(entry: FileEntry, kind: str, **more: object) -> ContentDiff:
    fields: dict[str, object] = {
        "path": entry.path,
        "path_base64": entry.path_base64,
        "change": entry.change,
        "kind": kind,
    }
    return ContentDiff(**(fields | more))  # type: ignore[arg-type]


def _diff(tree: FileTree, entry: FileEntry, before: BaseFile | None) -> ContentDiff:
    there = entry.has_contents
    new = _Side(tree.blocks(entry)) if there else _Side(())
    old = _Side(before.blocks()) if before is not None else _Side(())
    sizes = {
        "size": new.size if there else None,
        "sha256": new.sha256 if there else None,
        "before_size": old.size if before is not None else None,
        "before_sha256": old.sha256 if before is not None else None,
    }
    if there and before is not None and new.sha256 == old.sha256:
        return _about(entry, "same", **sizes)
    if new.text is None or old.text is None:
        return _about(entry, "binary", **sizes)
    lines = list(unified(old.text, new.text))
    shown = lines[: limits.DIFF_LINES]
    return _about(entry, "text", lines=shown, left_out=len(lines) - len(shown), **sizes)


class _Side:
    """The size and digest of a file, and its text, if it is some that is short enough."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        digest, kept = hashlib.sha256(), bytearray()
        self.size = 0
        for block in blocks:
            digest.update(block)
            self.size += len(block)
            if self.size <= limits.DIFF_FILE:
                kept += block
        self.sha256 = digest.hexdigest()
        self.text = kept.decode("utf-8", "backslashreplace") if self._is_text(kept) else None

    def _is_text(self, data: bytearray) -> bool:
        if self.size > limits.DIFF_FILE or b"\0" in data:
            return False
        broken = len(data) - len(data.decode("utf-8", "ignore").encode("utf-8"))
        return broken * 10 <= len(data)


def unified(old: str, new: str) -> Iterator[str]:
    """The hunks of a unified diff, each line without its end."""
    a, b = _split(old), _split(new)
    for group in _groups(a, b):
        yield _heading(group)
        for tag, low, high, start, end in group:
            if tag == "equal":
                yield from _lines(" ", a, low, high)
                continue
            yield from _lines("-", a, low, high)
            yield from _lines("+", b, start, end)


def _split(text: str) -> list[str]:
    """Lines with their ends; the last may have none."""
    *whole, rest = text.split("\n")
    return [line + "\n" for line in whole] + ([rest] if rest else [])


Code = tuple[str, int, int, int, int]


def _groups(a: list[str], b: list[str]) -> Iterator[list[Code]]:
    """Opcodes as of difflib, in hunks with lines around them."""
    head = _common(a, b)
    tail = _common(a[head:][::-1], b[head:][::-1])
    low, high, end = head, len(a) - tail, len(b) - tail
    keep = min(CONTEXT, head)
    if (high - low) * (end - low) > limits.DIFF_WORK:
        codes: list[Code] = [("replace", low, high, low, end)]
    else:
        matcher = difflib.SequenceMatcher(None, a[low:high], b[low:end], autojunk=False)
        codes = [(tag, i + low, j + low, k + low, m + low) for tag, i, j, k, m in matcher.get_opcodes()]
    codes = [("equal", low - keep, low, low - keep, low), *codes]
    more = min(CONTEXT, tail)
    codes.append(("equal", high, high + more, end, end + more))
    yield from _hunks([code for code in codes if code[1] < code[2] or code[3] < code[4]])


def _hunks(codes: list[Code]) -> Iterator[list[Code]]:
    """Groups of changes no more than two contexts apart."""
    hunk: list[Code] = []
    for code in codes:
        tag, low, high, start, end = code
        if tag == "equal" and high - low > 2 * CONTEXT:
            if hunk:
                yield [*hunk, (tag, low, low + CONTEXT, start, start + CONTEXT)]
            hunk = [(tag, high - CONTEXT, high, end - CONTEXT, end)]
        else:
            hunk.append(code)
    if any(code[0] != "equal" for code in hunk):
        yield hunk


def _common(a: list[str], b: list[str]) -> int:
    """Lines that both begin with."""
    count = 0
    for one, other in zip(a, b, strict=False):
        if one != other:
            break
        count += 1
    return count


def _heading(group: list[Code]) -> str:
    old, new = _range(group[0][1], group[-1][2]), _range(group[0][3], group[-1][4])
    return f"@@ -{old} +{new} @@"


def _range(low: int, high: int) -> str:
    if high - low == 1:
        return str(low + 1)
    return f"{low + (high > low)},{high - low}"


def _lines(mark: str, lines: list[str], low: int, high: int) -> Iterator[str]:
    for line in lines[low:high]:
        yield mark + line.removesuffix("\n")
        if not line.endswith("\n"):
            yield NO_NEWLINE
