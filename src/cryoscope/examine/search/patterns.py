"""What to search for: literals in two encodings, bytes in hex, regular expressions over bytes.

Every pattern ends as a regular expression of Python's `re` over bytes, which says what a match is.
`.` matches any byte; `^` and `$` also match at the beginning and end of a line.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.errors import UsageError

FLAGS = re.DOTALL | re.MULTILINE
ENCODINGS = {"utf-8": "utf-8", "utf-16le": "utf-16-le"}


class Pattern(msgspec.Struct, frozen=True):
    """One thing to search for: its name, the regular expression, and how the text became bytes."""

    name: str
    expression: bytes
    encoding: str = "bytes"
    ignore_case: bool = False

    @property
    def compiled(self) -> re.Pattern[bytes]:
        """The expression that decides what a match is; raises UsageError `search.pattern`."""
        return _compiled(self.expression, self.ignore_case)


@functools.lru_cache(maxsize=4096)
def _compiled(expression: bytes, ignore_case: bool) -> re.Pattern[bytes]:
    try:
        return re.compile(expression, FLAGS | (re.IGNORECASE if ignore_case else 0))
    except (re.error, OverflowError, RecursionError, ValueError) as error:
        shown = expression.decode("utf-8", "backslashreplace")
        raise _bad(f"{shown} is no regular expression: {error}") from None


def _bad(problem: str) -> UsageError:
    hint = "the syntax is that of Python's re over bytes; a plain text needs no -e"
    return UsageError(problem, hint=hint, code="search.pattern")


def literal(
    text: str,
    *,
    name: str | None = None,
    ignore_case: bool = False,
    encodings: Sequence[str] = ("utf-8", "utf-16le"),
) -> list[Pattern]:
    """A text as bytes in each of `encodings`; of ASCII letters `ignore_case` ignores the case."""
    if not text:
        raise _bad("an empty text is everywhere")
    return [
        Pattern(
            name or text,
            re.escape(text.encode(ENCODINGS[encoding], "surrogateescape")),
            encoding,
            ignore_case,
        )
        if encoding == "utf-8"
        else Pattern(name or text, re.escape(_utf16(text)), encoding, ignore_case)
        for encoding in encodings
    ]


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def hexadecimal(digits: str, *, name: str | None = None) -> list[Pattern]:
    """Bytes written as hex digits, with or without spaces and colons between."""
    try:
        data = bytes.fromhex(digits.replace(":", " "))
    except ValueError:
        data = b""
    if not data:
        raise _bad(f"{digits} is not bytes in hex: two digits each, such as 7f454c46")
    return [Pattern(name or digits, re.escape(data), "hex")]


def regex(expression: str, *, name: str | None = None, ignore_case: bool = False) -> list[Pattern]:
    """A regular expression over bytes; raises UsageError where it is none or matches nothing at all."""
    pattern = Pattern(name or expression, expression.encode("utf-8", "surrogateescape"), "bytes", ignore_case)
    if len(pattern.expression) > limits.SEARCH_PATTERN:
        raise _bad(f"a regular expression of {len(pattern.expression)} bytes")
    if pattern.compiled.match(b"") is not None or not _least(pattern):
        raise _bad(f"{expression} matches the empty text, which is everywhere")
    return [pattern]


def _least(pattern: Pattern) -> int:
    """Bytes of the shortest match, as Python's own parser counts them."""
    parser: Any = import_module("re._parser")
    return int(parser.parse(pattern.expression, FLAGS).getwidth()[0])


def pattern_file(text: str, *, ignore_case: bool = False) -> list[Pattern]:
    """The patterns of a file, one a line: `NAME<tab>PATTERN` or only the pattern.

    A pattern is a regular expression, or begins with `text:` or `hex:`.  Empty lines and those that
    begin with `#` say nothing.
    """
    return [pattern for line in text.splitlines() for pattern in _line(line, ignore_case)]


def _line(line: str, ignore_case: bool) -> Iterator[Pattern]:
    if not line.strip() or line.startswith("#"):
        return
    name, tab, rest = line.partition("\t")
    pattern = rest.strip("\t") if tab else line
    kind, _, argument = pattern.partition(":")
    called = name if tab else None
    if kind == "text" and argument:
        yield from literal(argument, name=called, ignore_case=ignore_case)
    elif kind == "hex" and argument:
        yield from hexadecimal(argument, name=called)
    else:
        yield from regex(pattern, name=called, ignore_case=ignore_case)
