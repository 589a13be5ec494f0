"""One store: a catalogue, blobs and keys, and the order in which a piece of evidence comes and goes.

    add      blob -> manifest -> one entry of the log (with it, the piece is kept)
    open     an entry of the log -> the bytes
    prune    entry `prune` -> blob away -> entry `pruned`

A kill between two steps of `add` leaves blobs that nothing names, of `prune` a piece that is being removed;
`sweep` takes the first away and finishes the second.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive import ByteSource
from cryoscope.evidence import clock as times
from cryoscope.evidence.clock import Clock
from cryoscope.evidence.custody import sign_next
from cryoscope.evidence.forms import keep, original
from cryoscope.evidence.pieces import (
    FOLDER,
    INDEX,
    KEY,
    Added,
    Facts,
    Swept,
    began,
    check_name,
    described,
    keys_of,
    new_key,
    piece_of,
    stamp,
)
from cryoscope.evidence.ports import (
    Blobs,
    Catalogue,
    EvidenceError,
    Filter,
    NoSuchPiece,
    Signer,
    Trust,
)
from cryoscope.evidence.records import (
    KEPT,
    PRUNING,
    Case,
    Draft,
    Entry,
    Head,
    Manifest,
    Piece,
    SignedEntry,
    Stored,
)
from cryoscope.evidence.statement import FOLDER as MANIFESTS
from cryoscope.evidence.statement import blob_key, seal, unseal
from cryoscope.evidence.verify.sealed import as_sealed
from cryoscope.evidence.vouched import vouched

ORPHANED = 86400.0
"""Seconds after which a blob without an entry is nobody's: an `add` may be suspended before its entry."""
DONE = "case.piece-pruned", "case.piece-kept"
"""Codes of an entry `pruned` that another process wrote first, and may have added the archive since."""

Progress = Callable[[int, int | None], None]


