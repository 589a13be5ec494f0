"""`ls`, `cat` and `log`: the members of an archive as they are."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive, Member
from cryoscope.checkpoint.container.dumps import moment_of_ns
from cryoscope.checkpoint.rootfs.entries import FORMATS
from cryoscope.errors import Damaged, MemberMissing
from cryoscope.text import readable, with_bytes
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, Asking, answer, each
from cryoscope.workflows.open import open_at

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint
    from cryoscope.workflows.masking import Masker

BLOCK = 1 << 20

MEANINGS = {
    "config.dump": "container configuration (JSON)",
    "spec.dump": "OCI runtime spec (JSON)",
    "status.dump": "CRI container status (JSON)",
    "status": "containerd's own status (JSON)",
    "network.status": "networks (JSON)",
    "bind.mounts": "external bind mounts (JSON)",
    "deleted.files": "deleted paths (JSON)",
    "rootfs-diff.tar": "changed files",
    "devshm-checkpoint.tar": "contents of /dev/shm",
    "stats-dump": "CRIU's measurements",
    "dump.log": "CRIU's log",
    "container.log": "the container's output",
    "ctr.log": "the container's output",
    "io.kubernetes.cri-o.LogPath": "the container's output",
    "descriptors.json": "paths of descriptors 0 to 2 (JSON)",
}


class MemberRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One member of an archive; `offset` is where its data begin in the uncompressed archive."""

    name: str
    type: str
    size: int
    mode: str
    uid: int
    gid: int
    mtime: str | None
    name_base64: str | None = None
    offset: int | None = None
    link: str | None = None
    content: str | None = None


class MembersPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `ls`."""

    form: str
    members: list[MemberRecord]

    def rows(self) -> list[Any]:
        return list(self.members)


class LogPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `log`: the end of a log; `member` is None where there is none."""

    member: str | None
    size: int = 0
    skipped: int = 0
    lines: list[str] = []


def list_members(target: str, archive: Archive) -> MembersPart:
    """The members of an archive in its order."""
    return MembersPart(
        archive=readable(target),
        form=archive.form,
        members=[_record(member) for member in archive.members.values()],
    )


def _record(member: Member) -> MemberRecord:
    return MemberRecord(
        type=member.type,
        size=member.size,
        mode=stat.filemode(member.mode & 0o7777 | FORMATS.get(member.type, stat.S_IFREG)),
        uid=member.uid,
        gid=member.gid,
        mtime=moment_of_ns(member.mtime_ns),
        offset=member.offset if member.offset >= 0 else None,
        link=readable(member.linkname) or None,
        content=meaning(member.name),
        **with_bytes("name", member.name),
    )


def meaning(name: str) -> str | None:
    """What a member of this name holds."""
    base = name.rpartition("/")[2]
    if base in MEANINGS:
        return MEANINGS[base]
    from cryoscope.checkpoint.criu import is_raw

    return is_raw(base) if base.endswith(".img") else None


def contents(archive: Archive, name: str) -> Iterator[bytes]:
    """The bytes of a member in blocks; raises `MemberMissing` with what comes nearest."""
    if name not in archive:
        raise missing(archive, name)
    with archive.open(name) as file:
        while block := file.read(BLOCK):
            yield block


def missing(archive: Archive, name: str) -> MemberMissing:
    """The error for a member that is not there."""
    import difflib

    close = difflib.get_close_matches(name, list(archive.members)[:10_000], n=1, cutoff=0.5)
    hint = f"did you mean {readable(close[0])}?" if close else "`cryoscope ls` shows what there is"
    return MemberMissing(f"there is no member {readable(name)}", hint=hint)


def log_of(target: str, checkpoint: Checkpoint, masker: Masker, *, of_criu: bool, lines: int) -> LogPart:
    """The end of the container's log, or of CRIU's: at most `lines` lines, all with 0."""
    name = checkpoint.dump_log_name if of_criu else checkpoint.log_name
    if name is None:
        return LogPart(archive=target, member=None)
    size = checkpoint.archive.members[name].size
    start = max(0, size - limits.LOG)
    data = checkpoint.archive.read_at(name, start, min(size, limits.LOG))
    found = masker.text("\n".join(readable(line) for line in data.splitlines())).split("\n") if data else []
    shown = found[-lines:] if lines else found
    return LogPart(archive=target, member=name, size=size, skipped=start, lines=shown)


def list_archives(targets: Sequence[str], asking: Asking) -> Answer:
    """The members of each archive, whether it holds a checkpoint or not."""

    def read(target: str) -> tuple[MembersPart, list[Damaged]]:
        with open_at(
            target, cache=asking.cache, access=asking.access, progress=asking.progress(target)
        ) as archive:
            return list_members(target, archive), archive.damaged

    return answer("members", *each(targets, read))
