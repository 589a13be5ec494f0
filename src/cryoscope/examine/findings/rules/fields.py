"""Field paths: `credentials.uid`, `labels.app`, taken from the records themselves.

A path is made of the names of a record's fields with dots between; a list is looked through element by
element, and behind a field that is a dictionary stands the whole key, dots and all.  What a path gives is
therefore a list of values: none where the checkpoint does not say.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from cryoscope import limits
from cryoscope.errors import UsageError

LEFT_OUT = ("_base64",)
"""Endings of fields that say again what another field says."""

KEY = "KEY"
"""What stands in a list of paths for the key of a dictionary."""

TEXT, NUMBER, TRUTH = "text", "number", "true or false"


class Extra(NamedTuple):
    """A field that no record has: of which type it is, how to get it, and whether that takes long."""

    type: Any
    get: Callable[[Any], Any]
    about: str
    slow: bool = False


class Field(NamedTuple):
    """A path that is there: what its values are, and how to get them of an item."""

    path: str
    kind: str
    values: Callable[[Any], list[Any]]
    slow: bool = False


Step = Callable[[Iterable[Any]], Iterator[Any]]


def resolve(path: str, record: Any, extras: Mapping[str, Extra]) -> Field:
    """The field at `path` of items with a `record` of this type and these extras; raises UsageError."""
    name, _, rest = path.partition(".")
    if len(path) > limits.NAME:
        raise UsageError("a field's name is too long", code="rules.field")
    if name in extras:
        extra = extras[name]
        kind, steps = _walk(inspect.type_info(extra.type), rest, path, record, extras)
        return Field(path, kind, functools.partial(_values, extra.get, steps), extra.slow)
    kind, steps = _walk(inspect.type_info(record), path, path, record, extras)
    return Field(path, kind, functools.partial(_values, lambda item: item.record, steps))


def _values(get: Callable[[Any], Any], steps: list[Step], item: Any) -> list[Any]:
    found: Iterable[Any] = _flat([get(item)])
    for step in steps:
        found = step(found)
    return [value for value in found if value is not None and value is not msgspec.UNSET]


def _flat(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from value
        else:
            yield value


def _attribute(name: str) -> Step:
    return lambda values: _flat(getattr(value, name, None) for value in values)


def _key(name: str) -> Step:
    return lambda values: _flat(value.get(name) for value in values if isinstance(value, dict))


def _walk(
    kind: inspect.Type, rest: str, path: str, record: Any, extras: Mapping[str, Extra]
) -> tuple[str, list[Step]]:
    """What stands at the end of a path, and the steps there."""
    steps: list[Step] = []
    while True:
        kind = _inside(kind)
        if isinstance(kind, inspect.DictType) and rest:
            steps.append(_key(rest))
            kind, rest = kind.value_type, ""
        elif isinstance(kind, inspect.StructType) and rest:
            name, _, rest = rest.partition(".")
            field = next((f for f in kind.fields if f.name == name), None)
            if field is None or _left_out(name) or _absent(field):
                raise _unknown(path, record, extras)
            steps.append(_attribute(name))
            kind = field.type
        else:
            leaf = _leaf(kind)
            if leaf is None or rest:
                raise _unknown(path, record, extras)
            return leaf, steps


def _inside(kind: inspect.Type) -> inspect.Type:
    """What a list holds, or a field that may be null."""
    while True:
        if isinstance(kind, inspect.ListType):
            kind = kind.item_type
        elif isinstance(kind, inspect.UnionType):
            there = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
            kind = there[0]
        else:
            return kind


def _leaf(kind: inspect.Type) -> str | None:
    if isinstance(kind, inspect.BoolType):
        return TRUTH
    if isinstance(kind, inspect.StrType):
        return TEXT
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        return NUMBER
    custom = isinstance(kind, inspect.CustomType) and issubclass(kind.cls, int)
    return NUMBER if custom else None


def _left_out(name: str) -> bool:
    return name.endswith(LEFT_OUT)


def _unknown(path: str, record: Any, extras: Mapping[str, Extra]) -> UsageError:
    known = [name for name, _ in paths(record, extras)]
    inside = [name for name in known if name.startswith(path + ".")]
    close = difflib.get_close_matches(path, known, n=1) or inside
    hint = f"did you mean {close[0]}?" if close else "cryoscope scan --fields names them"
    return UsageError(f"there is no field {path}", hint=hint, code="rules.field")


# --- all of them -------------------------------------------------------------------------------
def paths(record: Any, extras: Mapping[str, Extra]) -> list[tuple[str, str]]:
    """Every path with what its values are; `KEY` stands for keys of dictionaries."""
    found = _below(inspect.type_info(record), "")
    for name, extra in extras.items():
        found += _below(inspect.type_info(extra.type), name)
    return found


def _below(kind: inspect.Type, path: str, depth: int = 0) -> list[tuple[str, str]]:
    kind = _inside(kind)
    leaf = _leaf(kind)
    if leaf is not None:
        return [(path, leaf)]
    before = path + "." if path else ""
    if isinstance(kind, inspect.DictType):
        return _below(kind.value_type, before + KEY, depth + 1)
    if isinstance(kind, inspect.StructType) and depth < 5:
        return [
            row
            for field in kind.fields
            if not _left_out(field.name) and not _absent(field)
            for row in _below(field.type, before + field.name, depth + 1)
        ]
    return []


def _absent(field: inspect.Field) -> bool:
    """Whether the field is only there if it was asked for: it may be missing and has no default."""
    return not field.required and field.default is msgspec.NODEFAULT is field.default_factory
