"""Whether this release understands the images of a checkpoint.

Defined by CRIU, criu/include/magic.h and check_img_inventory in criu/image.c: version 1 has images
without a common magic, 2 with it.  Version 3 is written with compressed pages (CRIU of 2026).
"""

from __future__ import annotations

from typing import Any

from cryoscope.errors import ImageUnsupported

VERSIONS = (1, 2)


def check_inventory(message: Any) -> None:
    """Raises ImageUnsupported (`criu.image-version`) unless `message`, an inventory_entry, is of a
    known version; fields that a newer CRIU added are no reason."""
    if message.img_version in VERSIONS:
        return
    later = message.img_version > max(VERSIONS)
    raise ImageUnsupported(
        f"images of version {message.img_version}" + (", made by a newer CRIU" if later else ""),
        hint="decompress them with `crit decompress` of that CRIU, or use a newer release"
        if later
        else "the inventory is damaged",
        code="criu.image-version",
    )
