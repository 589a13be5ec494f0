"""Makers of archives that mean harm, for test_hostile.py.  Headers are packed here, not by the product."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cryoscope.checkpoint.criu.framing import head_bytes, parse
from cryoscope.checkpoint.criu.images import by_file_name
from cryoscope.checkpoint.criu.messages import encode, message_class

FORGED = "FORGED-ROW"
EVIL = f"x\x1b]0;title\x07\x1b[2J\u009b31m\u202e\u200b\r\n{FORGED} 1 0 root\n{FORGED}\x00\x7f\u2028{FORGED}"
"""Escape sequences (7 and 8 bit), a reversal, an invisible character, and ends of lines with forged rows."""

EVIL_BYTES = EVIL.encode() + b"\xff\x9b\xfe"

Files = dict[str, bytes]


# --- tars -----------------------------------------------------------------------------------
def read(path: Path) -> Files:
    """The regular members of a good archive, to be made bad."""
    with tarfile.open(path) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}  # type: ignore[union-attr]


def tar(files: Files, *links: tarfile.TarInfo) -> bytes:
    """A tar of files, and of links behind them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for link in links:
            archive.addfile(link)
    return buffer.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    """A link (or, by `kind`, a device or fifo) as a member."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def header(name: bytes, size: int, kind: bytes = b"0") -> bytes:
    """One ustar header; a size that octal digits cannot hold is written in base 256."""
    digits = b"%011o\0" % size if size < 8**11 else b"\x80" + size.to_bytes(11, "big")
    block = bytearray(512)
    block[: len(name)] = name
    block[100:136] = b"0000644\0" + b"0000000\0" * 2 + digits
    block[136:148] = b"00000000000\0"
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[257:265] = b"ustar\00000"
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def many(count: int) -> bytes:
    """`count` members of one byte."""
    return b"".join(header(b"m/%d" % i, 1) + b"x" + bytes(511) for i in range(count)) + bytes(1024)


# --- images ---------------------------------------------------------------------------------
def image(name: str, *messages: Any, extra: bytes = b"") -> bytes:
    """The image file `name` out of messages."""
    kind = by_file_name(name)
    assert kind is not None
    body = b"".join(framed(encode(message)) + extra for message in messages)
    return head_bytes(kind, kind.head) + body


def framed(payload: bytes) -> bytes:
    return struct.pack("<I", len(payload)) + payload


def pstree(parents: dict[int, int]) -> bytes:
    """A pstree.img of pid -> ppid."""
    entry = message_class("pstree_entry")
    made = (entry(pid=p, ppid=q, pgid=p, sid=p, threads=[p]) for p, q in parents.items())
    return image("pstree.img", *made)


def poisoned(name: str, data: bytes) -> bytes:
    """An image with every string in it followed by `EVIL_BYTES`; those with payloads stay as they are."""
    kind = by_file_name(name)
    if kind is None or kind.extra:
        return data
    entries = parse(data, name=name).entries
    for entry in entries:
        _poison(entry.message)
    return image(name, *(entry.message for entry in entries))


def _poison(message: Any) -> None:
    for field, value in message.ListFields():
        repeated = field.is_repeated
        if field.type in (field.TYPE_BYTES, field.TYPE_STRING):
            changed = [v + EVIL_BYTES for v in value] if repeated else value + EVIL_BYTES
            if repeated:
                del getattr(message, field.name)[:]
                getattr(message, field.name).extend(changed)
            else:
                setattr(message, field.name, changed)
        elif field.message_type:
            for part in value if repeated else [value]:
                _poison(part)


def poisoned_json(value: Any) -> Any:
    """Any JSON with every string, keys of maps that people fill included, made evil."""
    if isinstance(value, str):
        return value + EVIL
    if isinstance(value, list):
        return [poisoned_json(item) for item in value]
    if isinstance(value, dict):
        return {key: poisoned_json(item) for key, item in value.items()} | {"x" + EVIL: "y" + EVIL}
    return value


def evil_strings(files: Files) -> bytes:
    """A checkpoint in which every string says something to a terminal."""
    found: Files = {}
    for name, data in files.items():
        base = name.rpartition("/")[2]
        if base.endswith(".img") and not base.startswith("pages-"):
            found[name] = poisoned(base, data)
        elif base.endswith((".dump", ".status", "status", ".mounts", ".files")) and data[:1] in b"{[":
            found[name] = json.dumps(poisoned_json(json.loads(data))).encode()
        elif base.startswith("pages-"):
            found[name] = in_memory(data)
        else:
            found[name] = data
    found |= {f"checkpoint/{EVIL[:40]}.img".replace("\0", ""): b"junk", "container.log": EVIL_BYTES * 9}
    found["dump.log"] = b"(00.000001) Error (" + EVIL_BYTES + b"): " + EVIL_BYTES + b"\n"
    return tar(found, link("checkpoint/evil" + EVIL[:9], "../" + EVIL[:60].replace("\0", "")))


def in_memory(pages: bytes) -> bytes:
    """Memory with evil in the place of what begins each environment and each shell's script."""
    evil = EVIL_BYTES.replace(b"\0", b"")
    for before in (b"PATH=", b"HOSTNAME=", b"sh\0-c\0"):
        at = pages.find(before)
        while at >= 0:
            at += len(before)
            pages = pages[:at] + evil[:40] + pages[at + 40 :]
            at = pages.find(before, at)
    return pages


