"""Whoever can write to a store alters it; `verify` finds that, and names it."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pyrage
import pytest
from custody_store import CASE, LATER, PAGES, Kept, archive, codes, flip

from cryoscope.errors import CryoscopeError
from cryoscope.evidence import clock, custody, keys, statement
from cryoscope.evidence.records import Draft, Manifest, Piece, SignedEntry

FORMS = ("plain", "frames", "age", "frames+age")


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def age_key(folder: Path) -> tuple[str, str]:
    """A recipient, and the file of its identity."""
    identity = pyrage.x25519.Identity.generate()
    path = folder / "identity.txt"
    path.write_text(str(identity) + "\n")
    path.chmod(0o600)
    return str(identity.to_public()), str(path)


def test_an_untouched_case_holds(kept: Kept, tmp_path: Path) -> None:
    piece = kept.add(archive(tmp_path / "a.tar"))
    found = kept.verify()
    assert found.holds
    assert not found.notes
    assert (found.pieces, found.entries, found.members) == (1, 2, 4)
    assert found.bytes > piece.size + piece.stored.size


@pytest.mark.parametrize("form", FORMS)
def test_one_flipped_bit_in_a_page_names_the_member(tmp_path: Path, form: str) -> None:
    recipient, identity = age_key(tmp_path)
    kept = Kept(tmp_path, recipients=(recipient,) if "age" in form else ())
    path = archive(tmp_path / "a.tar")
    piece = kept.add(path, frames="frames" in form)
    assert [*piece.stored.forms] == (["zstd-frames"] * ("frames" in form) + ["age"] * ("age" in form))
    identities = (identity,) if "age" in form else ()
    assert kept.verify(identities=identities).holds
    flip(kept.blob(piece.stored.key), piece.stored.size // 2)  # in the pages, which are most of it
    found = kept.verify(identities=identities)
    assert codes(found) == {"evidence.member"}
    assert [problem.member for problem in found.problems] == [PAGES]
    assert found.problems[0].piece == piece.sha256
    assert PAGES in found.problems[0].what
    if form != "plain":
        assert "cannot be read" in found.problems[0].what
        assert "bytes " in found.problems[0].what


def test_without_the_key_a_flipped_bit_of_encrypted_evidence_is_found(tmp_path: Path) -> None:
    recipient, _ = age_key(tmp_path)
    kept = Kept(tmp_path, recipients=(recipient,))
    piece = kept.add(archive(tmp_path / "a.tar"))
    whole = kept.verify()
    assert whole.holds
    assert [note.code for note in whole.notes] == ["evidence.no-identity"]
    flip(kept.blob(piece.stored.key), piece.stored.size - 9)
    assert codes(kept.verify()) == {"evidence.altered"}


def test_every_place_of_the_stored_bytes_counts(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    piece = kept.add(archive(tmp_path / "a.tar", pages=5000))
    blob = kept.blob(piece.stored.key)
    for offset in [*range(0, piece.stored.size, 193), piece.stored.size - 1]:
        flip(blob, offset, offset % 8)
        found = kept.verify()
        assert not found.holds, offset
        assert codes(found) <= {"evidence.member", "evidence.altered"}, offset
        flip(blob, offset, offset % 8)
    assert kept.verify().holds


@pytest.mark.parametrize("tail", [0, 100, -512])
def test_a_header_or_padding_of_a_plain_tar_counts(tmp_path: Path, tail: int) -> None:
    kept = Kept(tmp_path)
    piece = kept.add(archive(tmp_path / "a.tar"), frames=False)
    flip(kept.blob(piece.stored.key), tail % piece.size)
    found = kept.verify()
    assert codes(found) == {"evidence.altered"}
    assert ("headers" in found.problems[0].what) == (tail >= 0)


def test_compressed_evidence_names_the_member_and_the_index(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar")
    packed = tmp_path / "a.tar.gz"
    packed.write_bytes(gzip.compress(path.read_bytes(), 1))
    kept = Kept(tmp_path)
    piece = kept.add(packed)
    assert piece.format == "tar+gzip"
    assert kept.verify().holds
    assert piece.stored.index is not None
    flip(kept.blob(piece.stored.index), 200)
    assert codes(kept.verify()) == {"evidence.index"}
    flip(kept.blob(piece.stored.index), 200)
    flip(kept.blob(piece.stored.key), piece.stored.size // 2)
    found = kept.verify()
    assert PAGES in {problem.member for problem in found.problems}
    assert codes(found) <= {"evidence.member", "evidence.altered"}


@pytest.mark.parametrize("packed", [True, False])
def test_names_that_are_not_utf8_and_sparse_members_hold(kept: Kept, tmp_path: Path, packed: bool) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "config.dump").write_text("{}")
    (folder / os.fsdecode(b"bad\xff")).write_bytes(b"x" * 1000)
    with open(folder / "sparse", "wb") as file:
        for place in (0, 1 << 20, 3 << 20):
            file.seek(place)
            file.write(b"data" * 2000)
    path = tmp_path / "a.tar"
    options = ["--sparse", "--format=pax", *(["-z"] if packed else [])]
    subprocess.run(["tar", "-c", *options, "-f", path, "-C", folder, "."], check=True)
    piece = kept.add(path)
    sealed = {one.name: one for one in unsealed(kept, piece).members}
    sparse = hashlib.sha256((folder / "sparse").read_bytes()).hexdigest()
    assert sealed["sparse"].sha256 == sparse
    found = kept.verify()
    assert found.holds, found.problems
    assert found.members == 3


def unsealed(kept: Kept, piece: Piece) -> Manifest:
    """The manifest of a piece."""
    manifest = statement.unseal(kept.manifest(piece).read_bytes(), kept.trust).manifest
    assert manifest is not None
    return manifest


def test_one_flipped_bit_in_the_manifest(kept: Kept, tmp_path: Path) -> None:
    piece = kept.add(archive(tmp_path / "a.tar"))
    path = kept.manifest(piece)
    flip(path, path.read_bytes().index(b'"payload":"') + 40)
    found = kept.verify()
    assert codes(found) == {"evidence.manifest"}
    assert "altered" in found.problems[0].what
    assert found.problems[0].piece == piece.sha256


def test_one_flipped_bit_in_the_signature(kept: Kept, tmp_path: Path) -> None:
    piece = kept.add(archive(tmp_path / "a.tar"))
    path = kept.manifest(piece)
    flip(path, path.read_bytes().index(b'"sig":"') + 30)
    found = kept.verify()
    assert codes(found) == {"evidence.signature"}
    assert "signature" in found.problems[0].what


@pytest.mark.parametrize(
    ("column", "value"), [("size", 5), ("name", "other.tar"), ("state", "pruned"), ("holds", 1)]
)
def test_an_edited_catalogue_row(kept: Kept, tmp_path: Path, column: str, value: object) -> None:
    piece = kept.add(archive(tmp_path / "a.tar"))
    kept.sql(f"UPDATE evidence_pieces SET {column} = ?", value)
    found = kept.verify()
    assert codes(found) == {"custody.catalogue"}
    assert column in found.problems[0].what
    assert found.problems[0].piece == piece.sha256


def test_a_row_taken_out_of_the_catalogue_is_still_reread(kept: Kept, tmp_path: Path) -> None:
    piece = kept.add(archive(tmp_path / "a.tar"))
    kept.sql("DELETE FROM evidence_pieces")
    found = kept.verify()
    assert codes(found) == {"custody.catalogue"}
    assert found.pieces == 1
    flip(kept.blob(piece.stored.key), piece.stored.size // 2)
    assert codes(kept.verify()) == {"custody.catalogue", "evidence.member"}


def test_a_log_entry_removed(kept: Kept, tmp_path: Path) -> None:
    kept.add(archive(tmp_path / "a.tar"))
    with kept.store() as store:
        for text in ("one", "two", "three"):
            store.note(CASE, text)
    kept.sql("DELETE FROM evidence_entries WHERE number = 4")
    found = kept.verify()
    assert codes(found) == {"custody.missing"}
    assert found.problems[0].where == "log entry 4"


def test_two_log_entries_swapped(kept: Kept) -> None:
    with kept.store() as store:
        for text in ("one", "two", "three"):
            store.note(CASE, text)
    for old, new in ((2, 99), (3, 2), (99, 3)):
        kept.sql("UPDATE evidence_entries SET number = ? WHERE number = ?", new, old)
    found = kept.verify()
    assert codes(found) == {"custody.order"}
    assert "swapped" in found.problems[0].what
    assert found.problems[0].where == "log entry 2"


def test_a_log_entry_altered_with_its_hash(kept: Kept) -> None:
    with kept.store() as store:
        store.note(CASE, "he did it")
        store.note(CASE, "seen")
        body = next(iter(store.catalogue.entries(CASE, after=1))).body
    forged = body.replace(b"he did it", b"she did i")
    digest = hashlib.sha256(forged).hexdigest()
    kept.sql("UPDATE evidence_entries SET body = ?, hash = ? WHERE number = 2", forged, digest)
    found = kept.verify()
    assert codes(found) == {"custody.signature", "custody.chain"}
    assert {problem.where for problem in found.problems} == {"log entry 2", "log entry 3"}


@pytest.mark.parametrize("column", ["body", "hash", "key_id", "signature"])
def test_one_flipped_bit_anywhere_in_a_log_entry(kept: Kept, column: str) -> None:
    with kept.store() as store:
        store.note(CASE, "one")
        store.note(CASE, "two")
        entry = next(iter(store.catalogue.entries(CASE, after=1)))
    value = getattr(entry, column)
    raw = value if isinstance(value, bytes) else value.encode()
    for place in (0, len(raw) // 2, len(raw) - 1):
        altered = bytearray(raw)
        altered[place] ^= 1
        stored: object = bytes(altered) if isinstance(value, bytes) else altered.decode()
        kept.sql(f"UPDATE evidence_entries SET {column} = ? WHERE number = 2", stored)
        found = kept.verify()
        assert codes(found) & {"custody.chain", "custody.signature", "custody.signer-unknown"}, place
        assert all(problem.where in ("log entry 2", "log entry 3") for problem in found.problems), place
    kept.sql(f"UPDATE evidence_entries SET {column} = ? WHERE number = 2", value)
    assert kept.verify().holds


@pytest.mark.parametrize("frames", [True, False])
def test_a_blob_replaced_by_another_valid_one(kept: Kept, tmp_path: Path, frames: bool) -> None:
    one = kept.add(archive(tmp_path / "a.tar"), frames=frames)
    two = kept.add(archive(tmp_path / "b.tar", seed=2), frames=frames)
    shutil.copyfile(kept.blob(two.stored.key), kept.blob(one.stored.key))
    found = kept.verify()
    assert codes(found) == {"evidence.replaced"}
    assert found.problems[0].piece == one.sha256
    assert two.sha256[:12] in found.problems[0].what


def test_a_manifest_replaced_by_another_valid_one(kept: Kept, tmp_path: Path) -> None:
    one = kept.add(archive(tmp_path / "a.tar"))
    two = kept.add(archive(tmp_path / "b.tar", seed=2))
    shutil.copyfile(kept.manifest(two), kept.manifest(one))
    found = kept.verify()
    assert codes(found) == {"evidence.replaced"}
    assert found.problems[0].piece == one.sha256


def test_a_missing_blob_and_a_missing_manifest(kept: Kept, tmp_path: Path) -> None:
    one = kept.add(archive(tmp_path / "a.tar"))
    two = kept.add(archive(tmp_path / "b.tar", seed=2))
    kept.blob(one.stored.key).unlink()
    kept.manifest(two).unlink()
    named = {problem.code: problem.piece for problem in kept.verify().problems}
    assert named == {"evidence.blob-missing": one.sha256, "evidence.manifest-missing": two.sha256}


def test_a_blob_cut_short(kept: Kept, tmp_path: Path) -> None:
    piece = kept.add(archive(tmp_path / "a.tar"))
    with open(kept.blob(piece.stored.key), "r+b") as file:
        file.truncate(piece.stored.size - 1)
    assert codes(kept.verify()) == {"evidence.altered"}


def test_a_restored_older_database_is_found_with_the_witness(kept: Kept, tmp_path: Path) -> None:
    with kept.store() as store:
        store.note(CASE, "before")
    old = tmp_path / "old.sqlite"
    shutil.copyfile(kept.database, old)
    kept.add(archive(tmp_path / "a.tar"))
    with kept.store() as store:
        line = custody.witness(store.head(CASE), kept.signer)
    expect = custody.read_witness(line)
    assert kept.verify(expect=expect).holds
    shutil.copyfile(old, kept.database)
    assert kept.verify().holds  # by itself it is a log like any other
    found = kept.verify(expect=expect)
    assert codes(found) == {"custody.rolled-back"}
    assert "entry 3" in found.problems[0].what
    with kept.store() as store:  # and grown past the witness again
        store.note(CASE, "after")
        store.note(CASE, "more")
    assert codes(kept.verify(expect=expect)) == {"custody.forked"}


def test_a_log_signed_anew_by_another_key(kept: Kept, tmp_path: Path) -> None:
    with kept.store() as store:
        store.note(CASE, "he did it")
        log = [*store.catalogue.entries(CASE)]
    thief = keys.signer(str(tmp_path / "thief.pem"))
    head = None
    for number, signed in enumerate(log, 1):
        entry = custody.read_entry(signed.body)
        assert entry is not None
        draft = Draft(action=entry.action, operator="mallory", host="bench", reason="nobody did it")
        before = head or custody.Head(case=CASE)
        anew: SignedEntry = custody.sign_next(draft, CASE, thief, lambda time=entry.time: time)(before)
        read = custody.read_entry(anew.body)
        assert read is not None
        head = custody.head_of(anew, read)
        kept.sql(
            "UPDATE evidence_entries SET body = ?, hash = ?, key_id = ?, signature = ? WHERE number = ?",
            *(anew.body, anew.hash, anew.key_id, anew.signature, number),
        )
    found = kept.verify()
    assert "custody.signer-unknown" in codes(found)
    assert any(problem.where == "log entries 1 to 2" for problem in found.problems)


def test_a_manifest_sealed_by_another_key(kept: Kept, tmp_path: Path) -> None:
    piece = kept.add(archive(tmp_path / "a.tar"))
    path = kept.manifest(piece)
    thief = keys.signer(str(tmp_path / "thief.pem"))
    path.write_bytes(statement.seal(unsealed(kept, piece), thief))
    found = kept.verify()
    assert codes(found) == {"evidence.manifest"}
    assert "not trusted" in found.problems[0].what


def test_a_time_that_is_still_to_come(kept: Kept) -> None:
    ahead = clock.later(clock.now(), 86400)
    with kept.store() as store:
        store.clock = lambda: ahead
        store.note(CASE, "from the future")
    assert kept.verify(now=LATER).holds
    found = kept.verify(now=clock.now())
    assert codes(found) == {"custody.future"}
    assert found.problems[0].where == "log entry 2"


def test_a_blob_that_nothing_names_is_a_note(kept: Kept, tmp_path: Path) -> None:
    piece = kept.add(archive(tmp_path / "a.tar"))
    path = kept.blob(piece.stored.key)
    shutil.copyfile(path, path.with_name("left-over.tar"))
    found = kept.verify()
    assert found.holds
    assert [note.code for note in found.notes] == ["evidence.orphan"]


def test_a_pruned_piece_holds_without_its_bytes(kept: Kept, tmp_path: Path) -> None:
    piece = kept.add(archive(tmp_path / "a.tar"))
    with kept.store() as store:
        store.prune(piece, "too old")
    found = kept.verify()
    assert found.holds
    assert found.pieces == 1
    flip(kept.manifest(piece), 60)
    assert codes(kept.verify()) == {"evidence.manifest"}


def test_a_log_of_rows_that_are_none_is_told_and_the_rest_is_reread(kept: Kept, tmp_path: Path) -> None:
    piece = kept.add(archive(tmp_path / "a.tar"))
    kept.sql("UPDATE evidence_entries SET body = 'text', hash = '' WHERE number = 1")
    found = kept.verify()
    assert not found.holds
    assert found.pieces == 1
    kept.sql("DELETE FROM evidence_cases")
    assert "custody.catalogue" in codes(kept.verify())
    assert kept.blob(piece.stored.key).exists()


def test_a_damaged_database_is_told_and_nothing_breaks(kept: Kept, tmp_path: Path) -> None:
    kept.add(archive(tmp_path / "a.tar", pages=5000))
    whole = kept.database.read_bytes()
    for leftover in kept.database.parent.glob("catalogue.sqlite-*"):
        leftover.unlink()
    told = 0
    for offset in range(0, len(whole), len(whole) // 60):
        kept.database.write_bytes(whole)
        flip(kept.database, offset, offset % 8)
        with contextlib.suppress(CryoscopeError):
            told -= kept.verify().holds
        told += 1
    assert told
