"""The image of a pod's sandbox: one program that waits, in an OCI archive as small as it gets.

The formats are those of opencontainers/image-spec: image-layout.md, manifest.md, config.md.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

KIND = "application/vnd.oci.image"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write(archive: Path, program: Path, machine: str) -> None:
    """Write an image of busybox, the static `program`, that sleeps for good."""
    blobs: dict[str, bytes] = {}
    layer = _tar({"busybox": program.read_bytes()}, mode=0o755)
    settings = {
        "architecture": ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": {"Entrypoint": ["/busybox", "sleep", "100000000"]},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{KIND}.manifest.v1+json",
        "config": _add(blobs, f"{KIND}.config.v1+json", settings),
        "layers": [_add(blobs, f"{KIND}.layer.v1.tar", layer)],
    }
    index = {"schemaVersion": 2, "manifests": [_add(blobs, f"{KIND}.manifest.v1+json", manifest)]}
    blobs |= {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": json.dumps(index).encode()}
    archive.write_bytes(_tar(blobs))


def _add(blobs: dict[str, bytes], kind: str, content: Any) -> dict[str, Any]:
    """Put a blob among the others; returns its descriptor."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    digest = _digest(data)
    blobs[f"blobs/{digest.replace(':', '/')}"] = data
    return {"mediaType": kind, "digest": digest, "size": len(data)}


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _tar(files: dict[str, bytes], mode: int = 0o644) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), mode
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
