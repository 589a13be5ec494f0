"""One piece: its manifest, the bytes in the store, and where they can be decrypted the archive itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cryoscope.checkpoint.archive import ByteSource
from cryoscope.errors import CryoscopeError
from cryoscope.evidence.forms import original
from cryoscope.evidence.ports import BlobMissing, Blobs, Trust
from cryoscope.evidence.records import KEPT, PRUNING, Manifest, Piece, Stored
from cryoscope.evidence.verify.contents import check_contents
from cryoscope.evidence.verify.index import check_index
from cryoscope.evidence.verify.reading import Digest, Hole, Lane, blocks
from cryoscope.evidence.verify.result import Found
from cryoscope.evidence.verify.sealed import check_manifest

NO_IDENTITY = "evidence.no-identity"


class Checker:
    """Rereads pieces; `known` says whose bytes a digest is, in this store."""

    def __init__(
        self,
        blobs: Blobs,
        trust: Trust,
        identities: Sequence[Any],
        found: Found,
        known: Callable[[str], str | None],
    ) -> None:
        self._blobs, self._trust, self._identities = blobs, trust, identities
        self._found, self._known = found, known

    def check(self, piece: Piece, stored: Stored) -> None:
        """A piece whose bytes lie as `stored` says."""
        manifest = self.check_manifest(piece)
        if piece.state != KEPT:
            self._gone(piece)
            return
        try:
            source = self._blobs.source(stored.key)
        except BlobMissing:
            what = f"its bytes are not there: {stored.key}"
            self._found.problem("evidence.blob-missing", piece, what)
            return
        except CryoscopeError as error:
            self._found.problem("evidence.unreadable", piece, error.message)
            return
        try:
            self._bytes(piece, stored, manifest, source)
            if manifest is not None and stored.index is not None:
                check_index(piece, stored, manifest, self._blobs, self._found)
        finally:
            source.close()

    def check_manifest(self, piece: Piece) -> Manifest | None:
        """The manifest of a piece, if it can be believed."""
        self._found.pieces += 1
        return check_manifest(piece, self._blobs, self._trust, self._found)

    def _gone(self, piece: Piece) -> None:
        if piece.state == PRUNING:
            self._found.note("evidence.pruning", piece, "it is being pruned", cure="`case prune` ends it")
        elif self._blobs.size(piece.stored.key) is not None:
            self._found.note("evidence.pruned-there", piece, "it was pruned, but its bytes are there")

    def _bytes(self, piece: Piece, stored: Stored, manifest: Manifest | None, source: ByteSource) -> None:
        sound = True
        if stored.forms or manifest is None or source.size != stored.size:
            digest, holes = self._digest(source)
            sound = digest == stored.sha256 and source.size == stored.size
            if not sound and self._replaced(piece, digest):
                return
            if not sound and manifest is None:
                self._altered(piece, digest, stored, holes)
                return
        what = "its stored bytes were altered"
        if manifest is not None:
            what = self._archive(piece, stored, manifest, source, sound=sound)
        if what and not sound:
            self._found.problem("evidence.altered", piece, what)

    def _archive(
        self, piece: Piece, stored: Stored, manifest: Manifest, source: ByteSource, *, sound: bool
    ) -> str:
        """The archive in the stored bytes, as far as it can be read.

        Gives what it is that stored bytes were altered, "" where that has been told of the archive.
        """
        try:
            plain = original(stored, source, identities=self._identities)
        except CryoscopeError as error:
            if error.code == NO_IDENTITY and not sound:
                return "its stored bytes were altered; which of the archive, only one of its keys can tell"
            if error.code == NO_IDENTITY:
                what = "encrypted: its stored bytes are held against the manifest, the archive's are not"
                self._found.note(NO_IDENTITY, piece, what, cure="give a key of its recipients")
                return ""
            self._found.problem(
                "evidence.altered", piece, f"its stored bytes cannot be read: {error.message}"
            )
            return ""
        contents = check_contents(manifest, plain, self._found.read)
        self._found.members += contents.members
        if contents.digest == manifest.sha256 and not contents.wrong:
            return "its stored bytes were altered where nothing of the archive lies"
        if not stored.forms and self._replaced(piece, contents.digest):
            return ""
        for what, member in contents.wrong:
            code = "evidence.member" if member is not None else "evidence.altered"
            hint = "" if not sound else " (it was so when it was added)"
            self._found.problem(code, piece, what + (hint if stored.forms else ""), member=member)
        return ""

    def _digest(self, source: ByteSource) -> tuple[str | None, list[Hole]]:
        """SHA-256 of all stored bytes, None where some cannot be read."""
        whole, holes = Digest(), list[Hole]()
        with Lane(whole.take) as lane:
            for offset, block in blocks(source, holes, self._found.read):
                lane.put(offset, block)
        return (None if holes else whole.hex()), holes

    def _replaced(self, piece: Piece, digest: str | None) -> bool:
        """Whether these are the bytes of another piece."""
        other = self._known(digest) if digest is not None else None
        if other is None:
            return False
        what = f"its bytes were replaced by those of {other}"
        self._found.problem("evidence.replaced", piece, what)
        return True

    def _altered(self, piece: Piece, digest: str | None, stored: Stored, holes: list[Hole]) -> None:
        if holes:
            first, last, why = holes[0]
            what = f"its stored bytes {first} to {last - 1} cannot be read: {why}"
        else:
            what = f"its stored bytes have the SHA-256 {digest}, {stored.sha256} is in the log"
        self._found.problem("evidence.altered", piece, what)
