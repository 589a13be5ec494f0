"""The config of an image: what it runs on and what its layer unpacks to, and nothing to run.

OCI image-spec 1.1, config.md.  There is no command (a restore brings its own) and no label: containerd acts
on labels of its own kind, and whoever can write an image must not write those.
"""

from __future__ import annotations

from typing import Any

from cryoscope.images.ports import Platform


def config(platform: Platform, diff_id: str, created: str | None) -> dict[str, Any]:
    """The config of an image with one layer; `diff_id` is the digest of its plain tar."""
    found: dict[str, Any] = {"architecture": platform.architecture, "os": platform.os}
    if platform.variant:
        found["variant"] = platform.variant
    history: dict[str, Any] = {"created_by": "cryoscope image build"}
    if created:
        found["created"] = history["created"] = created
    return found | {"rootfs": {"type": "layers", "diff_ids": [diff_id]}, "history": [history]}
