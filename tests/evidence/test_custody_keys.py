"""Keys are made once, kept private, and only the trusted ones count; envelopes are DSSE's."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from cryoscope.evidence import dsse, keys, statement
from cryoscope.evidence.records import Manifest, MemberDigest, Stored


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "keys" / "signing.pem")


def manifest(name: str = "a.tar", stored: str = "b") -> Manifest:
    return Manifest(
        name=name,
        size=9,
        sha256="a" * 64,
        format="tar",
        added="2026-01-01T00:00:00.000000Z",
        operator="ida",
        host="bench",
        members=[MemberDigest(name="x", type="file", size=1, sha256="c" * 64, offset=512)],
        stored=Stored(key="cases/k", size=5, sha256=stored * 64),
    )


def test_a_key_is_made_on_first_use_and_is_nobody_elses(path: str) -> None:
    first, second = keys.signer(path), keys.signer(path)
    assert first.key_id == second.key_id
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
    assert Path(path + ".pub").read_bytes() == keys.public_pem(first)
    assert sorted(os.listdir(os.path.dirname(path))) == ["signing.pem", "signing.pem.pub"]
    assert "PRIVATE" not in repr(first)


def test_openssl_reads_the_key_and_computes_its_id(path: str) -> None:
    signer = keys.signer(path)
    der = subprocess.run(
        ["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"], capture_output=True, check=True
    ).stdout
    import hashlib

    assert hashlib.sha256(der).hexdigest() == signer.key_id


def test_a_key_of_openssl_signs(tmp_path: Path) -> None:
    path = tmp_path / "own.pem"
    command = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    path.chmod(0o600)
    signer = keys.signer(str(path))
    assert keys.trust([], own=signer).verify(signer.key_id, signer.sign("t", b"x"), "t", b"x") is None


def test_two_first_uses_at_once_get_one_key(path: str) -> None:
    script = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        f"from cryoscope.evidence import keys\nsys.stdin.read(1)\nprint(keys.signer({path!r}).key_id)"
    )
    racers = [
        subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write(b"x")
        racer.stdin.flush()
    found = {racer.communicate()[0] for racer in racers}
    assert found == {keys.signer(path).key_id.encode() + b"\n"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_key_that_others_can_read_is_refused(path: str, mode: int) -> None:
    keys.signer(path)
    os.chmod(path, mode)
    with pytest.raises(keys.KeyWrong) as caught:
        keys.signer(path)
    assert caught.value.code == "evidence.key-mode"


def test_a_key_in_the_store_is_refused_also_behind_a_link(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    (tmp_path / "link").symlink_to(store)
    for place in (store / "key.pem", tmp_path / "link" / "key.pem"):
        with pytest.raises(keys.KeyWrong) as caught:
            keys.signer(str(place), store=str(store))
        assert caught.value.code == "evidence.key-in-store"
        assert not place.exists()
    keys.signer(str(tmp_path / "store-keys.pem"), store=str(store))


@pytest.mark.parametrize("kind", ["nothing", "public", "rsa", "folder", "large", "passphrase"])
def test_what_is_no_key_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "key.pem"
    good = keys.signer(str(tmp_path / "good.pem"))
    texts = {
        "nothing": b"",
        "public": good.public,
        "rsa": rsa.generate_private_key(65537, 2048).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ),
        "large": b"x" * 100_000,
    }
    if kind == "folder":
        path.mkdir(0o700)
    elif kind == "passphrase":
        command = [
            "openssl",
            "genpkey",
            "-algorithm",
            "ed25519",
            "-aes256",
            "-pass",
            "pass:x",
            "-out",
            str(path),
        ]
        subprocess.run(command, check=True, capture_output=True)
    else:
        path.write_bytes(texts[kind])
    if kind != "folder":
        path.chmod(0o600)
    with pytest.raises(keys.KeyWrong) as caught:
        keys.signer(str(path))
    assert caught.value.hint


def test_trust_takes_several_keys_a_file_and_refuses_others(tmp_path: Path) -> None:
    signers = [keys.signer(str(tmp_path / f"{n}.pem")) for n in range(3)]
    both = tmp_path / "both.pub"
    both.write_bytes(b"# mine\n" + signers[0].public + signers[1].public)
    trust = keys.trust([str(both)], own=signers[2])
    assert trust.key_ids == sorted(signer.key_id for signer in signers)
    for bad in (b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        both.write_bytes(bad)
        with pytest.raises(keys.KeyWrong):
            keys.trust([str(both)])
    with pytest.raises(keys.KeyWrong):
        keys.trust([str(tmp_path / "none.pub")])


def test_the_encoding_is_that_of_the_specification() -> None:
    # secure-systems-lab/dsse, protocol.md: PAE("http://example.com/HelloWorld", "hello world")
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert dsse.pae("\u00e9", b"") == b"DSSEv1 2 \xc3\xa9 0 "


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), st.binary(max_size=300))
def test_what_was_sealed_comes_out_and_nothing_else_is_believed(kind: str, payload: bytes) -> None:
    signer = keys.KeySigner(ed25519.Ed25519PrivateKey.generate())
    trust = keys.trust([], own=signer)
    sealed = dsse.envelope(kind, payload, signer)
    found = dsse.opened(sealed, trust)
    assert (found.payload_type, found.payload, found.key_id, found.problem) == (
        kind,
        payload,
        signer.key_id,
        None,
    )
    other = keys.trust([], own=keys.KeySigner(ed25519.Ed25519PrivateKey.generate()))
    assert dsse.opened(sealed, other).problem == "evidence.signer-unknown"
    parts = json.loads(sealed)
    for changed in (
        {"payload": base64.b64encode(payload + b"x").decode()},
        {"payloadType": kind + "x"},
        {"signatures": []},
        {"signatures": [{"keyid": signer.key_id, "sig": ""}]},
    ):
        assert dsse.opened(json.dumps(parts | changed).encode(), trust).problem is not None


@given(st.binary(max_size=200))
def test_any_bytes_are_an_envelope_or_a_problem(data: bytes) -> None:
    assert dsse.opened(data, keys.KeyTrust({})).problem is not None


def test_one_good_signature_of_several_is_enough(path: str, tmp_path: Path) -> None:
    signer, other = keys.signer(path), keys.signer(str(tmp_path / "other.pem"))
    mine, theirs = (json.loads(dsse.envelope("t", b"x", one)) for one in (signer, other))
    mine["signatures"] = theirs["signatures"] + mine["signatures"]
    mine["payload"] = base64.urlsafe_b64encode(b"x").decode()
    assert dsse.opened(json.dumps(mine).encode(), keys.trust([], own=signer)).problem is None


def test_every_bit_of_a_signature_counts(path: str) -> None:
    signer = keys.signer(path)
    trust, signature = keys.trust([], own=signer), signer.sign("t", b"x")
    for place in range(len(signature)):
        for bit in range(7):
            altered = signature[:place] + chr(ord(signature[place]) ^ 1 << bit) + signature[place + 1 :]
            assert trust.verify(signer.key_id, altered, "t", b"x") is not None, (place, bit)


def test_a_manifest_is_an_in_toto_statement_of_archive_and_stored_bytes(path: str) -> None:
    signer = keys.signer(path)
    sealed = statement.seal(manifest(), signer)
    said = json.loads(base64.b64decode(json.loads(sealed)["payload"]))
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["subject"] == [
        {"name": "a.tar", "digest": {"sha256": "a" * 64}},
        {"name": "cases/k", "digest": {"sha256": "b" * 64}},
    ]
    found = statement.unseal(sealed, keys.trust([], own=signer))
    assert (found.manifest, found.key_id, found.problem) == (manifest(), signer.key_id, None)
    assert len(json.loads(statement.payload(manifest(stored="a")))["subject"]) == 1


def test_a_signed_statement_of_something_else_is_not_believed(path: str) -> None:
    signer = keys.signer(path)
    trust = keys.trust([], own=signer)
    said = json.loads(statement.payload(manifest()))
    for changed in (
        {"_type": "https://in-toto.io/Statement/v0.1"},
        {"predicateType": "urn:other"},
        {"subject": []},
        {"predicate": {}},
    ):
        sealed = dsse.envelope(statement.MEDIA, json.dumps(said | changed).encode(), signer)
        assert statement.unseal(sealed, trust).problem == "evidence.statement"
    other = dsse.envelope("text/plain", statement.payload(manifest()), signer)
    assert statement.unseal(other, trust).problem == "evidence.statement"
