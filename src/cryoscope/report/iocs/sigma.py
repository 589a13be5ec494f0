"""Indicators as Sigma rules (specification 2.0) for the logs of Linux hosts.

One rule a category of the taxonomy: programs that were run (`process_creation`), files that were dropped
(`file_event`), addresses and names that were talked to (`network_connection`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

OURS = uuid.UUID("0c8f3c7e-58f4-5d6c-8f5e-2b9f7f0a7d42")
ORDER = ("low", "medium", "high")
STATUS, AUTHOR = "experimental", "Cryoscope"


class Category(NamedTuple):
    """A kind of log: what its rule is called, and which values of which fields come from an indicator."""

    name: str
    title: str
    fields: dict[str, Callable[[Any], list[str]]]


def rules(parts: Iterable[Any]) -> str:
    """The rules as YAML documents, one behind the other; empty where there is nothing to look for."""
    pairs = [(part, ioc) for part in parts for ioc in part.iocs]
    documents = [text for category in CATEGORIES if (text := _rule(category, pairs))]
    return "---\n".join(documents)


def _rule(category: Category, pairs: list[tuple[Any, Any]]) -> str:
    selections: dict[str, list[str]] = {}
    used: list[tuple[Any, Any]] = []
    for field, values_of in category.fields.items():
        for part, ioc in pairs:
            values = values_of(ioc)
            selections.setdefault(field, []).extend(values)
            used += [(part, ioc)] if values else []
    selections = {field: list(dict.fromkeys(values)) for field, values in selections.items() if values}
    return _document(category, selections, used) if selections else ""


def _document(category: Category, selections: dict[str, list[str]], used: list[tuple[Any, Any]]) -> str:
    level = min((ioc.confidence for _, ioc in used), key=ORDER.index)
    archives = ", ".join(dict.fromkeys(part.archive for part, _ in used))
    values = sorted(value for found in selections.values() for value in found)
    lines = [
        f"title: {quoted(category.title)}",
        f"id: {uuid.uuid5(OURS, category.name + repr(values))}",
        f"status: {STATUS}",
        f"description: {quoted(f'Indicators that were found in container checkpoints: {archives}')}",
        f"author: {AUTHOR}",
        f"date: {quoted(max(part.seen for part, _ in used)[:10])}",
        "logsource:",
        f"    category: {category.name}",
        "    product: linux",
        "detection:",
    ]
    for number, (field, found) in enumerate(selections.items()):
        lines += [f"    selection_{number}:", f"        {field}:"]
        lines += [f"            - {quoted(value)}" for value in found]
    lines += ["    condition: 1 of selection_*", "falsepositives:"]
    lines += [f"    - {quoted('Programs and addresses that others use for good reasons')}", f"level: {level}"]
    return "\n".join(lines) + "\n"


# --- fields ------------------------------------------------------------------------------------
def _run(ioc: Any) -> list[str]:
    run = ioc.kind == "path" and any(s.source == "program" for s in ioc.sightings)
    return [plain(ioc.value)] if run else []


def _digest(ioc: Any) -> list[str]:
    return [f"SHA256={ioc.value.upper()}"] if ioc.kind == "sha256" else []


def _dropped(ioc: Any) -> list[str]:
    return [plain(ioc.value)] if ioc.kind == "path" else []


def _address(ioc: Any) -> list[str]:
    return [ioc.value] if ioc.kind == "ip" else []


def _host(ioc: Any) -> list[str]:
    """The name itself and all below it."""
    return [plain(ioc.value), "*." + plain(ioc.value)] if ioc.kind == "domain" else []


CATEGORIES = (
    Category(
        "process_creation",
        "Program Known From A Container Checkpoint",
        {"Image": _run, "Hashes|contains": _digest},
    ),
    Category("file_event", "File Known From A Container Checkpoint", {"TargetFilename": _dropped}),
    Category(
        "network_connection",
        "Address Known From A Container Checkpoint",
        {"DestinationIp": _address, "DestinationHostname": _host},
    ),
)


# --- quoting -----------------------------------------------------------------------------------
def plain(text: str) -> str:
    """A text in which nothing is a wildcard."""
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")


def quoted(text: str) -> str:
    """A text as a double-quoted scalar of YAML 1.2, in ASCII (chapter 7.3.1)."""
    return '"' + "".join(map(_spelled, text)) + '"'


def _spelled(character: str) -> str:
    code = ord(character)
    if character in '"\\':
        return "\\" + character
    if 32 <= code < 127:
        return character
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
