"""Whether an archive can be the layer of an image: what whoever unpacks one would take for something else.

OCI image-spec 1.1, layer.md: names that begin with `.wh.` remove what lies below, devices are made, links are
followed by whoever looks into what was unpacked.
"""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.checkpoint.archive import Archive, Member
from cryoscope.checkpoint.archive.image import WHITEOUT
from cryoscope.checkpoint.archive.member import resolve
from cryoscope.text import readable

KINDS = ("file", "directory", "symlink", "hardlink", "other")


def unfit(archive: Archive) -> Iterator[str]:
    """What keeps an archive from being a layer, one line each."""
    for name, member in archive.members.items():
        if problem := _problem(name, member):
            yield f"{readable(name)} {problem}"


def _problem(name: str, member: Member) -> str | None:
    parts = name.split("/")
    if ".." in parts:
        return "leads out of the archive"
    if any(part.startswith(WHITEOUT) for part in parts):
        return "would remove a file instead of being one"
    if member.type not in KINDS:
        return f"is a {readable(member.type)}, which no checkpoint has"
    if member.type == "symlink" and resolve(name.rpartition("/")[0], member.linkname) is None:
        return f"is a link out of the archive, to {readable(member.linkname)}"
    return None
