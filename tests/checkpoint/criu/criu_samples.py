"""Images for tests: those of the corpus, and invented ones of every type, filled through the schema."""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from struct import pack
from typing import Any

from cryoscope.checkpoint import criu
from cryoscope.checkpoint.criu.framing import head_bytes
from cryoscope.checkpoint.criu.images import ImageType, by_file_name
from cryoscope.checkpoint.criu.messages import encode, message_class
from cryoscope.checkpoint.criu.schema import SCALARS, Field, schema

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Fields = dict[str, Any]


# --- the corpus -----------------------------------------------------------------------------
@cache
def corpus_images(corpus: Path) -> dict[str, bytes]:
    """Every image of the corpus with a magic, by archive and name."""
    return {name: data for name, data in _files(corpus) if by_file_name(name) and data}


def _files(corpus: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(corpus.rglob("*")):
        short = str(path.relative_to(corpus))
        if path.name.endswith((".tar", ".tar.zst")):
            yield from tar_members(path, short)
        elif _is_image(path.name) and path.is_file():
            yield short, path.read_bytes()


def tar_members(path: Path, short: str = "") -> Iterator[tuple[str, bytes]]:
    raw = path.read_bytes()
    if path.name.endswith(".zst"):
        raw = zstd.decompress(raw)
    try:
        with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
            for member in tar:
                if member.isfile() and _is_image(os.path.basename(member.name)):
                    yield f"{short}:{member.name}", tar.extractfile(member).read()
    except tarfile.ReadError:
        assert "truncated" in path.name


def _is_image(name: str) -> bool:
    return (name.endswith(".img") or name.startswith("stats-")) and not name.startswith("pages-")


# --- invented images ------------------------------------------------------------------------
def message(name: str, rng: Random, depth: int = 3, fixed: Fields | None = None) -> Any:
    """A message with all required fields and some others, `fixed` ones as they are given."""
    made = message_class(name)()
    for field in schema().messages[name]:
        if field.name in (fixed or {}) or (field.label != "!" and rng.random() < 0.4):
            continue
        _set(made, field, rng, depth)
    for key, value in (fixed or {}).items():
        setattr(made, key, value)
    return made


def _set(made: Any, field: Field, rng: Random, depth: int) -> None:
    if field.type in SCALARS or field.type in schema().enums:
        values = [scalar(field, rng) for _ in range(rng.randrange(4))] if field.repeated else None
        if values is None:
            setattr(made, field.name, scalar(field, rng))
        else:
            getattr(made, field.name).extend(values)
    elif depth:
        for _ in range(rng.randrange(3) if field.repeated else 1):
            child = message(field.type, rng, depth - 1)
            target = getattr(made, field.name)
            (target.add() if field.repeated else target).CopyFrom(child)
            if not field.repeated:
                target.SetInParent()


def scalar(field: Field, rng: Random) -> Any:
    """A value of the field's type, edges more often than not; of an enum, now and then an unknown one."""
    if field.type in schema().enums:
        return rng.choice([*schema().enums[field.type], 77, -5])
    if field.type == "bool":
        return rng.random() < 0.5
    if field.type in ("string", "bytes"):
        return rng.choice(
            [b"", b"text", b"\0abstract", b"caf\xc3\xa9", b"\xff\xfe raw", b"a\r\nb\nc", rng.randbytes(70)]
        )
    bits = 32 if "32" in field.type else 64
    low = 0 if field.type.startswith(("u", "fixed")) else -(1 << bits - 1)
    high = low + (1 << bits) - 1
    return rng.choice([0, 1, 127, 128, high, low, high - 1, rng.randint(low, high), rng.randrange(1 << 20)])


Payload = Callable[[str, Random, bool], tuple[Any, bytes]]


def _bytes_behind(*lengths: str) -> Payload:
    def make(name: str, rng: Random, first: bool) -> tuple[Any, bytes]:
        sizes = [rng.choice([0, 1, 7, 57, 58, 300]) for _ in lengths]
        return message(name, rng, fixed=dict(zip(lengths, sizes, strict=True))), rng.randbytes(sum(sizes))

    return make


def _semaphores(name: str, rng: Random, first: bool) -> tuple[Any, bytes]:
    count = rng.choice([0, 1, 3, 4, 5])
    data = rng.randbytes(2 * count)
    return message(name, rng, fixed={"nsems": count}), data + bytes(-len(data) % 8)


def _messages(name: str, rng: Random, first: bool) -> tuple[Any, bytes]:
    out, count = b"", rng.choice([0, 1, 3])
    for _ in range(count):
        text = rng.randbytes(rng.choice([0, 1, 8, 15]))
        head = encode(message_class("ipc_msg")(mtype=rng.randrange(1 << 40), msize=len(text)))
        out += pack("<I", len(head)) + head + text + bytes(-len(text) % 8)
    return message(name, rng, fixed={"qnum": count}), out


def _segment(name: str, rng: Random, first: bool) -> tuple[Any, bytes]:
    if rng.random() < 0.5:
        return message(name, rng, fixed={"in_pagemaps": True}), b""
    data = rng.randbytes(rng.choice([0, 3, 4, 9]))
    return message(name, rng, fixed={"in_pagemaps": False, "size": len(data)}), data + bytes(-len(data) % 4)


def _ghost(name: str, rng: Random, first: bool) -> tuple[Any, bytes]:
    if first:
        return message(name, rng, fixed={"chunks": True}), b""
    data = rng.randbytes(rng.choice([0, 1, 100]))
    return message(name, rng, fixed={"len": len(data)}), data


PAYLOADS: dict[str, Payload] = {
    "": lambda name, rng, first: (message(name, rng), b""),
    "pipe": _bytes_behind("bytes"),
    "packet": _bytes_behind("length"),
    "bpfmap": _bytes_behind("keys_bytes", "values_bytes"),
    "tcp": _bytes_behind("inq_len", "outq_len"),
    "semaphores": _semaphores,
    "messages": _messages,
    "shm": _segment,
    "ghost": _ghost,
}


def framed(payload: bytes, extra: bytes = b"") -> bytes:
    return pack("<I", len(payload)) + payload + extra


def image(kind: ImageType, rng: Random, count: int = 2) -> bytes:
    """An image of `kind` with `count` entries, payloads and all."""
    out = head_bytes(kind, kind.head)
    for index in range(count):
        made, extra = PAYLOADS[kind.extra](kind.message_at(index), rng, index == 0)
        out += framed(encode(made), extra)
    return out


def of(name: str, *entries: bytes) -> bytes:
    """An image of the type called `name` out of entries that are framed already."""
    from cryoscope.checkpoint.criu.images import by_name

    kind = by_name(name)
    assert kind is not None
    return head_bytes(kind, kind.head) + b"".join(entries)


def shown(data: bytes) -> dict[str, Any]:
    document: dict[str, Any] = criu.to_json(criu.parse(data, name="x.img"))
    return document


def there_and_back(data: bytes) -> dict[str, Any]:
    """The document of an image, after checking that it gives the image back."""
    document = shown(data)
    text = json.dumps(document)
    assert criu.from_json(json.loads(text)) == data
    assert json.loads(criu.dumps(criu.parse(data, name="x.img"))) == json.loads(text)
    return document


def made(name: str, /, **fields: Any) -> bytes:
    return framed(encode(message_class(name)(**fields)))


def entry(image_name: str, kind: str, /, **fields: Any) -> dict[str, Any]:
    document: dict[str, Any] = there_and_back(of(image_name, made(kind, **fields)))["entries"][0]
    return document
