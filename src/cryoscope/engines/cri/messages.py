"""Message classes of the CRI, built from the table of `schema` at first use, in a descriptor pool of our own.

No code is generated and no version of a compiler is tied to a version of the runtime (protobuf,
descriptor.proto).
"""

from __future__ import annotations

from functools import cache
from typing import Any

from cryoscope.engines.cri.schema import TABLE

PACKAGE = "runtime.v1"
SCALARS = {"int64": 3, "uint64": 4, "int32": 5, "bool": 8, "string": 9, "bytes": 12, "uint32": 13}
"""Scalar types and their numbers (FieldDescriptorProto.Type)."""
MESSAGE, ENUM = 11, 14
ONE, MANY = 1, 3
"""FieldDescriptorProto.Label."""


def message(name: str, **values: Any) -> Any:
    """A new message; a dict stands for a message in it, a list for a repeated field."""
    return _classes()[name](**values)


def decode(name: str, data: bytes) -> Any:
    """The message `name` in `data`; raises ValueError where it is none."""
    from google.protobuf.message import DecodeError

    try:
        return _classes()[name].FromString(data)
    except DecodeError as error:
        raise ValueError(str(error) or "not a protobuf message") from None


def encode(found: Any) -> bytes:
    """The bytes of a message."""
    data: bytes = found.SerializeToString()
    return data


@cache
def _classes() -> dict[str, Any]:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="cryoscope-cri", package=PACKAGE, syntax="proto3")
    blocks = [block.split("\n") for block in _blocks(TABLE)]
    enums = {
        head.split()[1]: " ".join([*head.split()[2:], *rest]) for head, *rest in blocks if _is(head, "enum")
    }
    for name, values in enums.items():
        _enum(file.enum_type.add(name=name), values)
    for head, *rest in blocks:
        if _is(head, "message"):
            made = file.message_type.add(name=head.split()[1])
            for line in rest:
                _field(made, *line.split(), enums=enums.keys())
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        each.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{each.name}"))
        for each in file.message_type
    }


def _blocks(table: str) -> list[str]:
    """The table's messages and enumerations, each with its lines."""
    found: list[str] = []
    for line in filter(None, map(str.rstrip, table.splitlines())):
        if line.startswith(" "):
            found[-1] += "\n" + line
        else:
            found.append(line)
    return found


def _is(head: str, kind: str) -> bool:
    return head.split()[0] == kind


def _enum(made: Any, values: str) -> None:
    for pair in values.split():
        name, _, number = pair.partition("=")
        made.value.add(name=name, number=int(number))


def _field(made: Any, number: str, name: str, kind: str, *, enums: Any) -> None:
    field = made.field.add(
        name=name, number=int(number), label=MANY if kind == "map" or kind[0] == "*" else ONE
    )
    kind = kind.lstrip("*")
    if kind == "map":
        kind = _map(made, name)
    if kind in SCALARS:
        field.type = SCALARS[kind]
        return
    field.type = ENUM if kind in enums else MESSAGE
    field.type_name = f".{PACKAGE}.{kind}"


def _map(made: Any, name: str) -> str:
    """The entry that a map of strings is on the wire; returns the name of its type."""
    entry = name.title().replace("_", "") + "Entry"
    nested = made.nested_type.add(name=entry)
    nested.options.map_entry = True
    nested.field.add(name="key", number=1, type=SCALARS["string"], label=ONE)
    nested.field.add(name="value", number=2, type=SCALARS["string"], label=ONE)
    return f"{made.name}.{entry}"
