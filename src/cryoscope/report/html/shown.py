"""Words and numbers of a page: everything that comes out of an archive is made safe here.

A page is safe in two steps: what could hide, reorder or move text is spelled out (`cryoscope.text.escape`),
then the template escapes HTML.  Text that goes into the data block takes the first step here and is only
ever shown as `textContent`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cryoscope import limits
from cryoscope.report.units import plural, size
from cryoscope.text import escape

__all__ = ["command", "owner", "percent", "plural", "short", "size", "text"]


def text(value: Any) -> str:
    """Any value as one line of bounded length that hides nothing."""
    words = "" if value is None else str(value)
    if len(words) > limits.REPORT_TEXT:
        words = words[: limits.REPORT_TEXT] + "…"
    return escape(words)


def short(value: Any, length: int = 60) -> str:
    """The beginning of a text, for drawings."""
    words = text(value)
    return words if len(words) <= length else words[: length - 1] + "…"


def command(process: Any) -> str:
    """The command line of a process, or its name in brackets."""
    return text(process.command)


def owner(file: Any) -> str | None:
    """User and group of a file, as names where the archive has them."""
    return None if file.uid is None else f"{file.uname or file.uid}:{file.gname or file.gid}"


def percent(part: float, whole: float) -> str:
    """A share as SVG takes it: `12.5%`."""
    return f"{100 * part / whole:.3f}".rstrip("0").rstrip(".") + "%" if whole else "0%"


def first(items: Iterable[Any], count: int) -> list[Any]:
    """The first few of many."""
    found: list[Any] = []
    for item in items:
        if len(found) >= count:
            break
        found.append(item)
    return found
