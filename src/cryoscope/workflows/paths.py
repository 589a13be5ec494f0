"""Which files a user means: a path, a folder with all below it, or a pattern."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from cryoscope.checkpoint.rootfs import FileEntry
from cryoscope.errors import UsageError
from cryoscope.text import UNSAFE, escape, readable

WILD = re.compile(r"\*\*/?|\*|\?|\[!?\]?[^\]/]*\]")


def chosen(entries: Sequence[FileEntry], paths: Sequence[str], *, exact: bool = False) -> list[FileEntry]:
    """The files that any of the paths means, all of them without one; `exact` takes no patterns.

    In a pattern `*` and `?` stand for characters of one name, `**` for any number of folders; one without
    a slash is of the last name of a path.  Raises `UsageError` for a path of no file.
    """
    if not paths:
        return list(entries)
    wanted = set[int]()
    for path in paths:
        matches = _matcher(path, exact)
        found = [place for place, entry in enumerate(entries) if _matches(matches, entry.path)]
        if not found:
            raise _unknown(path, entries)
        wanted.update(found)
    return [entries[place] for place in sorted(wanted)]


def _matches(matcher: re.Pattern[str], path: str) -> bool:
    """Whether it is meant, as it is or as it is shown: nobody can type a control character."""
    return bool(matcher.fullmatch(path) or (UNSAFE.search(path) and matcher.fullmatch(escape(path))))


def _matcher(path: str, exact: bool) -> re.Pattern[str]:
    if exact or not WILD.search(path):
        name = "/" + readable(path).strip("/")
        return re.compile(re.escape(name) + ("" if exact else "(?:/.*)?") if name != "/" else ".*", re.DOTALL)
    before = "" if path.startswith("/") else "/" if "/" in path else ".*/"
    try:
        return re.compile(before + translated(path), re.DOTALL)
    except re.error:
        raise UsageError(f"{path} is no pattern", hint="write [] as [[]]", code="fs.pattern") from None


def translated(pattern: str) -> str:
    """A pattern as a regular expression."""
    found, at = [], 0
    for match in WILD.finditer(pattern):
        found += [re.escape(pattern[at : match.start()]), _wild(match.group())]
        at = match.end()
    return "".join([*found, re.escape(pattern[at:])])


def _wild(text: str) -> str:
    if text.startswith("**"):
        return "(?:.*/)?" if text.endswith("/") else ".*"
    if text in ("*", "?"):
        return "[^/]*" if text == "*" else "[^/]"
    inside = text[1:-1].replace("\\", "\\\\").replace("[", "\\[")
    return "[" + ("^" + inside[1:] if inside.startswith("!") else inside.replace("^", "\\^")) + "]"


def _unknown(path: str, entries: Iterable[FileEntry]) -> UsageError:
    import difflib

    names = [entry.path for entry in entries][:5000]
    close = difflib.get_close_matches(readable(path), names, n=1)
    hint = f"did you mean {close[0]}?" if close else "`cryoscope fs ls` shows what the container changed"
    return UsageError(f"no changed file is {readable(path)}", hint=hint, code="fs.unknown")
