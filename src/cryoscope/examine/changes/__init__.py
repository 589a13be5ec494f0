"""Changed files held against the image that the container was made from.

    base = image_base(archive, damaged)            # or FolderBase(path)
    for change in compared(tree, tree.entries, base): print(change.change, change.path, change.differs)

A checkpoint only names its image; the image comes as an OCI layout, a docker archive, the tar of a root
file system or an unpacked folder.
"""

from cryoscope.examine.changes.base import Base, BaseFile
from cryoscope.examine.changes.compare import compared
from cryoscope.examine.changes.content import content_diff
from cryoscope.examine.changes.folder import FolderBase
from cryoscope.examine.changes.image import ImageBase, image_base
from cryoscope.examine.changes.records import ContentDiff

__all__ = [
    "Base",
    "BaseFile",
    "ContentDiff",
    "FolderBase",
    "ImageBase",
    "compared",
    "content_diff",
    "image_base",
]
