"""Edits of members: JSON documents and CRIU's images, changed in place and written again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from cryoscope.checkpoint.criu.extras import U32
from cryoscope.checkpoint.criu.framing import head_bytes, parse
from cryoscope.checkpoint.criu.messages import encode
from cryoscope.engines import port
from cryoscope.errors import ImageError


def of_json(change: Callable[[Any], None]) -> port.Edit:
    """An edit of a JSON document; `change` alters the decoded one."""

    def edit(data: bytes) -> bytes:
        document = msgspec.json.decode(data)
        change(document)
        return msgspec.json.encode(document)

    return edit


def of_image(name: str, change: Callable[[Any], None]) -> port.Edit:
    """An edit of an image without payloads; `change` alters each message.  Raises `ImageError` for others."""

    def edit(data: bytes) -> bytes:
        image = parse(data, name=name, partial=False)
        if image.type.extra:
            raise ImageError(f"{name} has payloads behind its entries and is not edited")
        out = bytearray(head_bytes(image.type, image.head))
        for entry in image.entries:
            change(entry.message)
            payload = encode(entry.message)
            out += U32.pack(len(payload)) + payload
        return bytes(out)

    return edit


def merged(*edits: port.Edits) -> port.Edits:
    """Several sets of edits as one, in their order: what one changes the next is given."""
    change: dict[str, list[Any]] = {}
    keep: dict[str, list[Any]] = {}
    for one in edits:
        for name, changes in one.change.items():
            change.setdefault(name, []).extend(changes)
        for name, tests in one.keep.items():
            keep.setdefault(name, []).extend(tests)
    drop = list(dict.fromkeys(name for one in edits for name in one.drop))
    add = {name: data for one in edits for name, data in one.add.items()}
    before: dict[str, bytes] = {}
    for one in edits:
        for name, data in one.before.items():
            before[name] = data + before.get(name, b"")
    rename = {old: new for one in edits for old, new in one.rename.items()}
    return port.Edits(change=change, drop=drop, add=add, keep=keep, before=before, rename=rename)
