"""Evidence on its way into a store: read once, hashed, framed, encrypted and written.

source ─┬─ SHA-256 of the original
        ├─ plain tar ─┬─ SHA-256 of each member
        │             └─ frames of zstd ─┐
        └─ or as it was given ───────────┴─ age ─ SHA-256 and the blob
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive import ByteSource, Member
from cryoscope.checkpoint.archive import cache as index_format
from cryoscope.checkpoint.archive.codec import Progress
from cryoscope.checkpoint.archive.frames import FRAME, LEVEL, FrameWriter, cuts
from cryoscope.errors import ArchiveError
from cryoscope.evidence.forms.digests import MemberDigests, Step, sha256_of
from cryoscope.evidence.forms.encrypt import encrypt
from cryoscope.evidence.forms.identities import check_recipients
from cryoscope.evidence.forms.index import index_key
from cryoscope.evidence.forms.scan import Scan
from cryoscope.evidence.forms.workers import Worker
from cryoscope.evidence.records import AGE, FRAMES, MemberDigest, Record
from cryoscope.text import readable

Item = TypeVar("Item")
Result = TypeVar("Result")


MEMBER_COST = 150
"""Bytes of a member in a manifest beside its name."""

NAME = 300
"""Characters of a name in a line about damage."""


class Frames(NamedTuple):
    """Plain bytes of a frame and zstd's level."""

    size: int
    level: int


class Target(Protocol):
    """Where the stored bytes go: an `Upload`."""

    def write(self, block: bytes | memoryview) -> object: ...


class Kept(Record, frozen=True, kw_only=True):
    """What was kept: `size` and `sha256` of the archive as given, `stored_…` of what was written.

    `format` as `Archive.form` has it, `forms` and `recipients` as in `Stored`.  `damaged` says in a line each
    what of the archive could not be read.  `index` is for evidence that was compressed already: what
    `index_cache` takes.
    """

    size: int
    sha256: str
    format: str
    members: list[MemberDigest]
    damaged: list[str]
    stored_size: int
    stored_sha256: str
    forms: list[str]
    recipients: list[str]
    index: bytes | None = None


def keep(
    source: ByteSource,
    upload: Target,
    *,
    frames: bool | None = None,
    recipients: Sequence[str] = (),
    progress: Progress | None = None,
    frame: int = FRAME,
    level: int = LEVEL,
) -> Kept:
    """Write an archive to a store in one pass, and say what was written; the source stays open.

    A plain tar becomes `frames` of zstd unless they are refused (False); what is compressed already stays
    byte for byte.  With `recipients` (age1…) it is encrypted.  `progress` is told (bytes read, in all).

    Raises ArchiveError for what is no archive at all, `archive.changed` for a source that was not as long as
    it said, RecipientError (`evidence.recipient`), and what reading or writing raises.
    """
    wanted = check_recipients(recipients)
    scan = Scan(source, progress)
    framing = Frames(frame, level) if frames is not False and scan.codec is None else None
    digests = MemberDigests()
    with ExitStack() as stack:
        pipeline = _Pipeline(stack, upload, wanted, framing)
        original: Worker[bytes, tuple[str, int]] = _begin(stack, "original", sha256_of)
        members = _begin(stack, "members", digests.run)

        def given(block: bytes) -> None:
            original.put(block)
            if framing is None:
                pipeline.put(block)

        def passed(met: list[Member], block: bytes) -> None:
            members.put((met, block))
            if framing is not None:
                pipeline.put((met, block))

        scan.run(given, passed)
        members.result()
        sha256, size = original.result()
        stored_sha256, stored_size = pipeline.result()
    stored_sha256 = stored_sha256 or sha256
    if source.size not in (None, size):
        raise _changed(size, source.size)
    told = _told(scan, digests)
    index = scan.codec and index_format.dump(scan.archive, index_key(stored_sha256))
    return Kept(
        size=size,
        sha256=sha256,
        format=scan.form,
        members=told,
        damaged=_damaged(scan, digests, len(told)),
        stored_size=stored_size,
        stored_sha256=stored_sha256,
        forms=[FRAMES] * (framing is not None) + [AGE] * bool(wanted),
        recipients=wanted,
        index=index or None,
    )


class _Pipeline:
    """What becomes of the bytes on their way to the blob: each stage a thread that feeds the next."""

    def __init__(self, stack: ExitStack, upload: Target, recipients: Sequence[str], frames: Frames | None):
        work = partial(_store, upload, hashed=bool(recipients) or frames is not None)
        self._stages: list[Worker[Any, Any]] = [_begin(stack, "stored", work)]
        self.put: Callable[[Any], None] = self._stages[-1].put
        if recipients:
            self._before(stack, "age", partial(encrypt, self.put, recipients))
        if frames is not None:
            self._before(stack, "frames", partial(_framed, self.put, frames))

    def result(self) -> tuple[str, int]:
        """SHA-256 and size of what was stored, when all of it is."""
        results = [stage.result() for stage in reversed(self._stages)]
        stored: tuple[str, int] = results[-1]
        return stored

    def _before(self, stack: ExitStack, name: str, work: Callable[[Iterator[Any]], None]) -> None:
        stage = _begin(stack, name, work)
        self._stages.append(stage)
        self.put = stage.put


def _begin(stack: ExitStack, name: str, work: Callable[[Iterator[Item]], Result]) -> Worker[Item, Result]:
    worker = Worker(name, work)
    stack.callback(worker.stop)
    return worker


def _framed(write: Callable[[bytes], object], frames: Frames, steps: Iterator[Step]) -> None:
    """Compress the plain tar; a large member has frames of its own."""
    with FrameWriter(write, frame=frames.size, level=frames.level) as writer:
        for met, block in steps:
            for cut in cuts(met):
                writer.cut_at(cut)
            writer.write(block)


def _store(upload: Target, blocks: Iterator[bytes], *, hashed: bool) -> tuple[str, int]:
    """Write and hash; what is stored as it was given is hashed already."""
    digest, size = hashlib.sha256(), 0
    for block in blocks:
        upload.write(block)
        if hashed:
            digest.update(block)
        size += len(block)
    return digest.hexdigest() if hashed else "", size


def _told(scan: Scan, digests: MemberDigests) -> list[MemberDigest]:
    """The members in archive order, their names readable, as long as a manifest has room."""
    room, told = limits.EVIDENCE_MEMBERS, []
    for name in scan.archive.members:
        found = msgspec.structs.replace(digests.found[name], name=readable(name))
        room -= len(found.name) + MEMBER_COST
        if room < 0:
            break
        told.append(found)
    return told


def _damaged(scan: Scan, digests: MemberDigests, told: int) -> list[str]:
    """A line for each thing that is wrong with the archive, or was left out here."""
    lines = []
    if told < len(scan.archive.members):
        lines.append(f"the digests of {len(scan.archive.members) - told} members are left out")
    lines += [
        f"{readable(record.part)[:NAME]}: {readable(record.problem)[:NAME]}"
        for record in scan.archive.damaged
    ]
    lines += [
        f"{readable(name)[:NAME]}: has no digest, its bytes are not all there" for name in digests.broken
    ]
    return lines[: limits.EVIDENCE_DAMAGED]


def _changed(size: int, said: int | None) -> ArchiveError:
    return ArchiveError(
        f"had {said} bytes and then {size}",
        hint="is it still being written? Add it again when it is done",
        code="archive.changed",
    )
