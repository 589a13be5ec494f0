"""Bytes by key, written once: in a folder or in S3.

A new home is a module with a `Blobs` and a line in `open_blobs`.
"""

from __future__ import annotations

import os

from cryoscope.errors import UsageError
from cryoscope.evidence.ports import Blobs

FOLDER = "blobs"
"""What the folder of blobs is called in the store's home."""


def open_blobs(url: str, *, home: str, endpoint: str = "", region: str = "") -> Blobs:
    """The blobs at `url`: "" (a folder in `home`), the path of a folder, or `s3://BUCKET/PREFIX`.

    `endpoint` and `region` are of S3 servers other than Amazon's.  Raises `UsageError`
    (`evidence.blobs-url`) and `EvidenceError` where the place cannot be used.
    """
    if url.startswith("s3://"):
        from cryoscope.evidence.blobs.s3 import S3Blobs

        return S3Blobs(url, endpoint=endpoint, region=region)
    if "://" in url and not url.startswith("file:///"):
        raise UsageError(
            f"evidence cannot be kept at {url}",
            hint="name a folder, or s3://BUCKET/PREFIX",
            code="evidence.blobs-url",
        )
    from cryoscope.evidence.blobs.folder import FolderBlobs

    return FolderBlobs(url.removeprefix("file://") or os.path.join(home, FOLDER))
