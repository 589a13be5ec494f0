"""Indicators as YARA rules, to be looked for in files and memory.

A digest becomes a rule of its own that finds the whole file, or the rows of its bytes wherever they are;
addresses and paths become one rule for each degree of confidence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from cryoscope.text import escape

SHORTEST = 6
"""Characters of a text that is worth looking for: shorter ones stand everywhere."""

TEXTS = {"domain": "fullword nocase", "url": "", "ip": "fullword", "email": "fullword nocase", "path": ""}
"""The kinds that are looked for as texts, with their modifiers."""


def rules(parts: Iterable[Any]) -> str:
    """The rules for all parts as one file; empty where there is nothing to look for."""
    files = list(_files(parts))
    texts = [rule for confidence in ("high", "medium", "low") for rule in _texts(parts, confidence)]
    found = [*(['import "hash"'] if files else []), *files, *texts]
    return "\n\n".join(found) + "\n" if found else ""


def _files(parts: Iterable[Any]) -> Iterator[str]:
    done = set()
    for part in parts:
        for ioc in part.iocs:
            if ioc.kind == "sha256" and ioc.value not in done:
                done.add(ioc.value)
                yield _file(part, ioc)


def _file(part: Any, ioc: Any) -> str:
    meta = {"description": ioc.why, "path": ioc.path or "", "sha256": ioc.value}
    rows = [f"$row{n} = {_row(bytes.fromhex(row))}" for n, row in enumerate(ioc.signature)]
    whole = f'(filesize == {ioc.size or 0} and hash.sha256(0, filesize) == "{ioc.value}")'
    condition = f"{whole} or all of them" if rows else whole
    return _rule(f"file_{ioc.value[:16]}", meta | _origin(part, ioc.confidence), rows, condition)


def _row(data: bytes) -> str:
    """Bytes of a program in hex, lines of a script as text."""
    return quoted(data.decode("ascii")) if data.isascii() and _printable(data) else f"{{ {data.hex(' ')} }}"


def _printable(data: bytes) -> bool:
    return all(byte >= 32 and byte != 127 for byte in data)


def _texts(parts: Iterable[Any], confidence: str) -> Iterator[str]:
    chosen: dict[tuple[str, str], None] = {}
    archives: dict[str, Any] = {}
    for part in parts:
        for ioc in part.iocs:
            if ioc.kind in TEXTS and ioc.confidence == confidence and len(ioc.value) >= SHORTEST:
                chosen[ioc.kind, ioc.value] = None
                archives[part.archive] = part
    if not chosen:
        return
    strings = [
        f"${kind}{n} = {quoted(value)} ascii wide {TEXTS[kind]}".rstrip()
        for n, (kind, value) in enumerate(chosen)
    ]
    digest = hashlib.sha256(repr(list(chosen)).encode("utf-8", "backslashreplace")).hexdigest()[:16]
    meta = {"description": "Addresses and paths that were found in a checkpoint"}
    first = next(iter(archives.values()))
    yield _rule(f"{confidence}_{digest}", meta | _origin(first, confidence), strings, "any of them")


def _origin(part: Any, confidence: str) -> dict[str, str]:
    return {"confidence": confidence, "archive": part.archive, "seen": part.seen}


def _rule(name: str, meta: dict[str, str], strings: list[str], condition: str) -> str:
    lines = [f"rule cryoscope_{name} {{", "    meta:"]
    lines += [f"        {key} = {quoted(escape(value))}" for key, value in meta.items()]
    if strings:
        lines += ["    strings:", *(f"        {text}" for text in strings)]
    return "\n".join([*lines, "    condition:", f"        {condition}", "}"])


def quoted(text: str) -> str:
    """A text as YARA takes it: bytes that are not printable ASCII are spelled in hex."""
    return '"' + "".join(map(_spelled, text.encode("utf-8", "backslashreplace"))) + '"'


def _spelled(byte: int) -> str:
    if byte in b'"\\':
        return "\\" + chr(byte)
    return chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}"
