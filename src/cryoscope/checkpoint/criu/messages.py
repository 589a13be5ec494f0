"""Message classes, built from the schema's tables at first use, in a descriptor pool of our own.

No code is generated and no version of a compiler is tied to a version of the runtime.  Two things
differ from CRIU's own declaration, so that no image fails to parse and none changes when written
back: `string` fields are bytes (file names need not be UTF-8), enumerations are int32 (a number that
this release does not know is kept).
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cryoscope.checkpoint.criu.schema import SCALARS, Field, Schema, schema

if TYPE_CHECKING:
    from collections.abc import Callable

LABELS = {"?": 1, "!": 2, "*": 3}  # FieldDescriptorProto.Label
MESSAGE, BYTES, INT32 = 11, 12, 5  # FieldDescriptorProto.Type

_POOL_FILE = b"cryoscope-criu"


def message_class(name: str) -> Any:
    """The protobuf class of the CRIU message `name` (`core_entry`, …).

    Raises KeyError for a name that no table has: the caller's mistake, never the image's.
    """
    return _classes()[name]


def decode(name: str, data: bytes) -> Any:
    """The message `name` in `data`; raises ValueError where protobuf raises its DecodeError.

    Required fields may be absent: a damaged image is shown as far as it goes.
    """
    try:
        return _classes()[name].FromString(data)
    except _decode_error() as error:
        raise ValueError(str(error) or "not a protobuf message") from None


def encode(message: Any) -> bytes:
    """The bytes of `message`, fields by number, unknown ones last; required ones may be absent."""
    data: bytes = message.SerializePartialToString()
    return data


@cache
def _decode_error() -> type[Exception]:
    from google.protobuf.message import DecodeError

    error: type[Exception] = DecodeError
    return error


class _Classes(dict[str, Any]):
    """Message classes by name, each made when it is first asked for."""

    def __init__(self, find: Callable[[str], Any], make: Callable[[Any], Any]) -> None:
        self.find, self.make = find, make

    def __missing__(self, name: str) -> Any:
        return self.of(self.find(name))

    def of(self, descriptor: Any) -> Any:
        """protobuf's core wants the classes of all messages inside one before it hands them out."""
        name = descriptor.name
        if name in self:
            return self[name]
        self[name] = made = self.make(descriptor)
        for field in descriptor.fields:
            if field.message_type:
                self.of(field.message_type)
        return made


@cache
def _classes() -> _Classes:
    file = _file_descriptor(schema())
    try:
        return _from_core(file)
    except (ImportError, AttributeError, TypeError, SystemError):
        return _from_public_api(file)


def _from_core(file: bytes) -> _Classes:
    """protobuf's C core, directly: its Python side takes 40 ms to import, the core alone 5 ms."""
    from google.protobuf.message import Message

    core: Any = import_module("google._upb._message")
    pool = core.DescriptorPool()
    pool.AddSerializedFile(file)

    def make(descriptor: Any) -> Any:
        return core.MessageMeta(descriptor.name, (Message,), {"DESCRIPTOR": descriptor, "__module__": None})

    return _Classes(pool.FindMessageTypeByName, make)


def _from_public_api(file: bytes) -> _Classes:
    """The same for a protobuf without the C core, or with another one."""
    from google.protobuf import descriptor_pool, message_factory

    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file)
    return _Classes(pool.FindMessageTypeByName, message_factory.GetMessageClass)


def _file_descriptor(tables: Schema) -> bytes:
    """A serialised FileDescriptorProto (protobuf, descriptor.proto) of all messages."""
    parts = [_text(1, _POOL_FILE)]
    for name, fields in tables.messages.items():
        body = [_text(1, name.encode())]
        body += [_text(2, _field_descriptor(field, tables)) for field in fields]
        parts.append(_text(4, b"".join(body)))
    return b"".join(parts)


def _field_descriptor(field: Field, tables: Schema) -> bytes:
    parts = [_text(1, field.name.encode()), _number(3, field.number), _number(4, LABELS[field.label])]
    default = field.default
    if field.type in tables.enums:
        parts.append(_number(5, INT32))
        numbers = {name: number for number, name in tables.enums[field.type].items()}
        default = str(numbers[default]) if default else ""
    elif field.type in SCALARS:
        kind = SCALARS[field.type]
        parts.append(_number(5, BYTES if field.type == "string" else kind))
    else:
        parts += [_number(5, MESSAGE), _text(6, b"." + field.type.encode())]
    if default:
        parts.append(_text(7, default.encode()))
    return b"".join(parts)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value
