"""Archives of any kind, read where they lie: named, seekable members, never unpacked.

A checkpoint comes as a tar (plain, gzip, zstd, xz, bzip2), as a folder, or inside a container
image.  `open_archive` and `open_folder` tell which by what they find, not by a name, and give one
`Archive`.  A plain tar is indexed by its headers alone; a compressed one is decompressed once,
and what will be asked for is kept meanwhile.  Nothing is ever written to disk, and no name out of
an archive is ever used as a path.
"""

from cryoscope.checkpoint.archive.archive import Archive
from cryoscope.checkpoint.archive.cache import IndexCache
from cryoscope.checkpoint.archive.member import Member
from cryoscope.checkpoint.archive.nested import MemberSource
from cryoscope.checkpoint.archive.opening import open_archive, open_folder, open_parts
from cryoscope.checkpoint.archive.pipe import PipeSource
from cryoscope.checkpoint.archive.source import ByteSource, BytesSource, FileSource
from cryoscope.checkpoint.archive.stream import Keep, Tap
from cryoscope.checkpoint.archive.writer import TarWriter

__all__ = [
    "Archive",
    "ByteSource",
    "BytesSource",
    "FileSource",
    "IndexCache",
    "Keep",
    "Member",
    "MemberSource",
    "PipeSource",
    "Tap",
    "TarWriter",
    "open_archive",
    "open_folder",
    "open_parts",
]