# --- all of them ----------------------------------------------------------------------------
def archives(good: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """(name, maker) of each hostile archive, made from a good checkpoint by Podman."""
    files = read(good)
    for name, changed in _changed(files):
        yield name, lambda changed=changed: tar(changed)
    for name, links in LINKS.items():
        yield name, lambda links=links: tar(files, *links)
    yield "evil-strings", lambda: evil_strings(files)
    yield "duplicate-members", lambda: tar(files)[:-10240] + tar({k: v[:20] for k, v in files.items()})
    yield "size-2-to-63", lambda: header(b"checkpoint/inventory.img", 2**63) + tar(files)
    yield "size-2-to-87", lambda: tar(files)[:-10240] + header(b"pages-1.img", 2**87) + bytes(1024)
    yield "negative-size", lambda: b"checkpoint/core-1.img".ljust(124, b"\0") + b"\xff" * 12 + bytes(376)
    yield "100000-members", lambda: many(100_000)
    yield "100000-images", lambda: tar(files)[:-10240] + many(100_000).replace(b"m/", b"c/")
    yield "endless-long-name", lambda: header(b"././@LongLink", 2**40, b"L") + bytes(4096)
    yield "pax-lies", lambda: header(b"pax", 9, b"x") + b"99999 a=\n".ljust(512, b"\0") + tar(files)
    yield "gzip-of-zeros", lambda: gzip.compress(bytes(64 << 20))
    yield "gzip-in-gzip", lambda: gzip.compress(gzip.compress(tar(files)))
    yield "empty", lambda: b""
    yield "one-byte", lambda: b"\x1f"
    yield "zeros", lambda: bytes(100_000)
    yield "only-a-magic", lambda: b"\x28\xb5\x2f\xfd"


LINKS = {
    "traversal-links": [link("checkpoint/a.img", "../../../../etc/passwd"), link("b.img", "/etc/shadow")],
    "symlink-as-image": [link("checkpoint/core-1.img", "/etc/passwd"), link("spec.dump", "/etc/passwd")],
    "symlink-to-itself": [link("checkpoint/core-1.img", "core-1.img"), link("checkpoint/parent", ".")],
    "hardlink-as-image": [
        link("checkpoint/core-1.img", "/etc/passwd", tarfile.LNKTYPE),
        link("checkpoint/mm-1.img", "checkpoint/pages-1.img", tarfile.LNKTYPE),
        link("checkpoint/fs-1.img", "checkpoint/fs-1.img", tarfile.LNKTYPE),
    ],
    "devices-as-images": [
        link("checkpoint/pstree.img", "", tarfile.FIFOTYPE),
        link("spec.dump", "", tarfile.CHRTYPE),
    ],
    "parent-circle": [link("checkpoint/parent", "../pre"), link("pre/parent", "../checkpoint")],
    "parent-outside": [link("checkpoint/parent", "../../../../../tmp")],
}


def _changed(files: Files) -> Iterator[tuple[str, Files]]:
    """Hostile archives that are a good one with some members replaced."""
    c = "checkpoint/"
    yield "traversal-names", {"../../etc/x": b"1", "/abs/y": b"2", "a/../../b": b"3", "..": b"4"} | files
    yield "cyclic-pstree", files | {c + "pstree.img": pstree({1: 3, 2: 1, 3: 2, 4: 4})}
    yield "deep-pstree", files | {c + "pstree.img": pstree({i: i - 1 for i in range(1, 3_000)})}
    yield "wide-pstree", files | {c + "pstree.img": pstree(dict.fromkeys(range(2, 5_000), 1))}
    yield "same-pid-twice", files | {c + "pstree.img": pstree({1: 0}) + pstree({1: 0})[8:] * 2}
    yield "huge-pids", files | {c + "pstree.img": pstree({2**31: 2**32 - 1, 0: 0, 2**32 - 1: 2**31})}
    yield "pages-too-short", files | {c + "pages-1.img": files[c + "pages-1.img"][:5000]}
    yield "pages-missing", {k: v for k, v in files.items() if "pages-" not in k}
    yield "pagemap-claims", files | {c + "pagemap-1.img": _pagemap(2**40, 2**32 - 1)}
    yield "mm-claims", files | {c + "mm-1.img": _mm(files[c + "mm-1.img"])}
    yield "images-empty", {k: b"" if k.endswith(".img") else v for k, v in files.items()}
    yield "images-swapped", _swapped(files)
    yield "entry-of-4-gib", files | {c + "files.img": files[c + "files.img"][:8] + b"\xff" * 8}
    for name, document in DOCUMENTS.items():
        yield name, files | dict.fromkeys(("spec.dump", "config.dump", "network.status"), document)
    for name, tail in (("rootfs-is-junk", b"junk"), ("rootfs-in-rootfs", None)):
        yield name, files | {"rootfs-diff.tar": tail if tail is not None else tar({"r.tar": tar(files)})}


def _swapped(files: Files) -> Files:
    names = [name for name in files if name.endswith(".img")]
    return files | dict(zip(names, [files[n] for n in names[1:] + names[:1]], strict=True))


def _pagemap(pages: int, count: int) -> bytes:
    head = message_class("pagemap_head")(pages_id=1)
    entry = message_class("pagemap_entry")(vaddr=0x1000, nr_pages=count, flags=4)
    return image("pagemap-1.img", head, *[entry] * 3)


def _mm(data: bytes) -> bytes:
    [entry] = parse(data, name="mm-1.img").entries
    mm = entry.message
    mm.mm_arg_start, mm.mm_arg_end, mm.mm_env_start, mm.mm_env_end = 0, 2**64 - 1, 5, 3
    for vma in mm.vmas:
        vma.start, vma.end = vma.end, 2**64 - 1
    return image("mm-1.img", mm)


DOCUMENTS = {
    "json-wrong-types": b'{"process": [], "hostname": 7, "annotations": "x", "linux": {"namespaces": {"a": 1'
    b'}}, "mounts": {"a": [1, null]}, "root": null, "id": {}, "createdTime": [], "eth0": 5, "podman": 3}',
    "json-list": b'[{"a": 1}, null, [[]], 1e999]',
    "json-deep": b"[" * 100_000 + b"]" * 100_000,
    "json-deep-objects": b'{"a":' * 900 + b"1" + b"}" * 900,
    "json-surrogates": b'{"hostname": "a\\ud800b", "annotations": {"k\\udfff": "\\ud83d"}, "id": "\\udc00"}',
    "json-huge-numbers": b'{"process": {"user": {"uid": 1e400, "gid": 9' + b"9" * 5000 + b"}}}",
    "json-huge-time": b'{"createdTime": "9999-99-99T99:99:99Z", "startedTime": "-1", "pid": "x"}',
    "json-nul-and-bom": b'\xef\xbb\xbf{"hostname": "\\u0000\\u001b[2J"}\0\0',
    "json-not-utf8": b'{"hostname": "\xff\xfe", "id": "\x9b"}',
}
