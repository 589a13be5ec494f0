"""The documents that every command gives: records under a schema's name.

    {"schema": "cryoscope.<noun>/1", "archives": [one object an archive], "damaged": [...]}

The JSON Schemas in docs/schemas are generated from the parts (`workflows.schemas`); a test fails when
one changes in a way that breaks readers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cryoscope.errors import Damaged
from cryoscope.text import escape_json, readable

ADDRESSES = ("https://", "http://")


def shown(target: str) -> str:
    """What the user named, for people: an address without its query, which may sign it."""
    return readable(target.partition("?")[0] if target.startswith(ADDRESSES) else target)


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a document says of one archive; `archive` is the name the user gave."""

    archive: str

    def __post_init__(self) -> None:
        if "?" in self.archive:
            msgspec.structs.force_setattr(self, "archive", shown(self.archive))

    def rows(self) -> list[Any]:
        """The records that JSON Lines shows one a line."""
        return [self]


class DamagedIn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of an archive that could not be read, or (`part` is "archive") all of it."""

    archive: str
    part: str
    problem: str
    code: str
    offset: int | None = None
    hint: str | None = None


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What a command answers."""

    schema: str
    archives: list[Any]
    damaged: list[DamagedIn]

    def lines(self) -> Iterator[dict[str, Any]]:
        """One object a record for JSON Lines, each naming its archive, damage last."""
        noun = self.schema.removeprefix("cryoscope.").partition("/")[0]
        for part in self.archives:
            for row in part.rows():
                yield {"schema": self.schema, "archive": part.archive} | builtins(row)
        for damaged in self.damaged:
            yield {"schema": f"cryoscope.{noun}.damaged/1"} | builtins(damaged)


def document(noun: str, parts: list[Any], damaged: list[DamagedIn]) -> Document:
    """The document of `noun` over several archives."""
    return Document(schema=f"cryoscope.{noun}/1", archives=parts, damaged=damaged)


def damage(archive: str, found: list[Damaged]) -> list[DamagedIn]:
    """The damage of one archive for a document."""
    return [
        DamagedIn(
            archive=shown(archive),
            part=readable(d.part),
            problem=readable(d.problem),
            code=d.code,
            offset=d.offset,
        )
        for d in found
    ]


def encode(value: Any, *, indent: int = 2) -> bytes:
    """JSON text of a document or record, safe to print to a terminal; `indent` 0 for one line."""
    text = msgspec.json.encode(value, enc_hook=_encode)
    if indent:
        text = msgspec.json.format(text, indent=indent)
    return escape_json(text)


def builtins(record: Any) -> dict[str, Any]:
    """A record as plain objects."""
    found: dict[str, Any] = msgspec.to_builtins(record, enc_hook=_encode)
    return found


def _encode(value: Any) -> Any:
    if isinstance(value, int):  # an `Address`, the one int of a class of its own
        return hex(value)
    raise NotImplementedError(type(value))
