"""Everything that Cryoscope raises on purpose.

    CryoscopeError                  .code  a stable string, .hint  what the person can do next
    ├── UsageError                  the question makes no sense (exit code 2)
    ├── ArchiveError                the bytes are no archive that can be read
    │   ├── NotACheckpoint          readable, but no checkpoint in it
    │   ├── MemberMissing           no member of that name
    │   ├── MemberTooLarge          a member larger than the limit for its kind
    │   └── ReadOnce                the bytes have gone by: a pipe cannot be read twice
    ├── ImageError                  a CRIU image that cannot be read
    │   └── ImageUnsupported        a CRIU image of a version that this release does not know
    ├── MemoryMissing               bytes of memory that the checkpoint does not hold
    ├── LimitExceeded               a bound of limits.py, named
    ├── Refused                     refused before anything started (exit code 4)
    └── Incomplete                  stopped half-way (exit code 5)

A message does not repeat the name of the archive, which whoever opened it knows and prints before it.
A damaged part of an archive is no error: it is a `Damaged` record beside what could be read.
"""

from __future__ import annotations

import msgspec


class CryoscopeError(Exception):
    """An error for a person: one line of what happened, one of what to do.

    `code` is stable across releases (`archive.truncated`, `criu.image-version`); `hint` is the
    cure and may be empty.
    """

    exit_code = 1
    default_code = "error"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.default_code


class UsageError(CryoscopeError):
    exit_code = 2
    default_code = "usage"


class ArchiveError(CryoscopeError):
    default_code = "archive.unreadable"


class NotACheckpoint(ArchiveError):
    default_code = "archive.no-checkpoint"


class MemberMissing(ArchiveError):
    default_code = "archive.member-missing"


class MemberTooLarge(ArchiveError):
    default_code = "archive.member-too-large"


class ReadOnce(ArchiveError):
    default_code = "archive.read-once"


class ImageError(CryoscopeError):
    default_code = "criu.image-unreadable"


class ImageUnsupported(ImageError):
    default_code = "criu.image-unsupported"


class MemoryMissing(CryoscopeError):
    default_code = "memory.missing"


class LimitExceeded(CryoscopeError):
    default_code = "limit"


class Refused(CryoscopeError):
    exit_code = 4
    default_code = "refused"


class Incomplete(CryoscopeError):
    exit_code = 5
    default_code = "incomplete"


class Damaged(msgspec.Struct, frozen=True, order=True):
    """A part that could not be read, named, beside the rest that could.

    `part` is what was damaged (an archive member, an image entry, a field), `problem` one line of
    what is wrong with it, `code` a stable string as in `CryoscopeError`, `offset` the byte in
    `part` where it went wrong, if that is known.
    """

    part: str
    problem: str
    code: str = "damaged"
    offset: int | None = None
