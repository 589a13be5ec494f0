"""Private keys of openssl, ssh-keygen and gpg, in every format they write."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from made_up import RNG, some

from cryoscope.examine.secrets import BY_ID, RULES, Known, Verdict
from cryoscope.examine.secrets.armor import decoded
from cryoscope.examine.secrets.curves import CURVES, fits
from cryoscope.examine.secrets.rules import age

NOTHING = Known()
FORMATS = {
    "pkcs8-rsa": "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out KEY",
    "pkcs1-rsa": "openssl genrsa -traditional -out KEY 2048",
    "pkcs8-ec": "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out KEY",
    "pkcs8-p384": "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out KEY",
    "sec1-ec": "openssl ecparam -name secp256k1 -genkey -noout -out KEY",
    "sec1-p521": "openssl ecparam -name secp521r1 -genkey -noout -out KEY",
    "pkcs8-ed25519": "openssl genpkey -algorithm ed25519 -out KEY",
    "pkcs8-x25519": "openssl genpkey -algorithm x25519 -out KEY",
    "pkcs8-encrypted": "openssl genpkey -algorithm ed25519 -aes256 -pass pass:abcd -out KEY",
    "pkcs1-encrypted": "openssl genrsa -traditional -aes128 -passout pass:abcd -out KEY 2048",
    "openssh-ed25519": "ssh-keygen -q -t ed25519 -N '' -C here -f KEY",
    "openssh-rsa": "ssh-keygen -q -t rsa -b 2048 -N '' -C here -f KEY",
    "openssh-ecdsa": "ssh-keygen -q -t ecdsa -N '' -C here -f KEY",
    "openssh-encrypted": "ssh-keygen -q -t ed25519 -N abcdef -f KEY",
}


def judged(rule: str, data: bytes) -> list[Verdict]:
    """What a rule says of bytes in which its pattern matches."""
    found = [*dict.fromkeys(m[0] for p in BY_ID[rule].patterns for m in re.finditer(p, data, re.DOTALL))]
    return [verdict for match in found for verdict in BY_ID[rule].judge(match, NOTHING)]


@pytest.fixture(scope="module", params=FORMATS)
def key(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bytes]:
    command = FORMATS[request.param]
    if shutil.which(command.split()[0]) is None:
        pytest.skip(f"{command.split()[0]} is not here")
    path = tmp_path_factory.mktemp("keys") / "key"
    subprocess.run(command.replace("KEY", str(path)), shell=True, check=True, capture_output=True)
    return request.param, path.read_bytes()


def test_a_key_in_pem(key: tuple[str, bytes]) -> None:
    name, text = key
    (found,) = judged("private-key-pem", b"before " + text + b"\0after")
    assert found.confidence == ("high" if name.endswith(("encrypted", "p521", "25519")) else "certain") or (
        name == "openssh-ed25519"
    )
    assert found.details["encrypted"] is name.endswith("encrypted")
    assert found.at == 0


def test_a_key_however_its_lines_end(key: tuple[str, bytes]) -> None:
    _, text = key
    values = {
        judged("private-key-pem", text.replace(b"\n", end) + b"\0")[0].value
        for end in (b"\n", b"\r\n", b"\\n", b"\\\\n", b"\\r\\n")
    }
    assert len(values) == 1


def test_a_key_as_base64_of_its_pem(key: tuple[str, bytes]) -> None:
    name, text = key
    found = judged("private-key-base64", b"client-key-data: " + base64.b64encode(text) + b"\n")
    assert len(found) == 1, name


def test_a_key_as_bytes(key: tuple[str, bytes]) -> None:
    name, text = key
    if name.endswith("encrypted") and not name.startswith("openssh"):
        return
    rule = "private-key-openssh" if name.startswith("openssh") else "private-key-der"
    body = text.partition(b"KEY-----\n")[2].partition(b"-----END")[0]
    found = judged(rule, b"\x01\x02" + decoded(b"".join(body.split())) + bytes(20) + b"more" * 40)
    values = {v.value for v in found}
    assert any(
        all(other in value for other in values) for value in values
    )  # one key, and what is inside of it


def test_a_key_of_which_a_bit_is_wrong_is_none(key: tuple[str, bytes]) -> None:
    name, text = key
    if name not in ("pkcs8-rsa", "pkcs1-rsa", "pkcs8-ec", "pkcs8-p384", "sec1-ec"):
        return
    body = text.partition(b"KEY-----\n")[2].partition(b"-----END")[0]
    raw = bytearray(decoded(b"".join(body.split())))
    raw[len(raw) // 2] ^= 1
    assert judged("private-key-der", bytes(raw) + bytes(64)) == []


def test_headers_alone_are_nothing() -> None:
    for label in (b"", b"RSA ", b"EC ", b"OPENSSH ", b"ENCRYPTED "):
        text = b"-----BEGIN " + label + b"PRIVATE KEY-----"
        for behind in (b"\0" * 200, b"\n" + b"A" * 200, b"\n%s\n" * 50, b"\n" + some(300).encode()):
            assert judged("private-key-pem", text + behind) == []


def test_no_judge_raises_whatever_the_bytes() -> None:
    for rule in RULES:
        for size in (0, 1, 30, 500):
            [*rule.judge(RNG.randbytes(size), NOTHING)]
            [*rule.judge(b"\x30\x82\x01\x00\x02\x01\x00\x02\x81" + RNG.randbytes(size), NOTHING)]
            [*rule.judge(b"eyJ0.eyJ1." + some(size).encode(), NOTHING)]


@pytest.mark.parametrize("oid", CURVES)
def test_curves_against_cryptography(oid: str) -> None:
    ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec")
    known = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "secp256k1": ec.SECP256K1}
    secret = RNG.getrandbits(255)
    public = ec.derive_private_key(secret, known[CURVES[oid].name]()).public_key().public_numbers()
    assert fits(CURVES[oid], secret, public.x, public.y)
    assert not fits(CURVES[oid], secret + 1, public.x, public.y)


def test_bech32() -> None:
    values = [b"qpzry9x8gf2tvdw0s3jn54khce6mua7l".index(byte) for byte in b"2uel5l"]
    assert age.checksum(b"a", values) == 1  # BIP 173: A12UEL5L
    body = [RNG.randrange(32) for _ in range(52)]
    total = age.checksum(age.PREFIX, [*body, 0, 0, 0, 0, 0, 0]) ^ 1
    whole = body + [total >> 5 * (5 - place) & 31 for place in range(6)]
    text = age.PREFIX + b"1" + bytes(age.ALPHABET[value] for value in whole)
    assert [v.confidence for v in judged("age-secret-key", text + b"\n")] == ["certain"]
    assert judged("age-secret-key", text[:-1] + (b"Q" if text[-1:] != b"Q" else b"P")) == []


@pytest.mark.parametrize("version", [2, 3])
def test_putty(version: int) -> None:
    public, private = RNG.randbytes(51), RNG.randbytes(36)
    parts = (b"ssh-ed25519", b"none", b"a comment", public, private)
    text = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    old = hashlib.sha1(b"putty-private-key-file-mac-key").digest()
    mac = hmac.new(old, text, "sha1") if version == 2 else hmac.new(b"", text, "sha256")

    def lines(data: bytes) -> str:
        packed = base64.b64encode(data).decode()
        return "\n".join(packed[at : at + 64] for at in range(0, len(packed), 64))

    file = (
        f"PuTTY-User-Key-File-{version}: ssh-ed25519\nEncryption: none\nComment: a comment\nPublic-Lines: 2\n"
        f"{lines(public)}\nPrivate-Lines: 1\n{lines(private)}\nPrivate-MAC: {mac.hexdigest()}\n"
    ).encode()
    (found,) = judged("private-key-putty", file)
    assert found.confidence == "certain"
    assert found.details["fingerprint"].startswith("SHA256:")


@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not here")
def test_pgp(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    gpg = ["gpg", "--homedir", str(tmp_path), "--batch", "--passphrase", "", "--pinentry-mode", "loopback"]
    made = subprocess.run([*gpg, "--quick-gen-key", "nobody", "rsa2048"], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("gpg makes no key here")
    text = subprocess.run([*gpg, "--armor", "--export-secret-keys"], capture_output=True, check=True).stdout
    raw = subprocess.run([*gpg, "--export-secret-keys"], capture_output=True, check=True).stdout
    subprocess.run(["gpgconf", "--homedir", str(tmp_path), "--kill", "all"], check=False, capture_output=True)
    (armoured,) = judged("private-key-pgp", b"x" + text)
    assert armoured.confidence == "certain"
    assert armoured.details["algorithm"] == "RSA"
    found = judged("private-key-pgp-packet", b"\0" + raw + bytes(300))
    assert found
    assert {v.confidence for v in found} == {"certain"}
