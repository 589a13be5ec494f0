"""CRIU's image files <-> records: framing, every image type, page maps as columns, crit's JSON.

Everything about the format that is no parser's logic is a table: `images.py` has a row for each type
of image, `schema/` a line for each field.  protobuf is imported when an image is decoded, numpy when
a page map is wanted as columns; importing this package imports neither, nor anything else of its own.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryoscope.checkpoint.criu import json, names, pagemap
    from cryoscope.checkpoint.criu.framing import Entry, Image, Skipped, info, parse
    from cryoscope.checkpoint.criu.images import (
        IMAGE_TYPES,
        RAW_IMAGES,
        ImageType,
        RawImage,
        base_name,
        by_file_name,
        by_name,
        image_type,
        is_raw,
        raw_image,
    )
    from cryoscope.checkpoint.criu.imageset import ImageArchive, ImageSet
    from cryoscope.checkpoint.criu.inventory import check_inventory
    from cryoscope.checkpoint.criu.json import dumps, from_json, to_json
    from cryoscope.checkpoint.criu.pagemap import Pagemap, PagemapEntry

__all__ = [
    "IMAGE_TYPES",
    "RAW_IMAGES",
    "Entry",
    "Image",
    "ImageArchive",
    "ImageSet",
    "ImageType",
    "Pagemap",
    "PagemapEntry",
    "RawImage",
    "Skipped",
    "base_name",
    "by_file_name",
    "by_name",
    "check_inventory",
    "dumps",
    "from_json",
    "image_type",
    "info",
    "is_raw",
    "json",
    "names",
    "pagemap",
    "parse",
    "raw_image",
    "to_json",
]

_HOMES = {
    "framing": ("Entry", "Image", "Skipped", "info", "parse"),
    "images": (
        *("IMAGE_TYPES", "RAW_IMAGES", "ImageType", "RawImage", "base_name", "by_file_name", "by_name"),
        *("image_type", "is_raw", "raw_image"),
    ),
    "imageset": ("ImageArchive", "ImageSet"),
    "inventory": ("check_inventory",),
    "json": ("dumps", "from_json", "to_json", "json"),
    "names": ("names",),
    "pagemap": ("Pagemap", "PagemapEntry", "pagemap"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(name)
    module = import_module(f"{__name__}.{_HOME[name]}")
    return module if name == _HOME[name] else getattr(module, name)
