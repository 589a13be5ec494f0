"""The JSON files that engines put beside the images, read once, bounded, and never trusted.

config.dump, spec.dump, status.dump, status, network.status, bind.mounts, deleted.files.  Who
writes which: docs/formats.md.  `take` is the only way into them: a value of another type than
expected is as good as absent.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive
from cryoscope.errors import CryoscopeError, Damaged

T = TypeVar("T")

SPEC_IN_ANY = "config.proto"
"""The runtime spec as `ctr container checkpoint` keeps it: JSON in a protobuf Any."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""What Unix times count from; `fromtimestamp` would count the leap seconds of some machines' zones."""

GO_ZERO_TIME = "0001-01-01T00:00:00"


class Dumps:
    """The engine's JSON files of one archive by name; an absent or damaged one is None."""

    def __init__(self, archive: Archive, damaged: list[Damaged]) -> None:
        self.archive = archive
        self.damaged = damaged
        self._read: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._read:
            self._read[name] = self._load(name) if self._member(name) else None
        return self._read[name]

    def _member(self, name: str) -> str | None:
        """The archive's member that holds a file: `ctr` wraps the spec in a protobuf message."""
        if name in self.archive:
            return name
        return SPEC_IN_ANY if name == "spec.dump" and SPEC_IN_ANY in self.archive else None

    def take(self, name: str, *path: str | int, kind: type[T]) -> T | None:
        """The value at `path` in file `name` if it is there and of type `kind`."""
        return take(self[name], *path, kind=kind)

    def text(self, name: str, *path: str | int) -> str | None:
        """The string at `path`, or None if it is absent or empty."""
        return self.take(name, *path, kind=str) or None

    def annotation(self, key: str) -> str | None:
        """An annotation of the runtime spec."""
        return self.text("spec.dump", "annotations", key)

    def _load(self, name: str) -> Any:
        member = self._member(name) or name
        try:
            data = self.archive.read(member, limit=limits.JSON_DOCUMENT)
            return msgspec.json.decode(any_value(data) if member == SPEC_IN_ANY else data)
        except CryoscopeError as error:
            self.damaged.append(Damaged(name, error.message, error.code))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            self.damaged.append(Damaged(name, f"is not valid JSON: {error}", "container.json"))
        return None


def any_value(data: bytes) -> bytes:
    """The payload of a protobuf Any (google/protobuf/any.proto): field 2; empty if there is none."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        length, at = _varint(data, at)
        if tag & 7 != 2:  # both fields of an Any have a length; anything else is none
            break
        if tag >> 3 == 2:
            return data[at : at + length]
        at += length
    return b""


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[at : at + 10]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, at + index + 1
    return 0, len(data)


def take(document: Any, *path: str | int, kind: type[T]) -> T | None:
    """The value at `path` in a decoded JSON document if it is there and of type `kind`."""
    for step in path:
        if isinstance(step, str) and isinstance(document, dict):
            document = document.get(step)
        elif isinstance(step, int) and isinstance(document, list) and step < len(document):
            document = document[step]
        else:
            return None
    if isinstance(document, bool) and kind is not bool:
        return None
    return document if isinstance(document, kind) else None


def embedded(text: str | None) -> Any:
    """A JSON document inside a string, as CRI-O keeps in annotations; None if it is none."""
    if not text or len(text) > limits.JSON_DOCUMENT:
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None


def strings(values: Any) -> list[str]:
    """The strings of a list, anything else left out."""
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def string_map(values: Any) -> dict[str, str]:
    """The string values of an object, anything else left out."""
    if not isinstance(values, dict):
        return {}
    return {key: value for key, value in values.items() if isinstance(value, str)}


def moment(text: str | None) -> str | None:
    """An RFC 3339 time in UTC, to the microsecond; None for Go's zero time or no time."""
    if not text or text.startswith(GO_ZERO_TIME):
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return None
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):  # the latter in the first and last hours of the calendar
        return None


def moment_of_ns(nanoseconds: int | None) -> str | None:
    """A Unix time in nanoseconds as RFC 3339 in UTC, to the microsecond; None for 0."""
    if not nanoseconds:
        return None
    try:
        return (EPOCH + timedelta(microseconds=nanoseconds // 1000)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return None


def objects(values: Any) -> list[dict[str, Any]]:
    """The objects of a list, anything else left out."""
    if not isinstance(values, list):
        return []
    return [cast(dict[str, Any], value) for value in values if isinstance(value, dict)]
