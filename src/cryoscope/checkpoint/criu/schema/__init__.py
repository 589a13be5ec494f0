"""What CRIU writes, field by field: one line a field, in the tables of this folder's modules.

The numbers, names and types are CRIU's (images/*.proto of its source tree), because they are the
format; the words are ours.  A table is text so that it can be read beside CRIU's files and so that
importing it costs nothing until an image is decoded.

    message core_entry                      a message, then its fields
       1 ! mtype core_entry.march           number, label, name, type, options, # words
    enum core_entry.march X86_64=1 ARM=2    an enumeration, its names and numbers (may continue, indented)

Labels: `!` required, `?` optional, `*` repeated.  Types: protobuf's scalars, an enum or a message.
Options: `=V` the default; and how JSON shows the value, in crit's words: `hex` (for a message: every
integer inside), `ip`, `dev` and `odev` (major:minor, new and old packing), `flags:MAP`, `dict:MAP`,
`conv:unix_name`.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

SCALARS = {
    "int64": 3,
    "uint64": 4,
    "int32": 5,
    "fixed64": 6,
    "fixed32": 7,
    "bool": 8,
    "string": 9,
    "bytes": 12,
    "uint32": 13,
    "sfixed32": 15,
    "sfixed64": 16,
    "sint32": 17,
    "sint64": 18,
}
"""Scalar types and their numbers in FieldDescriptorProto.Type (protobuf, descriptor.proto)."""


class Field(NamedTuple):
    """One field of a message, as a line of a table says it."""

    number: int
    label: str
    name: str
    type: str
    default: str
    shown: tuple[str, ...]

    @property
    def repeated(self) -> bool:
        return self.label == "*"


class Schema(NamedTuple):
    """All messages (name to fields, by number) and enumerations (name to number to name)."""

    messages: dict[str, list[Field]]
    enums: dict[str, dict[int, str]]


@cache
def schema() -> Schema:
    """Everything that the tables say, parsed once."""
    from cryoscope.checkpoint.criu.schema import (
        files,
        memory,
        namespaces,
        registers,
        sockets,
        system,
        tasks,
    )

    found = Schema({}, {})
    for module in (tasks, registers, memory, files, sockets, namespaces, system):
        _read_table(module.TABLE, found)
    return found


def _read_table(table: str, found: Schema) -> None:
    fields: list[Field] = []
    values: dict[int, str] = {}
    for line in table.splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        if words[0] == "message":
            fields = found.messages[words[1]] = []
        elif words[0] == "enum":
            values = found.enums[words[1]] = {}
            _add_values(values, words[2:])
        elif words[0].isdecimal():
            fields.append(_field(words))
        else:
            _add_values(values, words)


def _field(words: list[str]) -> Field:
    number, label, name, kind, *options = words
    default = ""
    if options and options[0].startswith("="):
        default = options.pop(0)[1:]
    return Field(int(number), label, name, kind, default, tuple(options))


def _add_values(values: dict[int, str], pairs: list[str]) -> None:
    for pair in pairs:
        name, _, number = pair.partition("=")
        values[int(number)] = name