class Store:
    """Cases and their evidence.

    `operator` does what is done from now on, on `host`; `recipients` (age) are whom new evidence is
    encrypted to, `identities` open what is encrypted.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        blobs: Blobs,
        signer: Signer,
        trust: Trust,
        *,
        operator: str,
        host: str,
        clock: Clock,
        identities: Sequence[Any] = (),
        recipients: Sequence[str] = (),
    ) -> None:
        self.catalogue, self.blobs = catalogue, blobs
        self.signer, self.trust = signer, trust
        self.operator, self.host, self.clock = operator, host, clock
        self.identities, self.recipients = identities, recipients

    def close(self) -> None:
        """Give back the catalogue's connections."""
        self.catalogue.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what there is ----------------------------------------------------------------------
    def cases(self) -> list[Case]:
        """All cases by name."""
        return self.catalogue.cases()

    def case(self, name: str) -> Case:
        """One case; raises `NoSuchCase`."""
        return self.catalogue.case(name)

    def pieces(self, wanted: Filter) -> list[Piece]:
        """Pieces, newest first."""
        return self.catalogue.pieces(wanted)

    def piece(self, case: str, reference: str) -> Piece:
        """By SHA-256, its first digits or its name; raises `NoSuchPiece`, `AmbiguousPiece`."""
        return self.catalogue.piece(case, reference)

    def head(self, case: str) -> Head:
        """The newest entry of a case's log."""
        return self.catalogue.head(case)

    # --- what is written down ---------------------------------------------------------------
    def write(
        self,
        case: str,
        action: str,
        *,
        piece: str | None = None,
        reason: str = "",
        details: dict[str, Any] | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> Entry:
        """One entry of a case's log; `check` is called when the case is locked, and may raise."""
        draft = Draft(
            action=action,
            operator=self.operator,
            host=self.host,
            reason=reason,
            piece=piece,
            details=details or {},
        )
        sign = sign_next(draft, case, self.signer, self.clock)

        def checked(head: Head) -> SignedEntry:
            check()
            return sign(head)

        return self.catalogue.append(case, checked)

    def new_case(self, name: str, *, description: str = "", reason: str = "") -> Case:
        """A new case; raises `UsageError` for a name that is none, `EvidenceError` `case.exists`."""
        check_name(name)
        details = {"description": description} if description else {}
        self.write(name, "new", reason=reason, details=details)
        return self.case(name)

    def note(self, case: str, text: str, *, reference: str | None = None) -> Entry:
        """A note on a case or a piece of it."""
        piece = self.piece(case, reference).sha256 if reference else None
        return self.write(case, "note", piece=piece, reason=text)

    def hold(self, case: str, *, reference: str | None = None, reason: str = "") -> Entry:
        """Keep a case or a piece from being pruned; holds of a piece add up."""
        piece = self.piece(case, reference).sha256 if reference else None
        return self.write(case, "hold", piece=piece, reason=reason)

    def release(self, case: str, *, reference: str | None = None, reason: str = "") -> Entry:
        """Take one hold away; raises `EvidenceError` `case.not-held`."""
        piece = self.piece(case, reference).sha256 if reference else None
        return self.write(case, "release", piece=piece, reason=reason)

    # --- evidence comes ---------------------------------------------------------------------
    def add(
        self,
        case: str,
        source: ByteSource,
        facts: Facts,
        *,
        action: str = "add",
        reason: str = "",
        frames: bool | None = None,
        expect: str | None = None,
        progress: Progress | None = None,
    ) -> Added:
        """Keep an archive: hashed, framed, encrypted, sealed, and in the log when this returns.

        `frames` as `forms.keep` has it, `expect` is the SHA-256 that it had.  The same archive twice is no
        error: the second is not `new`.
        """
        self.case(case)
        with self.blobs.upload() as upload:
            kept = keep(source, upload, frames=frames, recipients=self.recipients, progress=progress)
            if expect not in (None, kept.sha256):
                raise EvidenceError(
                    f"its SHA-256 is {kept.sha256}, and was {expect}",
                    hint="who else writes to that file?",
                    code="evidence.changed",
                )
            there = self._there(case, kept.sha256)
            if there is not None:
                return Added(piece=there, new=False)
            now = self.clock()
            key = new_key(case, kept.sha256, kept.forms, now)
            upload.commit(key)
        if kept.index is not None:
            self._put(key + INDEX, kept.index)
        stored = Stored(
            key=key,
            size=kept.stored_size,
            sha256=kept.stored_sha256,
            forms=[*kept.forms],
            recipients=[*kept.recipients],
            index=key + INDEX if kept.index is not None else None,
            index_sha256=hashlib.sha256(kept.index).hexdigest() if kept.index is not None else None,
        )
        known = msgspec.structs.asdict(facts) | {"damaged": [*facts.damaged, *kept.damaged]}
        manifest = Manifest(
            **known,
            size=kept.size,
            sha256=kept.sha256,
            format=kept.format,
            added=now,
            operator=self.operator,
            host=self.host,
            reason=reason,
            members=kept.members,
            stored=stored,
        )
        return self._sealed(case, manifest, action)

    def _there(self, case: str, sha256: str) -> Piece | None:
        """The piece, if the case keeps it."""
        try:
            piece = self.piece(case, sha256)
        except NoSuchPiece:
            return None
        return piece if piece.state == KEPT else None

    def _sealed(self, case: str, manifest: Manifest, action: str) -> Added:
        """Sign the manifest, keep it, and enter the piece."""
        envelope = seal(manifest, self.signer)
        key, digest = blob_key(envelope)
        self._put(key, envelope)
        piece = piece_of(case, manifest, digest)
        try:
            entry = self.write(
                case,
                action,
                piece=piece.sha256,
                reason=manifest.reason,
                details={"piece": described(piece)},
                check=lambda: self._still(manifest.stored),
            )
        except EvidenceError as error:
            if error.code != "case.piece-exists":
                raise
            self._away(piece)  # another process was faster
            return Added(piece=self.piece(case, piece.sha256), new=False)
        return Added(piece=piece, new=True, entry=entry.number)

    def _still(self, stored: Stored) -> None:
        """Whether the blob is there when its entry is made: whoever slept for a day may have been swept."""
        if self.blobs.size(stored.key) != stored.size:
            raise EvidenceError(
                "the blob was taken away before its entry was made",
                hint="add it again",
                code="evidence.swept",
            )

    def _put(self, key: str, data: bytes) -> None:
        with self.blobs.upload() as upload:
            upload.write(data)
            upload.commit(key)

    # --- evidence is read -------------------------------------------------------------------
    def open(self, case: str, reference: str, *, action: str, reason: str = "") -> tuple[Piece, ByteSource]:
        """The original bytes of a piece, by range; who reads them is in the log before the first one.

        Raises `EvidenceError` `case.piece-pruned`, `BlobMissing`, `evidence.no-identity`.
        """
        piece = self.piece(case, reference)
        if piece.state != KEPT:
            raise EvidenceError(
                f"the evidence was pruned: {piece.name}",
                hint="`case log` says when and why",
                code="case.piece-pruned",
            )
        self.write(case, action, piece=piece.sha256, reason=reason)
        return piece, self.bytes_of(piece)

    def bytes_of(self, piece: Piece) -> ByteSource:
        """As `open`, for whoever wrote the entry; raises `EvidenceError` where the row was edited."""
        as_sealed(piece, self.blobs, self.trust)
        stored = self.blobs.source(piece.stored.key)
        try:
            return original(piece.stored, stored, identities=self.identities)
        except BaseException:
            stored.close()
            raise

    def blob(self, key: str, most: int) -> bytes:
        """A small blob whole; raises `EvidenceError` if it is larger than `most` bytes."""
        source = self.blobs.source(key)
        try:
            if source.size is None or source.size > most:
                raise EvidenceError(f"{key} is larger than {most} bytes", code="limit.blob")
            return source.read_at(0, source.size)
        finally:
            source.close()

    # --- evidence goes ----------------------------------------------------------------------
    def prune(self, doomed: Piece, why: str, *, reason: str = "") -> None:
        """Remove the bytes of a piece; its manifest and its entries stay.

        Raises `EvidenceError` `case.held` where it or its case is held by now.
        """
        with _done_already():
            self.write(doomed.case, "prune", piece=doomed.sha256, reason=reason, details={"why": why})
            self._gone(doomed)

    def _gone(self, piece: Piece) -> None:
        """Take the bytes away, and say that they are gone."""
        self.blobs.delete(piece.stored.key)
        if piece.stored.index:
            self.blobs.delete(piece.stored.index)
        self.write(piece.case, "pruned", piece=piece.sha256)

    # --- what a kill left -------------------------------------------------------------------
    def finish(self) -> list[str]:
        """End what a killed `prune` began, where the log says that it did; quick where there is nothing."""
        done = []
        for case in sorted({piece.case for piece in self.pieces(Filter(state=PRUNING))}):
            pieces = self._vouched(case) or {}
            for piece in (piece for piece in pieces.values() if piece.state == PRUNING):
                with _done_already():
                    self._gone(piece)
                    done.append(f"{piece.case}/{piece.sha256}")
        return done

    def _vouched(self, case: str) -> dict[str, Piece] | None:
        """The pieces of a case; None where its log cannot be relied on, and nothing is to go."""
        with contextlib.suppress(EvidenceError):
            return vouched(case, self.catalogue, self.trust)
        return None

    def sweep(self) -> Swept:
        """`finish`, and take away uploads without a commit and blobs without an entry."""
        pruned = self.finish()
        orphans = [*self._orphans()]
        for key in orphans:
            self.blobs.delete(key)
        return Swept(pruned=pruned, orphans=orphans, uploads=self.blobs.sweep(ORPHANED))

    def _orphans(self) -> Iterator[str]:
        """Blobs that no piece names, and old enough."""
        keys = [key for key, _ in self.blobs.keys(FOLDER)]
        sealed = [key for key, _ in self.blobs.keys(MANIFESTS)]
        named = set[str]().union(*(keys_of(piece) for piece in self.pieces(Filter())))
        before = stamp(times.later(self.clock(), -ORPHANED))
        left = [key for key in keys if key not in named and began(key) < before]
        said = {case: self._vouched(case) for case in {key.split("/")[1] for key in left}}
        yield from (key for key in left if said[key.split("/")[1]] is not None)
        for key in sealed:
            if key not in named and self._is_orphan(key, before):
                yield key

    def _is_orphan(self, key: str, before: str) -> bool:
        """Whether a manifest is of no entry: one of a piece that was pruned and came again has its entry."""
        found = unseal(self.blob(key, limits.JSON_DOCUMENT), self.trust).manifest
        place = KEY.fullmatch(found.stored.key) if found is not None else None
        if place is None or place["time"] >= before:
            return False
        digest = key.removeprefix(MANIFESTS).partition(".")[0].encode()
        return not any(digest in entry.body for entry in self.catalogue.entries(place["case"]))

    def _away(self, piece: Piece) -> None:
        """Take back the blobs of an `add` that lost the race."""
        for key in keys_of(piece):
            self.blobs.delete(key)


@contextlib.contextmanager
def _done_already() -> Iterator[None]:
    """Another process was faster with the same: that is no error."""
    try:
        yield
    except EvidenceError as error:
        if error.code not in DONE:
            raise
