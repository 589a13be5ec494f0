"""Bytes of strangers as text that people and terminals can take.

Two steps that must not be mixed up: `readable` turns bytes into a `str` without loss of meaning
(what is not UTF-8 becomes `\\xff`), and `escape` makes any `str` safe to print: nothing in it can
move a cursor, change a colour, reverse the direction of a line or end it.
"""

from __future__ import annotations

import base64
import re
from typing import Any

UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: \x9b alone starts an escape sequence on some terminals
    "\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"  # lone surrogates cannot be printed, tags cannot be seen
)
"""Characters that a terminal obeys, hides or reorders."""

NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e"}


def readable(data: bytes | str) -> str:
    """`data` as text: UTF-8, with the bytes that are not as `\\xNN`."""
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogateescape")
    return data.decode("utf-8", "backslashreplace")


def with_bytes(field: str, data: bytes | str) -> dict[str, Any]:
    """Keyword arguments `field` (text) and, only where bytes were lost in it, `field_base64`."""
    raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
    try:
        return {field: raw.decode("utf-8")}
    except UnicodeDecodeError:
        return {field: readable(raw), field + "_base64": base64.b64encode(raw).decode("ascii")}


def escape(text: str) -> str:
    """`text` with every character that a terminal would obey, hide or reorder spelled out."""
    return UNSAFE.sub(_spell, text)


def _spell(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if character in NAMED:
        return NAMED[character]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def escape_json(document: bytes) -> bytes:
    """JSON text with the same characters as JSON escapes, which only strings can hold.

    A document that is printed to a terminal is as safe as a table, and stays the same document.
    """
    if document.isascii() and b"\x7f" not in document:
        return document
    text = document.decode("utf-8", "replace")
    return UNSAFE_IN_JSON.sub(_spell_json, text).encode("utf-8")


UNSAFE_IN_JSON = re.compile(UNSAFE.pattern.replace("\x00-\x1f", "", 1))


def _spell_json(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
