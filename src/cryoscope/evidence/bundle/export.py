"""A case as a folder that can be checked on any machine, without Cryoscope."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import msgspec

from cryoscope.checkpoint.archive import ByteSource
from cryoscope.evidence import case_uco, custody, dsse, forms
from cryoscope.evidence.bundle import layout
from cryoscope.evidence.bundle.readme import readme
from cryoscope.evidence.bundle.writing import Folder
from cryoscope.evidence.catalogue.projection import no_case, replay
from cryoscope.evidence.ports import Blobs, Catalogue, EvidenceError, Signer, Trust
from cryoscope.evidence.records import AGE, KEPT, Case, Entry, Piece, Record, SignedEntry, Stored, canonical
from cryoscope.evidence.statement import manifest_key
from cryoscope.evidence.verify.sealed import read_envelope


class Exported(Record, frozen=True, kw_only=True):
    """What lies in a bundle: pieces with their bytes, entries of the log, all `files` and their bytes."""

    folder: str
    case: str
    pieces: int
    entries: int
    bytes: int
    files: list[str]


def export(
    case: str,
    catalogue: Catalogue,
    blobs: Blobs,
    trust: Trust,
    folder: str,
    *,
    signer: Signer | None = None,
    plain: bool = False,
    identities: Sequence[Any] = (),
    recipients: Sequence[str] = (),
    pieces: Sequence[str] | None = None,
    by: str,
    now: str,
    version: str,
    progress: Callable[[int, int | None], None] | None = None,
) -> Exported:
    """Write the bundle of a case to a new folder, which is named incomplete until all of it is on the disk.

    `plain` writes archives as they were given (`identities` decrypt), `recipients` (age) encrypts them to
    others; with neither they stay as stored.  `pieces` are SHA-256, None for all that are kept; `signer`
    signs the list of files.  Raises `NoSuchCase`, `UsageError` and `Incomplete` (`bundle.exists`,
    `bundle.output`, `bundle.disk`), `EvidenceError` for what cannot be decrypted or is not as sealed.
    """
    exporter = _Exporter(catalogue, blobs, trust, signer, progress)
    exporter.plain, exporter.recipients, exporter.identities = plain, recipients, identities
    return exporter.write(case, folder, pieces, by=by, now=now, version=version)


class _Exporter:
    """One export."""

    plain = False
    recipients: Sequence[str] = ()
    identities: Sequence[Any] = ()

    def __init__(
        self,
        catalogue: Catalogue,
        blobs: Blobs,
        trust: Trust,
        signer: Signer | None,
        progress: Callable[[int, int | None], None] | None,
    ) -> None:
        self._catalogue, self._blobs, self._trust, self._signer = catalogue, blobs, trust, signer
        self._progress = progress
        self._done, self._total = 0, 0

    def write(
        self, case: str, folder: str, chosen: Sequence[str] | None, *, by: str, now: str, version: str
    ) -> Exported:
        log = [*self._catalogue.entries(case)]
        if not log:
            raise no_case(case)
        found, rows = replay([_entry(one) for one in log], [])  # not the rows, which may have been edited
        pieces = sorted(rows.values(), key=lambda piece: (piece.added, piece.sha256))
        wanted = [one for one in pieces if one.state == KEPT and (chosen is None or one.sha256 in chosen)]
        self._total = sum(one.size if self._anew(one) else one.stored.size for one in wanted)
        with Folder(folder, self._read) as target:
            self._all(target, found, pieces, wanted, log, by=by, now=now, version=version)
        return Exported(
            folder=folder,
            case=case,
            pieces=len(wanted),
            entries=len(log),
            bytes=target.size,
            files=sorted(target.sums),
        )

    def _all(
        self,
        target: Folder,
        case: Case,
        pieces: list[Piece],
        wanted: list[Piece],
        log: list[SignedEntry],
        *,
        by: str,
        now: str,
        version: str,
    ) -> None:
        """Every file, evidence first."""
        files = {piece.sha256: self._evidence(target, piece) for piece in wanted}
        index = layout.Index(
            format=layout.FORMAT,
            case=case,
            exported=now,
            by=by,
            version=version,
            pieces=pieces,
            files=files,
        )
        signers = {one.manifest: self._manifest(target, one) for one in pieces}
        entries = _log(target, log)
        exporter = self._keys(target, {*signers.values(), *(entry.key_id for entry in log)})
        target.put(layout.ORIGINALS, _originals(index))
        target.put(layout.INDEX, canonical(index) + b"\n")
        target.put(layout.JSONLD, case_uco.document(case, pieces, entries, version))
        target.put(layout.README, readme(index, signers, log[-1].key_id if log else "", exporter))
        self._sums(target, exporter)

    def _read(self, size: int) -> None:
        self._done += size
        if self._progress is not None:
            self._progress(min(self._done, self._total), self._total)

    def _anew(self, piece: Piece) -> bool:
        """Whether the bytes here are others than those in the store."""
        return bool(self.recipients) or (self.plain and bool(piece.stored.forms))

    # --- evidence ---------------------------------------------------------------------------
    def _evidence(self, target: Folder, piece: Piece) -> Stored:
        source = self._blobs.source(piece.stored.key)
        if not self._anew(piece):
            stored = msgspec.structs.replace(
                piece.stored, key=layout.evidence(piece, piece.stored), index=None
            )
            with closing(source):
                target.copy(stored.key, source)
            self._is_whole(target, piece, stored)
            return stored
        with (
            closing(source),
            closing(forms.original(piece.stored, source, identities=self.identities)) as plain,
        ):
            if self.recipients:
                return self._encrypted(target, piece, plain)
            stored = Stored(key="", size=piece.size, sha256=piece.sha256)
            stored = msgspec.structs.replace(stored, key=layout.evidence(piece, stored))
            target.copy(stored.key, plain)
        self._is_whole(target, piece, stored)
        return stored

    def _encrypted(self, target: Folder, piece: Piece, plain: ByteSource) -> Stored:
        """The archive as it was given, encrypted to others."""
        stored = Stored(key="", size=0, sha256="", forms=[AGE], recipients=[*self.recipients])
        name = layout.evidence(piece, stored)
        with target.file(name) as file:
            kept = forms.keep(plain, file, frames=False, recipients=self.recipients)
        if kept.sha256 != piece.sha256:
            raise _altered(piece)
        return msgspec.structs.replace(stored, key=name, size=kept.stored_size, sha256=kept.stored_sha256)

    def _is_whole(self, target: Folder, piece: Piece, stored: Stored) -> None:
        if target.sums[stored.key] != stored.sha256:
            raise _altered(piece)

    # --- what is said of it -----------------------------------------------------------------
    def _manifest(self, target: Folder, piece: Piece) -> str:
        """A manifest in all the shapes that the readme needs; the id of the key that signed it."""
        sealed = read_envelope(piece.manifest, self._blobs)
        opened = dsse.opened(sealed, self._trust)
        if opened.problem is not None:
            raise EvidenceError(
                f"the manifest of {piece.sha256} is not what was sealed",
                hint="`case verify` says what is wrong with the case",
                code=opened.problem,
            )
        name = f"{layout.MANIFESTS}/{piece.manifest}"
        target.put(manifest_key(piece.manifest), sealed)
        _signed(target, name, opened.payload_type, opened.payload, opened.signature)
        return opened.key_id

    def _keys(self, target: Folder, ids: set[str]) -> str | None:
        """The public keys of all that signed; the id of the key that signs the sums."""
        for key in sorted(ids):
            if pem := self._trust.public(key):
                target.put(f"{layout.KEYS}/{key}.pub", pem)
        if self._signer is None:
            return None
        name = f"{layout.KEYS}/{self._signer.key_id}.pub"
        pem = getattr(self._signer, "public", None)
        if name not in target.sums and pem is not None:
            target.put(name, pem)
        return self._signer.key_id if name in target.sums else None

    def _sums(self, target: Folder, exporter: str | None) -> None:
        sums = target.listed()
        target.put(layout.SUMS, sums)
        if exporter is None or self._signer is None:
            return
        signature = self._signer.sign(layout.SUMS_MEDIA, sums)
        target.put(layout.SUMS + ".pae", dsse.pae(layout.SUMS_MEDIA, sums))
        target.put(layout.SUMS + ".sig", base64.b64decode(signature))


def _log(target: Folder, log: Sequence[SignedEntry]) -> list[Entry]:
    """The log; raises `EvidenceError` where an entry of it cannot be read."""
    entries = [_entry(signed) for signed in log]
    lines = [
        layout.Line(number=entry.number, hash=one.hash, key_id=one.key_id, signature=one.signature)
        for entry, one in zip(entries, log, strict=True)
    ]
    target.put(layout.ENTRIES, b"".join(one.body + b"\n" for one in log))
    target.put(layout.SIGNATURES, b"".join(canonical(line) + b"\n" for line in lines))
    if log:
        _signed(target, layout.LAST, custody.ENTRY_MEDIA, log[-1].body, log[-1].signature)
    return entries


def _signed(target: Folder, name: str, kind: str, payload: bytes, signature: str) -> None:
    """What openssl checks: the payload, what was signed of it, the signature."""
    target.put(name + ".json", payload)
    target.put(name + ".pae", dsse.pae(kind, payload))
    target.put(name + ".sig", dsse.unpacked(signature))


def _originals(index: layout.Index) -> bytes:
    """SHA-256 of archives whose files hold other bytes, beside these files."""
    lines = [f"{sha256}  {stored.key}\n" for sha256, stored in sorted(index.files.items()) if stored.forms]
    return "".join(lines).encode()


def _entry(signed: SignedEntry) -> Entry:
    entry = custody.read_entry(signed.body)
    if entry is None:
        raise EvidenceError(
            "the custody log has an entry that is none",
            hint="`case verify` says what is wrong with the case",
            code="custody.chain",
        )
    return entry


def _altered(piece: Piece) -> EvidenceError:
    return EvidenceError(
        f"the bytes of {piece.sha256} are not what was sealed",
        hint="`case verify` says which member was altered; export the other pieces by name",
        code="evidence.altered",
    )
