"""A case as a folder that is checked without Cryoscope: sha256sum, openssl, age (and zstd as stored)."""

from cryoscope.evidence.bundle.check import verify_bundle
from cryoscope.evidence.bundle.export import Exported, export

__all__ = ["Exported", "export", "verify_bundle"]
