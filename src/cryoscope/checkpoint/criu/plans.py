"""Messages <-> dictionaries: for each message, what to do with each field, worked out once.

Beside crit's fields a dictionary may have two of ours, so that nothing is lost: `_base64`, the exact
bytes of texts that are not UTF-8 (the field itself then holds an escaped form), and `_unknown`, the
fields that a newer CRIU wrote and this release does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryoscope.checkpoint.criu.encoding import from_base64, to_base64
from cryoscope.checkpoint.criu.messages import encode, message_class
from cryoscope.checkpoint.criu.schema import Field, Schema, schema
from cryoscope.checkpoint.criu.shown import Form, escaped, form, read_addresses, show_addresses

_PLANS: dict[tuple[str, bool], Plan] = {}


def plan(name: str, hexed: bool = False) -> Plan:
    """How the message `name` is shown and read; `hexed`: with every integer in hex, as crit does
    inside a field marked so."""
    key = name, hexed
    if key not in _PLANS:
        _PLANS[key] = Plan()
        _PLANS[key].prepare(name, hexed)
    return _PLANS[key]


class Plan:
    """One message's fields: `show` makes a dictionary of a message, `fill` a message of one."""

    def prepare(self, name: str, hexed: bool) -> None:
        tables = schema()
        self.name = name
        self.fields = {field.name: field for field in tables.messages[name]}
        self.inner: dict[str, Plan] = {}
        self.forms: dict[str, Form] = {}
        for field in self.fields.values():
            if field.type in tables.messages:
                self.inner[field.name] = plan(field.type, hexed or "hex" in field.shown)
            else:
                self.forms[field.name] = form(field, tables, hexed)
        descriptors = message_class(name).DESCRIPTOR.fields
        self.table = {fd: (fd.name, self._shower(self.fields[fd.name], tables)) for fd in descriptors}

    def _shower(self, field: Field, tables: Schema) -> Callable[[Any], Any] | None:
        if "ip" in field.shown:
            return lambda values: show_addresses(list(values))
        if field.type in tables.messages:
            show: Callable[[Any], Any] | None = self.inner[field.name].show
        else:
            show = self.forms[field.name].show
        if not field.repeated:
            return show
        return list if show is None else _each(show)

    # --- message to dictionary ------------------------------------------------------------------
    def show(self, message: Any) -> dict[str, Any]:
        """The fields that are set, by number, in crit's form."""
        out: dict[str, Any] = {}
        table = self.table
        try:
            for descriptor, value in message.ListFields():
                name, convert = table[descriptor]
                out[name] = value if convert is None else convert(value)
        except ValueError:
            return self._show_inexact(message)
        return out

    def _show_inexact(self, message: Any) -> dict[str, Any]:
        out: dict[str, Any] = {}
        exact: dict[str, Any] = {}
        for descriptor, value in message.ListFields():
            name, convert = self.table[descriptor]
            try:
                out[name] = value if convert is None else convert(value)
            except ValueError:
                out[name], exact[name] = _escape(self.fields[name], value)
        out["_base64"] = exact
        return out

    def add_unknown(self, message: Any, shown: dict[str, Any]) -> None:
        """Puts the unknown fields of the message, and of all inside it, into what `show` gave."""
        for name, inner in self.inner.items():
            if name not in shown:
                continue
            if self.fields[name].repeated:
                for child, part in zip(getattr(message, name), shown[name], strict=True):
                    inner.add_unknown(child, part)
            else:
                inner.add_unknown(getattr(message, name), shown[name])
        unknown = _unknown_fields(message)
        if unknown:
            shown["_unknown"] = to_base64(unknown)

    # --- dictionary to message ------------------------------------------------------------------
    def fill(self, message: Any, shown: Any) -> None:
        """Sets the message's fields; raises ValueError naming the field that does not fit."""
        if not isinstance(shown, dict):
            raise ValueError(f"{type(shown).__name__} instead of an object")
        for name, value in shown.items():
            try:
                self._fill_one(message, name, value, shown)
            except TypeError as problem:
                raise ValueError(f"{name}: {problem}") from None
            except ValueError as problem:
                raise ValueError(f"{name}: {problem}") from None

    def _fill_one(self, message: Any, name: str, value: Any, shown: dict[str, Any]) -> None:
        if name == "_unknown":
            _merge(message, from_base64(value))
        elif name == "_base64":
            self._fill_exact(message, value, shown)
        elif name not in self.fields:
            raise ValueError(f"{self.name} has no such field")
        elif name not in shown.get("_base64", ()):
            self._fill_field(message, self.fields[name], value)

    def _fill_field(self, message: Any, field: Field, value: Any) -> None:
        if field.repeated and not isinstance(value, list):
            raise ValueError(f"{type(value).__name__} instead of a list")
        if field.name in self.inner:
            inner, target = self.inner[field.name], getattr(message, field.name)
            if field.repeated:
                for part in value:
                    inner.fill(target.add(), part)
            else:
                target.SetInParent()
                inner.fill(target, value)
        elif "ip" in field.shown:
            getattr(message, field.name).extend(read_addresses(value))
        elif field.repeated:
            getattr(message, field.name).extend(map(self.forms[field.name].read, value))
        else:
            setattr(message, field.name, self.forms[field.name].read(value))

    def _fill_exact(self, message: Any, exact: Any, shown: dict[str, Any]) -> None:
        if not isinstance(exact, dict):
            raise ValueError("not an object of fields")
        for name, text in exact.items():
            field = self.fields.get(name)
            if field is None or field.type not in ("string", "bytes"):
                raise ValueError(f"{name} is no text of {self.name}")
            value = [from_base64(one) for one in text] if field.repeated else from_base64(text)
            if _escape(field, value)[0] != shown.get(name):
                raise ValueError(f"{name} was edited: take it out of _base64")
            if field.repeated:
                getattr(message, name).extend(value)
            else:
                setattr(message, name, value)


def _each(show: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda values: [show(value) for value in values]


def _escape(field: Field, value: Any) -> tuple[Any, Any]:
    """What is shown, and the exact bytes in base64, of one text or of a list of them."""
    if field.repeated:
        return [escaped(field, one) for one in value], [to_base64(one) for one in value]
    return escaped(field, value), to_base64(value)


def _unknown_fields(message: Any) -> bytes:
    alone = type(message)()
    alone.CopyFrom(message)
    for descriptor, _ in alone.ListFields():
        alone.ClearField(descriptor.name)
    return encode(alone)


def _merge(message: Any, fields: bytes) -> None:
    from google.protobuf.message import DecodeError

    try:
        message.MergeFromString(fields)
    except DecodeError:
        raise ValueError("no protobuf fields") from None
