"""Images <-> crit's JSON.  What differs from crit, and why: docs/differences-from-crit.md.

`from_json(to_json(image))` gives the image's bytes back, whatever was in them.  Where crit's form
cannot (a newer CRIU's fields, unusual encodings, damage), the document carries the rest in members
whose names begin with an underscore.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from operator import attrgetter
from typing import Any

from cryoscope.checkpoint.criu.encoding import from_base64, to_base64
from cryoscope.checkpoint.criu.extras import EXTRAS, U32, ShortError
from cryoscope.checkpoint.criu.framing import Entry, Image, Skipped, head_bytes
from cryoscope.checkpoint.criu.images import HEADS, ImageType, by_name
from cryoscope.checkpoint.criu.messages import decode, encode, message_class
from cryoscope.checkpoint.criu.plans import plan
from cryoscope.errors import ImageError

OURS = ("extra", "_raw", "_raw_extra")
"""Members of an entry that are no fields of its message."""


def to_json(image: Image) -> dict[str, Any]:
    """{"magic": name, "entries": [...]} as `crit show` has it."""
    document: dict[str, Any] = {"magic": image.type.name}
    if image.head != image.type.head:
        document["_head"] = image.head
    document["entries"] = [_show(image.type, index, part) for index, part in enumerate(_parts(image))]
    if image.tail:
        document["_tail"] = to_base64(image.tail)
    return document


def dumps(image: Image, *, pretty: bool = False) -> bytes:
    """`to_json` as UTF-8 text; `pretty` indents by four, as `crit show` does."""
    import msgspec

    text = msgspec.json.encode(to_json(image))
    return msgspec.json.format(text, indent=4) if pretty else text


def from_json(document: dict[str, Any]) -> bytes:
    """The image that a document describes: ours, or crit's own, pretty or not.

    Raises ImageError (`criu.json-invalid`) for a document that describes none, and for one whose
    fields were edited while the bytes they stood for are still beside them (`_raw`).
    """
    try:
        kind, out = _start(document)
        for index, shown in enumerate(_entries(document)):
            out += _read_numbered(kind, index, shown)
        return bytes(out + from_base64(document.get("_tail", "")))
    except (ValueError, RecursionError) as problem:
        what = "nested too deep" if isinstance(problem, RecursionError) else str(problem)
        raise ImageError(
            f"no image can be made of this JSON: {what}",
            hint="compare with what `decode` prints for such an image",
            code="criu.json-invalid",
        ) from None


# --- image to document ----------------------------------------------------------------------
def _parts(image: Image) -> Iterator[Entry | Skipped]:
    if not image.skipped:
        return iter(image.entries)
    return merge(image.entries, image.skipped, key=attrgetter("offset"))


def _show(kind: ImageType, index: int, part: Entry | Skipped) -> dict[str, Any]:
    if isinstance(part, Skipped):
        return {"_raw": to_base64(part.data)}
    name = kind.message_at(index)
    shown = _show_message(name, part.message, part.raw)
    if kind.extra:
        extra = EXTRAS[kind.extra].show(part.extra)
        if extra is not None:
            shown["extra"] = extra
        if part.raw_extra is not None:
            shown["_raw_extra"] = to_base64(part.raw_extra)
    return shown


def _show_message(name: str, message: Any, raw: bytes | None) -> dict[str, Any]:
    plain = plan(name)
    shown = plain.show(message)
    if raw is None and not _is_old_pagemap(name, shown):
        return shown
    plain.add_unknown(message, shown)
    raw = encode(message) if raw is None else raw
    if _is_old_pagemap(name, shown) or _read_message(name, shown)[1] != raw:
        shown["_raw"] = to_base64(raw)
    return shown


def _is_old_pagemap(name: str, shown: dict[str, Any]) -> bool:
    """Whether this is how crit before 4.2 shows an entry: its `nr_pages` is now `compat_nr_pages`."""
    return name == "pagemap_entry" and "nr_pages" in shown and "compat_nr_pages" not in shown


# --- document to image ----------------------------------------------------------------------
def _start(document: Any) -> tuple[ImageType, bytearray]:
    if not isinstance(document, dict):
        raise ValueError("not an object")
    kind = by_name(str(document.get("magic")))
    if kind is None:
        raise ValueError(f"no image type is called {document.get('magic')!r:.60}")
    head = document.get("_head", kind.head)
    if head not in HEADS:
        raise ValueError(f"no image begins with {head!r:.60}")
    return kind, bytearray(head_bytes(kind, head))


def _entries(document: dict[str, Any]) -> list[Any]:
    entries = document.get("entries")
    if not isinstance(entries, list):
        raise ValueError("no list of entries")
    return entries


def _read_numbered(kind: ImageType, index: int, shown: Any) -> bytes:
    try:
        return _read(kind, index, shown)
    except ValueError as problem:
        raise ValueError(f"entry {index}: {problem}") from None


def _read(kind: ImageType, index: int, shown: Any) -> bytes:
    if not isinstance(shown, dict):
        raise ValueError("not an object")
    if shown.keys() == {"_raw"}:
        payload = from_base64(shown["_raw"])
        return U32.pack(len(payload)) + payload
    fields = {name: value for name, value in shown.items() if name not in OURS}
    message, payload = _read_raw(kind.message_at(index), fields, shown)
    return U32.pack(len(payload)) + payload + _read_extra(kind, message, shown)


def _read_raw(name: str, fields: dict[str, Any], shown: dict[str, Any]) -> tuple[Any, bytes]:
    if "_raw" not in shown:
        return _read_message(name, fields)
    raw = from_base64(shown["_raw"])
    message = decode(name, raw)
    expected = plan(name).show(message)
    plan(name).add_unknown(message, expected)
    if fields != expected:
        raise ValueError("edited, but _raw holds the old bytes: take _raw away")
    return message, raw


def _read_message(name: str, fields: dict[str, Any]) -> tuple[Any, bytes]:
    if _is_old_pagemap(name, fields):
        fields = {**fields, "compat_nr_pages": fields["nr_pages"]}
        del fields["nr_pages"]
    message = message_class(name)()
    plan(name).fill(message, fields)
    return message, encode(message)


def _read_extra(kind: ImageType, message: Any, shown: dict[str, Any]) -> bytes:
    if not kind.extra:
        if "extra" in shown:
            raise ValueError(f"{kind.name} has no extra")
        return b""
    codec = EXTRAS[kind.extra]
    if "_raw_extra" not in shown:
        return codec.write(message, shown.get("extra"))
    raw = from_base64(shown["_raw_extra"])
    try:
        extra, end = codec.read(message, raw, 0)
    except ShortError as problem:
        raise ValueError(f"_raw_extra: {problem}") from None
    if end != len(raw) or codec.show(extra) != shown.get("extra"):
        raise ValueError("edited, but _raw_extra holds the old bytes: take _raw_extra away")
    return raw
