"""A bundle verifies with the tools of any system, and with Cryoscope; what is altered in it is found."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyrage
import pytest
from bundle_commands import commands, filled
from custody_store import CASE, LATER, PAGES, Kept, archive, codes, flip

from cryoscope.errors import CryoscopeError, UsageError
from cryoscope.evidence import custody, keys
from cryoscope.evidence.bundle import Exported, export, verify_bundle
from cryoscope.evidence.forms import load_identities
from cryoscope.evidence.records import Problem

NOW = "2030-01-01T00:00:00.000000Z"


def exported(kept: Kept, folder: Path, **options: Any) -> Exported:
    with kept.store() as store:
        return export(
            CASE,
            store.catalogue,
            store.blobs,
            kept.trust,
            str(folder),
            **{"signer": kept.signer, "by": "ida", "now": NOW, "version": "0.0"} | options,
        )


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    kept = Kept(tmp_path)
    kept.add(archive(tmp_path / "a.tar"))
    packed = tmp_path / "b.tar.gz"
    packed.write_bytes(gzip.compress(archive(tmp_path / "b.tar", seed=2).read_bytes(), 1))
    kept.add(packed)
    with kept.store() as store:
        store.note(CASE, 'a quote " and a \\ and\na line')
    return kept


def run(bundle: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", command], cwd=bundle, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("plain", [True, False])
def test_the_commands_of_the_readme_hold(kept: Kept, tmp_path: Path, plain: bool) -> None:
    bundle = tmp_path / "bundle"
    done = exported(kept, bundle, plain=plain)
    assert (done.pieces, done.entries) == (2, 4)
    assert not any(part.name.endswith(".incomplete") for part in tmp_path.iterdir())
    said = commands(bundle)
    assert any(one.startswith("sha256sum -c") for one in said)
    assert sum("openssl pkeyutl" in one for one in said) == 3
    assert sum("| cmp - " in one for one in said) == 3
    for command in said:
        for one in filled(bundle, command, "none"):
            if not one.startswith("cryoscope"):
                result = run(bundle, one)
                assert result.returncode == 0, (one, result)
    digests = {hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("a.tar", "b.tar.gz")}
    shown = [run(bundle, one).stdout.split()[0] for one in said if "evidence/" in one]
    assert {*shown} == digests
    names = {path.name.partition(".")[2] for path in (bundle / "evidence").iterdir()}
    assert names == ({"tar", "tar.gz"} if plain else {"tar.zst", "tar.gz"})


def test_the_key_id_in_the_readme_is_what_openssl_computes(kept: Kept, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    exported(kept, bundle)
    command = next(one for one in commands(bundle) if "openssl pkey " in one)
    assert run(bundle, filled(bundle, command, "")[0]).stdout.split()[0] == kept.signer.key_id


def test_an_altered_log_fails_the_commands_of_the_readme(kept: Kept, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    exported(kept, bundle)
    path = bundle / "custody" / "entries.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"operator":"ida"', b'"operator":"eva"', 1))
    command = next(one for one in commands(bundle) if one.startswith("diff "))
    assert run(bundle, command).returncode == 1
    last = bundle / "custody" / "last.pae"
    flip(last, 50)
    command = next(one for one in commands(bundle) if "last.pae -sigfile" in one)
    assert run(bundle, command).returncode == 1


def test_encrypted_evidence_is_exported_as_stored_plain_or_to_others(tmp_path: Path) -> None:
    mine, other = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    for name, identity in (("mine", mine), ("other", other)):
        (tmp_path / name).write_text(f"{identity}\n")
        (tmp_path / name).chmod(0o600)
    kept = Kept(tmp_path, recipients=(str(mine.to_public()),))
    path = archive(tmp_path / "a.tar")
    piece = kept.add(path)
    identities = load_identities([str(tmp_path / "mine")])
    with pytest.raises(CryoscopeError) as caught:
        exported(kept, tmp_path / "no", plain=True)
    assert caught.value.code == "evidence.no-identity"
    assert not [part for part in tmp_path.iterdir() if part.name.startswith("no")]
    exported(kept, tmp_path / "stored")
    exported(kept, tmp_path / "plain", plain=True, identities=identities)
    exported(kept, tmp_path / "others", recipients=[str(other.to_public())], identities=identities)
    stored = tmp_path / "stored" / "evidence" / f"{piece.sha256}.tar.zst.age"
    assert stored.read_bytes() == kept.blob(piece.stored.key).read_bytes()
    assert (tmp_path / "plain" / "evidence" / f"{piece.sha256}.tar").read_bytes() == path.read_bytes()
    sent = (tmp_path / "others" / "evidence" / f"{piece.sha256}.tar.age").read_bytes()
    assert pyrage.decrypt(sent, [other]) == path.read_bytes()
    for name in ("stored", "plain", "others"):
        found = verify_bundle(str(tmp_path / name), kept.trust, now=LATER)
        assert found.holds, (name, found.problems)
        assert {note.code for note in found.notes} == (set() if name == "plain" else {"evidence.no-identity"})
    found = verify_bundle(
        str(tmp_path / "others"),
        kept.trust,
        identities=load_identities([str(tmp_path / "other")]),
        now=LATER,
    )
    assert found.holds
    assert not found.notes
    assert found.members == 4


def test_a_bundle_holds_for_who_trusts_the_key_and_for_nobody_else(kept: Kept, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    exported(kept, bundle)
    found = verify_bundle(str(bundle), kept.trust, now=LATER)
    assert found.holds
    assert (found.pieces, found.entries, found.members) == (2, 4, 8)
    stranger = keys.trust([], own=keys.signer(str(tmp_path / "other.pem")))
    assert {"custody.signer-unknown", "evidence.signer-unknown", "bundle.signature"} <= codes(
        verify_bundle(str(bundle), stranger, now=LATER)
    )
    with kept.store() as store:
        store.note(CASE, "later")
        witness = custody.read_witness(custody.witness(store.head(CASE), kept.signer))
    assert codes(verify_bundle(str(bundle), kept.trust, expect=witness, now=LATER)) == {"custody.rolled-back"}


def problems(bundle: Path, kept: Kept) -> list[Problem]:
    return verify_bundle(str(bundle), kept.trust, now=LATER).problems


def refused(bundle: Path, kept: Kept) -> None:
    """An index that cannot be read is refused; one that can is named."""
    try:
        found = problems(bundle, kept)
    except UsageError as error:
        found = [Problem(code=error.code, where="bundle.json", what="")]
    assert any(problem.where == "bundle.json" for problem in found)


def test_one_flipped_bit_in_any_file_of_a_bundle_is_found_and_named(kept: Kept, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    exported(kept, bundle)
    for path in sorted(path for path in bundle.rglob("*") if path.is_file()):
        size = path.stat().st_size
        if not size:
            continue
        name = str(path.relative_to(bundle))
        flip(path, size // 2)
        if name == "bundle.json":
            refused(bundle, kept)
        else:
            found = problems(bundle, kept)
            assert found, name
            told = {problem.where for problem in found} | {problem.member for problem in found}
            assert name in told or PAGES in told or name.startswith(("SHA256SUMS", "evidence")), (name, found)
        flip(path, size // 2)
    assert not problems(bundle, kept)


def test_a_page_of_plain_evidence_is_named(kept: Kept, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    exported(kept, bundle, plain=True)
    path = next((bundle / "evidence").glob("*.tar"))
    flip(path, path.stat().st_size // 2)
    assert [problem.member for problem in problems(bundle, kept)] == [PAGES]


def test_a_file_taken_away_or_put_in_is_named(kept: Kept, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    exported(kept, bundle)
    (bundle / "case.jsonld").unlink()
    (bundle / "custody" / "more").write_text("x")
    found = verify_bundle(str(bundle), kept.trust, now=LATER)
    assert [(one.code, one.where) for one in found.problems] == [("bundle.missing", "case.jsonld")]
    assert [(one.code, one.where) for one in found.notes] == [("bundle.extra", "custody/more")]
    evidence = next((bundle / "evidence").glob("*.gz"))
    evidence.unlink()
    assert "evidence.blob-missing" in codes(verify_bundle(str(bundle), kept.trust, now=LATER))


def test_a_bundle_leads_nowhere_else(kept: Kept, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    exported(kept, bundle)
    evidence = next((bundle / "evidence").glob("*.gz"))
    shutil.copyfile(evidence, tmp_path / "elsewhere")
    evidence.unlink()
    evidence.symlink_to(tmp_path / "elsewhere")
    assert "evidence.blob-missing" in codes(verify_bundle(str(bundle), kept.trust, now=LATER))
    with open(bundle / "SHA256SUMS", "a") as file:
        file.write("0" * 64 + "  ../../../../etc/passwd\n" + "0" * 64 + "  /etc/passwd\n")
    named = {one.where for one in problems(bundle, kept) if one.code == "bundle.missing"}
    assert {"../../../../etc/passwd", "/etc/passwd"} <= named


def test_pieces_that_were_not_chosen_or_were_pruned_have_their_manifest(kept: Kept, tmp_path: Path) -> None:
    piece = kept.add(archive(tmp_path / "c.tar", seed=3))
    with kept.store() as store:
        gone = next(one for one in store.catalogue.snapshot(CASE)[1].values() if one.name == "a.tar")
        store.prune(gone, "too old")
    bundle = tmp_path / "bundle"
    assert exported(kept, bundle, pieces=[piece.sha256, gone.sha256]).pieces == 1
    assert len([*(bundle / "manifests").glob("*.dsse.json")]) == 3
    assert len([*(bundle / "evidence").iterdir()]) == 1
    found = verify_bundle(str(bundle), kept.trust, now=LATER)
    assert found.holds
    assert [note.code for note in found.notes] == ["bundle.not-exported"]


def test_altered_evidence_is_not_exported(kept: Kept, tmp_path: Path) -> None:
    with kept.store() as store:
        piece = next(one for one in store.catalogue.snapshot(CASE)[1].values() if one.name == "a.tar")
    flip(kept.blob(piece.stored.key), piece.stored.size // 2)
    for plain in (False, True):
        with pytest.raises(CryoscopeError) as caught:
            exported(kept, tmp_path / "bundle", plain=plain)
        assert caught.value.code in ("evidence.altered", "archive.frame")
        assert not [part for part in tmp_path.iterdir() if part.name.startswith("bundle")]
    with pytest.raises(UsageError) as there:
        exported(kept, tmp_path)
    assert there.value.code == "bundle.exists"


def test_case_uco_names_every_piece_and_entry(kept: Kept, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    exported(kept, bundle)
    text = (bundle / "case.jsonld").read_bytes()
    graph = json.loads(text)["@graph"]
    kinds = [node["@type"] for node in graph]
    assert kinds.count("uco-observable:File") == kinds.count("case-investigation:ProvenanceRecord") == 2
    assert kinds.count("case-investigation:InvestigativeAction") == 4
    ids = {node["@id"] for node in graph}
    for node in graph:
        for key in ("uco-core:object", "uco-action:object", "uco-action:result", "uco-action:instrument"):
            assert {one["@id"] for one in node.get(key, [])} <= ids
    again = tmp_path / "again"
    exported(kept, again)
    assert (again / "case.jsonld").read_bytes() == text


KILLED = """
import sys
sys.path[:0] = {paths!r}
from pathlib import Path
from custody_store import Kept
from test_bundle_export import exported
kept = Kept.there(Path({home!r}))
print("go", flush=True)
exported(kept, Path({bundle!r}))
"""


@pytest.mark.long
def test_a_kill_at_any_instant_leaves_no_bundle_or_a_whole_one(kept: Kept, tmp_path: Path) -> None:
    kept.add(archive(tmp_path / "large.tar", seed=9, pages=200 << 20), frames=False)
    whole = 0
    for turn in range(20):
        bundle = tmp_path / f"bundle-{turn}"
        script = KILLED.format(paths=sys.path, home=str(tmp_path), bundle=str(bundle))
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"go\n"
            time.sleep(0.04 * turn)
            os.kill(process.pid, signal.SIGKILL)
        if bundle.exists():
            whole += 1
            assert not problems(bundle, kept)
        shutil.rmtree(bundle, ignore_errors=True)
        shutil.rmtree(f"{bundle}.incomplete", ignore_errors=True)
    assert whole < 20
