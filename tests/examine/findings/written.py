"""Made-up containers for detectors of files and mounts: a layer with links, owners, times, attributes."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass
from typing import Any

from cryoscope.checkpoint.checkpoint import Checkpoint
from tests.checkpoint.built_samples import Fields, made
from tests.examine.findings.scenes import Proc, _members, severities

CREATED = 1_790_000_000
"""When the made-up containers were created, in Unix seconds."""

ELF = b"\x7fELF\x02\x01\x01" + bytes(57) + b"program"
SCRIPT = b"#!/bin/sh\necho hello\n"
SERVER = Proc(1, ["server"])


@dataclass
class Written:
    """A file, or with `link` a symbolic link, as the container wrote it; `late` if after it was created."""

    path: str
    data: bytes = b""
    mode: int = 0o644
    uid: int = 0
    late: bool = True
    link: str | None = None
    xattrs: dict[str, str] | None = None


def checkpoint(
    *files: Written, processes: tuple[Proc, ...] = (SERVER,), spec: Fields | None = None, **config: Any
) -> Checkpoint:
    """A container of Podman's that wrote these files."""
    members = _members(processes, None, None, None)
    described = {"annotations": {"io.container.manager": "libpod"}} | (spec or {})
    created = {"createdTime": "2026-09-21T14:13:20Z"}
    members |= {
        "spec.dump": json.dumps(described).encode(),
        "config.dump": json.dumps(created | config).encode(),
        "rootfs-diff.tar": _layer(files),
    }
    return made(members)


def _layer(files: tuple[Written, ...]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as layer:
        for each in files:
            member = tarfile.TarInfo(each.path.lstrip("/"))
            member.size, member.mode, member.uid = len(each.data), each.mode, each.uid
            member.mtime = CREATED + (600 if each.late else -86400)
            if each.link is not None:
                member.type, member.linkname = tarfile.SYMTYPE, each.link
            for name, value in (each.xattrs or {}).items():
                member.pax_headers[f"SCHILY.xattr.{name}"] = value
            layer.addfile(member, io.BytesIO(each.data))
    return out.getvalue()


def levels(found: Checkpoint, detector: str) -> list[str]:
    """The severities of what one detector finds."""
    return [severity for _, severity in severities(found, detector)]
