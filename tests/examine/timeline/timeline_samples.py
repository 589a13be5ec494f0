"""Checkpoints with times put together for tests: a real archive with some of its members replaced."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from cryoscope.checkpoint.archive import BytesSource, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.examine.timeline import Event, iso, timeline_of

DATA = Path(__file__).resolve().parents[2] / "data"
LOOPER = DATA / "podman-looper-crun.tar"


def replaced(archive: Path, members: dict[str, bytes | None], times: dict[str, int] | None = None) -> bytes:
    """The archive with some members as given (None: gone), those that it lacks added."""
    out, left = io.BytesIO(), dict(members)
    with tarfile.open(archive) as old, tarfile.open(fileobj=out, mode="w") as new:
        for info in old:
            data = left.pop(info.name, b"") if info.name in left else _data(old, info)
            info.mtime = (times or {}).get(info.name, info.mtime)
            if data is not None or not info.isfile():
                info.size = len(data or b"") if info.isfile() else info.size
                new.addfile(info, io.BytesIO(data or b""))
        for name, data in left.items():
            if data is not None:
                new.addfile(_info(name, data), io.BytesIO(data))
    return out.getvalue()


def _data(tar: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(info) if info.isfile() else None
    return file.read() if file else b""


def _info(name: str, data: bytes, mtime: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime = len(data), mtime
    return info


def layer(files: dict[str, bytes], pax: dict[str, dict[str, str]] | None = None, mtime: int = 5) -> bytes:
    """A rootfs-diff.tar of these files; `pax` are extended headers of some."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in files.items():
            info = _info(name, data, mtime)
            info.pax_headers = (pax or {}).get(name, {})
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def dump(archive: Path, name: str) -> dict[str, Any]:
    """A JSON file of an engine."""
    with tarfile.open(archive) as tar:
        file = tar.extractfile(name)
        assert file is not None
        found: dict[str, Any] = json.loads(file.read())
        return found


def events(data: bytes, **how: Any) -> list[Event]:
    """The timeline of an archive's bytes."""
    with open_archive(BytesSource(data, "a.tar")) as archive:
        return timeline_of(Checkpoint(archive), **how)


def shown(found: list[Event], source: str | None = None) -> list[tuple[str, str, str]]:
    """Time, kind and text of events."""
    return [
        (iso(one.time_ns, one.precision), one.kind, one.text) for one in found if source in (None, one.source)
    ]


def with_token(archive: Path, claims: dict[str, Any]) -> bytes:
    """The archive with a JSON Web Token, signed by nobody, in a page of pid 1's heap."""
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256", "typ": "JWT"}, claims)] + [b"x" * 64]
    token = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    data = bytearray(archive.read_bytes())
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        start = tar.getmember("checkpoint/pages-1.img").offset_data + 40960
    data[start : start + 4096] = (b"\0" * 8 + token).ljust(4096, b"\0")
    return bytes(data)
