"""The bytes of an archive as it was given, out of what is stored, by offset."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cryoscope.checkpoint.archive import ByteSource
from cryoscope.checkpoint.archive.frames import FramedSource
from cryoscope.evidence.forms.age import AgeSource
from cryoscope.evidence.forms.identities import Identity
from cryoscope.evidence.forms.index import index_key
from cryoscope.evidence.ports import EvidenceError
from cryoscope.evidence.records import AGE, FRAMES, Stored

Undo = Callable[[ByteSource, Sequence[Identity]], ByteSource]

UNDONE: dict[str, Undo] = {
    AGE: AgeSource,
    FRAMES: lambda source, _: FramedSource(source),
}
"""What undoes a form."""


class FormError(EvidenceError):
    """Stored in a form that this release does not know."""

    default_code = "evidence.form"


class OriginalSource:
    """The original bytes under the fingerprint that a side index is bound to; it owns what it reads from."""

    def __init__(self, plain: ByteSource, stored: Stored) -> None:
        self.name = plain.name
        self.size = plain.size
        self.read_at = plain.read_at
        self.close = plain.close
        self._key = index_key(stored.sha256)
        for name in ("read_some", "read_into"):
            if (method := getattr(plain, name, None)) is not None:
                setattr(self, name, method)

    def fingerprint(self) -> str | None:
        """A key that follows from the digest of the stored bytes."""
        return self._key


def original(stored: Stored, source: ByteSource, *, identities: Sequence[Identity] = ()) -> ByteSource:
    """The identical bytes that `keep` was given; the source of the stored bytes belongs to it from now on.

    Only what is read is decrypted and decompressed.  Raises EvidenceError: `evidence.stored-size` if the
    source is not as long as it should be, `evidence.form`, `evidence.age-header`, `evidence.age-chunk`,
    `evidence.no-identity`; ArchiveError `archive.seek-table`, and `archive.frame` when a frame is read.
    """
    if source.size != stored.size:
        raise EvidenceError(
            f"has {source.size} bytes in the store and should have {stored.size}",
            hint="it was altered or cut off: `case verify` says what else is",
            code="evidence.stored-size",
        )
    plain = source
    for form in reversed(stored.forms):
        undo = UNDONE.get(form)
        if undo is None:
            raise FormError(
                f"is stored in a form that is not known here: {form}", hint="take a newer release"
            )
        plain = undo(plain, identities)
    return OriginalSource(plain, stored)
