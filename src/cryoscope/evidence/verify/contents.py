"""The archive of a piece, read whole: its digest and that of every member, against the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from cryoscope.checkpoint.archive import Archive, ByteSource, Member, open_archive
from cryoscope.checkpoint.archive.codec import sniff, unpack
from cryoscope.checkpoint.archive.report import Report
from cryoscope.errors import CryoscopeError
from cryoscope.evidence.records import Manifest, MemberDigest
from cryoscope.evidence.verify.places import Places
from cryoscope.evidence.verify.reading import BLOCK, Digest, Hole, Lane, blocks
from cryoscope.text import escape, readable

NAMED = 20
"""Members of one piece that are named; of more, how many there are."""

Wrong = tuple[str, str | None]
"""What is wrong, and the member that it is wrong with."""


class Contents:
    """What was read: `digest` (None if not all of it could be), `members` held against the manifest."""

    def __init__(self, digest: str | None, members: int, wrong: list[Wrong]) -> None:
        self.digest, self.members, self.wrong = digest, members, wrong


def check_contents(manifest: Manifest, source: ByteSource, read: Callable[[int], None]) -> Contents:
    """The original bytes of a piece against what was sealed."""
    holes: list[Hole] = []
    whole, places = Digest(), Places(manifest.members)
    codec = _codec(source)
    with Lane(whole.take) as lane, Lane(places.take) as members:
        for offset, block in blocks(source, holes, read):
            lane.put(offset, block)
            if codec is None:
                members.put(offset, block)
    damage = _unpacked(source, codec, places) if codec else ""
    wrong = [*_members(places, manifest, source, holes, damage)]
    digest = None if holes else whole.hex()
    if digest != manifest.sha256 and not wrong:
        wrong = [*_between(manifest, source, holes, damage)]
    return Contents(digest, len(places.members), _few(wrong))


def _codec(source: ByteSource) -> str | None:
    try:
        return sniff(source.read_at(0, 16))
    except CryoscopeError:
        return None  # the pass over all blocks says it


def _unpacked(source: ByteSource, codec: str, places: Places) -> str:
    """Let the plain bytes of a compressed archive go by, as far as they come; says why not further."""
    report = Report(source.name)
    offset = 0
    with Lane(places.take) as lane:
        try:
            for block in unpack(source, codec, report, None):
                lane.put(offset, block)
                offset += len(block)
        except CryoscopeError as error:
            return error.message
    return next((f"{one.problem} (at byte {one.offset} of the archive)" for one in report.records), "")


def _members(
    places: Places, manifest: Manifest, source: ByteSource, holes: list[Hole], damage: str
) -> Iterator[Wrong]:
    """Members that are not as sealed; those that lie in pieces (sparse) are read once more, as they are."""
    doubted = [*places.wrong()]
    found = _again(source, [member for member, _ in doubted]) if doubted else {}
    for member, digest in doubted:
        if found.get(member.name) == member.sha256:
            continue
        name = escape(readable(member.name))
        if digest is not None:
            yield f"{name}: its SHA-256 is {digest}, {member.sha256} was sealed", member.name
        else:
            yield f"{name}: {_where(member, holes, manifest) or damage or 'it is not all there'}", member.name


def _again(source: ByteSource, members: list[MemberDigest]) -> dict[str, str]:
    """Digests of members as the archive's own index has them."""
    try:
        archive = open_archive(_Lent(source), nesting=1)
    except CryoscopeError:
        return {}
    with archive:
        named = {readable(name): member for name, member in archive.members.items()}  # as manifests do
        found = {one.name: _digest(archive, named.get(one.name), one) for one in members}
    return {name: digest for name, digest in found.items() if digest is not None}


def _digest(archive: Archive, member: Member | None, wanted: MemberDigest) -> str | None:
    if member is None or member.size != wanted.size or not member.runs:
        return None
    total = hashlib.sha256()
    try:
        for offset in range(0, member.size, BLOCK):
            total.update(archive.read_at(member.name, offset, BLOCK))
    except CryoscopeError:
        return None
    return total.hexdigest()


def _where(member: MemberDigest, holes: list[Hole], manifest: Manifest) -> str:
    """Which bytes of a member cannot be read, for those whose place in the archive is known."""
    if manifest.format.startswith("tar+"):
        return ""
    start = member.offset or 0
    for first, last, why in holes:
        low, high = max(first, start) - start, min(last, start + member.size) - start
        if low < high:
            return f"bytes {low} to {high - 1} cannot be read: {why}"
    return ""


def _between(manifest: Manifest, source: ByteSource, holes: list[Hole], damage: str) -> Iterator[Wrong]:
    """What is wrong with an archive all of whose members are right: headers, padding, what is behind them."""
    for first, last, why in holes:
        yield f"bytes {first} to {last - 1} of the archive, in no member, cannot be read: {why}", None
    if holes:
        return
    if source.size != manifest.size:
        yield f"the archive has {source.size} bytes, {manifest.size} were sealed", None
    elif names := _headers(manifest, source):
        yield f"headers of members were altered: {names}", None
    else:
        where = damage or "in padding, in a header's details or behind the end"
        yield f"the archive was altered where no member's bytes lie: {where}", None


def _headers(manifest: Manifest, source: ByteSource) -> str:
    """Members that the archive's own index has otherwise than the manifest."""
    try:
        archive = open_archive(_Lent(source), nesting=1)
    except CryoscopeError as error:
        return error.message
    with archive:
        now = {(readable(one.name), one.type, one.size) for one in archive.members.values()}
    sealed = {(readable(one.name), one.type, one.size) for one in manifest.members}
    names = sorted({name for name, _, _ in now ^ sealed})
    return ", ".join(escape(name) for name in names[:NAMED])


def _few(wrong: list[Wrong]) -> list[Wrong]:
    more = len(wrong) - NAMED
    return [*wrong[:NAMED], (f"and {more} more members", None)] if more > 0 else wrong


class _Lent:
    """A source that an archive may close without harm."""

    def __init__(self, source: ByteSource) -> None:
        self.name, self.size = source.name, source.size
        self.read_at = source.read_at

    def fingerprint(self) -> None:
        return None

    def close(self) -> None: ...
