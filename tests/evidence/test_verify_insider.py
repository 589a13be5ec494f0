"""Whoever can write the store but has not the key: nothing is read, taken away or exported on his word."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from custody_store import CASE, LATER, Kept, archive, codes, flip
from test_bundle_export import exported

from cryoscope.checkpoint.archive import FileSource, cache, open_archive
from cryoscope.errors import UsageError
from cryoscope.evidence import clock, custody, keys
from cryoscope.evidence.bundle import verify_bundle
from cryoscope.evidence.forms import index_cache, index_key
from cryoscope.evidence.ports import EvidenceError
from cryoscope.evidence.records import Draft, Piece
from cryoscope.evidence.retention import rule
from cryoscope.workflows.prune import prune
from tests.evidence.store_contract import Place

SMALL = 1 << 20


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


@pytest.fixture
def piece(kept: Kept, tmp_path: Path) -> Piece:
    return kept.add(archive(tmp_path / "a.tar", pages=SMALL))


def packed(path: Path, pages: int) -> Path:
    path.write_bytes(gzip.compress(archive(path.with_suffix(".raw"), pages=pages).read_bytes(), 1))
    return path


# --- the log and the catalogue ----------------------------------------------------------------
@pytest.mark.parametrize("number", ["abc", b"\xff"])
def test_an_entry_whose_number_is_none_is_told(kept: Kept, piece: Piece, number: object) -> None:
    kept.sql("update evidence_entries set number = ? where number = 2", number)
    assert "evidence.catalogue-damaged" in codes(kept.verify())


def test_without_the_key_altered_bytes_are_not_said_to_be_of_no_member(tmp_path: Path) -> None:
    import pyrage

    kept = Kept(tmp_path, recipients=(str(pyrage.x25519.Identity.generate().to_public()),))
    piece = kept.add(archive(tmp_path / "a.tar", pages=SMALL))
    flip(kept.blob(piece.stored.key), piece.stored.size // 2)
    [problem] = kept.verify().problems
    assert problem.code == "evidence.altered"
    assert "which of the archive, only one of its keys can tell" in problem.what


# --- who reads --------------------------------------------------------------------------------
def test_an_index_that_was_put_in_place_of_the_sealed_one_leads_nobody_astray(
    kept: Kept, tmp_path: Path
) -> None:
    piece = kept.add(packed(tmp_path / "a.tar.gz", SMALL))
    assert piece.stored.index is not None
    with FileSource(packed(tmp_path / "b.tar.gz", SMALL + 512)) as source, open_archive(source) as other:
        other.size = piece.size
        forged = cache.dump(other, index_key(piece.stored.sha256))
    assert forged is not None
    kept.blob(piece.stored.index).write_bytes(forged)
    assert codes(kept.verify()) == {"evidence.index"}
    with kept.store() as store:
        _, source = store.open(CASE, piece.sha256, action="read")
        with open_archive(source, cache=index_cache(piece.stored, forged)) as opened:
            assert opened.members["checkpoint/pages-1.img"].size == SMALL


@pytest.mark.parametrize("column", ["name", "container", "size", "manifest", "stored", "sha256"])
def test_nobody_reads_by_a_row_that_was_edited(kept: Kept, piece: Piece, tmp_path: Path, column: str) -> None:
    other = kept.add(archive(tmp_path / "b.tar", seed=2, pages=SMALL))
    with sqlite3.connect(kept.database) as connection:
        query = f"select {column} from evidence_pieces where sha256 = ?"
        [value] = connection.execute(query, (other.sha256,)).fetchone()
        connection.execute("delete from evidence_pieces where sha256 = ?", (other.sha256,))
    connection.close()
    forged = {"container": "web", "size": piece.size + 1}.get(column, value)
    kept.sql(f"update evidence_pieces set {column} = ?", forged)
    with kept.store() as store, pytest.raises(EvidenceError) as raised:
        store.open(CASE, other.sha256 if column == "sha256" else piece.sha256, action="read")
    assert raised.value.code == "evidence.manifest"


def test_evidence_of_another_case_is_not_read_in_the_name_of_this_one(kept: Kept, piece: Piece) -> None:
    with kept.store() as store:
        store.new_case("other")
        kept.sql("update evidence_pieces set 'case' = 'other'")
        with pytest.raises(EvidenceError) as raised:
            store.open("other", piece.sha256, action="read")
    assert raised.value.code == "evidence.manifest"


# --- what goes --------------------------------------------------------------------------------
def test_a_row_alone_has_nothing_taken_away(kept: Kept, piece: Piece) -> None:
    kept.sql("update evidence_pieces set state = 'pruning'")
    with kept.store() as store:
        assert store.finish() == []
        kept.sql("delete from evidence_pieces")
        store.clock = lambda: clock.later(clock.now(), 200_000)
        assert store.sweep().orphans == []
    assert kept.blob(piece.stored.key).is_file()


@pytest.mark.parametrize("action", ["release", "prune"])
def test_an_entry_of_another_key_has_nothing_taken_away(
    kept: Kept, piece: Piece, tmp_path: Path, action: str
) -> None:
    stranger = keys.signer(str(tmp_path / "stranger.pem"))
    with kept.store() as store:
        store.hold(CASE, reference=piece.sha256) if action == "release" else None
        draft = Draft(action=action, operator="x", host="x", piece=piece.sha256)
        store.catalogue.append(CASE, custody.sign_next(draft, CASE, stranger, clock.now))
        store.note(CASE, "signed with the key, behind it")
        assert store.finish() == []
        failures = prune(store, [rule(size="1")], dry_run=False).failures
    assert [error.code for _, error in failures] == ["custody.signer-unknown"] * (action == "release")
    assert kept.blob(piece.stored.key).is_file()


@pytest.mark.parametrize(
    "edit",
    [
        "update evidence_pieces set holds = 0",
        "update evidence_pieces set stored = replace(stored, 'cases/', 'cases/x')",
        "delete from evidence_entries where number = 3",
    ],
)
def test_a_hold_wins_whatever_the_rows_say(kept: Kept, piece: Piece, edit: str) -> None:
    with kept.store() as store:
        store.hold(CASE, reference=piece.sha256)
        store.note(CASE, "behind it")
        kept.sql(edit)
        kept.sql("update evidence_pieces set holds = 0")
        answer = prune(store, [rule(size="1")], dry_run=False)
    assert [error.code for _, error in answer.failures] in (["custody.catalogue"], ["custody.chain"])
    assert kept.blob(piece.stored.key).is_file()


# --- what is exported -------------------------------------------------------------------------
def test_a_bundle_has_what_the_log_says_and_not_the_rows(kept: Kept, piece: Piece, tmp_path: Path) -> None:
    kept.sql("update evidence_pieces set name = 'forged', sha256 = '../../../escaped', state = 'kept'")
    kept.sql("update evidence_cases set head = 1, description = 'forged'")
    bundle = tmp_path / "deep" / "in" / "bundle"
    bundle.parent.mkdir(parents=True)
    assert exported(kept, bundle).entries == 2
    assert not any("escaped" in path.name for path in tmp_path.rglob("*"))
    assert not any(b"forged" in path.read_bytes() for path in bundle.rglob("*") if path.is_file())
    assert verify_bundle(str(bundle), kept.trust, now=LATER).holds


@pytest.mark.parametrize("name", ["../out", "evidence/../../out", "/out", "evidence/$(id)", "a/b/c"])
def test_a_bundle_is_written_nowhere_else(tmp_path: Path, name: str) -> None:
    from cryoscope.evidence.bundle.writing import Folder

    with (
        pytest.raises(UsageError) as raised,
        Folder(str(tmp_path / "bundle"), lambda _: None) as folder,
    ):
        folder.put(name, b"x")
    assert raised.value.code == "bundle.name"
    assert not any(tmp_path.iterdir())


def test_evidence_of_a_bundle_that_its_index_does_not_tell_of_is_a_problem(
    kept: Kept, piece: Piece, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    exported(kept, bundle, plain=True)
    index = json.loads((bundle / "bundle.json").read_bytes())
    index["files"] = {}
    (bundle / "bundle.json").write_text(json.dumps(index))
    flip(bundle / "evidence" / f"{piece.sha256}.tar", SMALL // 2)
    unsigned(bundle)
    assert codes(verify_bundle(str(bundle), kept.trust, now=LATER)) == {"bundle.extra", "bundle.unsigned"}


def test_bytes_that_nobody_can_decrypt_need_a_signed_list(kept: Kept, piece: Piece, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    exported(kept, bundle, plain=True)
    shutil.move(bundle / "evidence" / f"{piece.sha256}.tar", bundle / "evidence" / f"{piece.sha256}.tar.age")
    index = json.loads((bundle / "bundle.json").read_bytes())
    index["files"][piece.sha256] |= {"forms": ["age"], "recipients": ["age1x"]}
    (bundle / "bundle.json").write_text(json.dumps(index))
    unsigned(bundle)
    assert "bundle.unsigned" in codes(verify_bundle(str(bundle), kept.trust, now=LATER))


def unsigned(bundle: Path) -> None:
    """A list of files that fits what is there, signed by nobody."""
    import hashlib

    for name in ("SHA256SUMS", "SHA256SUMS.pae", "SHA256SUMS.sig"):
        (bundle / name).unlink()
    files = sorted(path for path in bundle.rglob("*") if path.is_file())
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(bundle)}\n" for p in files]
    (bundle / "SHA256SUMS").write_text("".join(lines))


@pytest.mark.parametrize("name", ["SHA256SUMS", "SHA256SUMS.pae", "SHA256SUMS.sig"])
def test_a_part_of_the_signed_list_that_is_gone_is_a_problem(
    kept: Kept, piece: Piece, tmp_path: Path, name: str
) -> None:
    exported(kept, tmp_path / "bundle")
    (tmp_path / "bundle" / name).unlink()
    assert verify_bundle(str(tmp_path / "bundle"), kept.trust, now=LATER).problems


# --- as a user asks ---------------------------------------------------------------------------
@pytest.fixture
def place(tmp_path: Path, data: Path) -> Place:
    place = Place(tmp_path)
    place.run("case", "new", "night")
    place.run("case", "add", "night", data / "crio-counter.tar")
    return place


def edit(place: Place, *statements: str) -> None:
    with sqlite3.connect(place.home / "catalogue.sqlite") as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_a_bundle_is_held_against_the_witness(place: Place) -> None:
    bundle, witness = place.folder / "bundle", place.folder / "witness"
    place.run("case", "export", "night", "-o", bundle)
    place.run("case", "note", "night", "later")
    witness.write_text(place.json("case", "head", "night")[0]["witness"])
    place.run("case", "verify", "--bundle", bundle)
    [found] = place.json("case", "verify", "--bundle", bundle, "--expect-head", witness, code=1)
    assert [problem["code"] for problem in found["problems"]] == ["custody.rolled-back"]


def test_verifying_all_misses_no_case_that_was_taken_out_of_the_catalogue(place: Place) -> None:
    edit(place, "delete from evidence_cases")
    found = place.json("case", "verify", code=1)
    assert "custody.catalogue" in {problem["code"] for problem in found[0]["problems"]}
    edit(place, "delete from evidence_entries")
    assert b"night" in place.ran("case", "verify").stderr
    edit(place, "delete from evidence_pieces")
    assert place.ran("case", "verify").returncode == 1
    shutil.rmtree(place.home / "blobs" / "cases")
    place.run("case", "verify")


def test_what_is_wrong_is_told_where_the_log_takes_no_entry(place: Place) -> None:
    edit(
        place,
        "update evidence_pieces set name = 'other'",
        "create trigger no before insert on evidence_entries begin select raise(abort, 'no'); end",
    )
    [found] = place.json("case", "verify", "night", code=1)
    assert {problem["code"] for problem in found["problems"]} == {"custody.catalogue"}


def test_no_key_counts_that_lies_in_the_store(place: Place) -> None:
    key = place.folder / "config" / "cryoscope" / "keys" / "signing.pem.pub"
    for folder in (place.home, place.folder / "elsewhere"):
        folder.mkdir(exist_ok=True)
        shutil.copy(key, folder / "colleague.pub")
        more = f'[keys]\ntrusted = ["{folder}/colleague.pub"]\n[store]\nblobs = "{place.folder}/elsewhere"\n'
        place.settings.write_text(more)
        assert b"colleague.pub lies in the store" in place.ran("case", "verify").stderr
    place.settings.write_text(f'[keys]\nsigning = "{folder}/own.pem"\n[store]\nblobs = "{folder}"\n')
    assert place.ran("case", "keys").returncode == 2
    assert not (folder / "own.pem").exists()


def test_a_link_in_the_place_of_the_catalogue_is_not_followed(kept: Kept, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.sqlite"
    shutil.move(kept.database, elsewhere)
    kept.database.symlink_to(elsewhere)
    with pytest.raises(EvidenceError) as raised:
        kept.verify()
    assert raised.value.code == "evidence.catalogue-unwritable"


def test_a_row_that_was_made_up_keeps_nothing_else_from_being_told(kept: Kept, piece: Piece) -> None:
    flip(kept.blob(piece.stored.key), piece.stored.size // 2)
    copy = "name, size, format, added, operator, holds, manifest"
    kept.sql(
        f"insert into evidence_pieces ('case', sha256, state, stored, {copy})"
        f" select 'night', 'made up', 'gone', replace(stored, 'cases/', '../'), {copy} from evidence_pieces"
    )
    assert {"evidence.member", "evidence.unreadable", "custody.catalogue"} <= codes(kept.verify())


def test_a_row_where_the_next_entry_belongs_is_told(kept: Kept, piece: Piece) -> None:
    names = "'case', hash, key_id, signature, body"
    kept.sql(
        f"insert into evidence_entries (number, {names})"
        ' select 3, "case", hash, key_id, signature, body from evidence_entries where number = 2'
    )
    with kept.store() as store, pytest.raises(EvidenceError) as raised:
        store.note(CASE, "the next one")
    assert raised.value.code == "custody.chain"
