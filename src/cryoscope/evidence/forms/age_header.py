"""The header of a file that age encrypted, and the key in it.

age-encryption.org/v1 (C2SP, age.md): a version line, a stanza for each recipient with the file key in it,
and a MAC over all of that under the file key.  X25519 stanzas are opened; others are passed over.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cryoscope import limits, needs
from cryoscope.checkpoint.archive import ByteSource
from cryoscope.evidence.forms.identities import Identity
from cryoscope.evidence.ports import EvidenceError
from cryoscope.text import readable

VERSION = b"age-encryption.org/v1\n"
INTRO = b"age-encryption.org/"
COLUMNS = 64
FILE_KEY, NONCE, TAG, MAC = 16, 16, 16, 32
ARGUMENT = re.compile(rb"[\x21-\x7e]+")


class AgeHeaderError(EvidenceError):
    """The header is no header of age, or was altered."""

    default_code = "evidence.age-header"


class NoIdentity(EvidenceError):
    """None of the keys opens it."""

    default_code = "evidence.no-identity"


class Stanza(NamedTuple):
    """The file key for one recipient: `arguments`, of which the first says what kind it is, and a body."""

    arguments: list[bytes]
    body: bytes


class Header(NamedTuple):
    """`size` is where the payload begins, `signed` what the `mac` is over."""

    stanzas: list[Stanza]
    signed: bytes
    mac: bytes
    size: int


def read_header(source: ByteSource) -> Header:
    """The header at the beginning of a source.

    Raises AgeHeaderError for anything that the format does not allow, and for a header of more than
    limits.AGE_HEADER bytes.
    """
    data = source.read_at(0, 1 << 12)
    if not data.startswith(VERSION):
        raise _not_age(data)
    while True:
        whole = len(data) >= limits.AGE_HEADER or len(data) == source.size
        found = _parse(data)
        if found is not None:
            return found
        more = b"" if whole else source.read_at(len(data), len(data))
        if not more:
            raise _wrong(
                "it does not end" if not whole or len(data) < limits.AGE_HEADER else "it is too long"
            )
        data += more


def file_key(header: Header, identities: Sequence[Identity]) -> bytes:
    """The file key, by the first identity that a stanza is for.

    Raises NoIdentity (`evidence.no-identity`), and AgeHeaderError where a stanza breaks the format or the
    MAC does not hold.
    """
    kinds = [stanza.arguments[0] for stanza in header.stanzas]
    if b"scrypt" in kinds and len(kinds) > 1:
        raise _wrong("a passphrase stands beside other recipients")
    for stanza in header.stanzas:
        if stanza.arguments[0] == b"X25519":
            share = _share(stanza)
            for identity in identities:
                key = _unwrapped(share, stanza.body, identity)
                if key is not None:
                    _demand_mac(header, key)
                    return key
    raise _no_identity(kinds, len(identities))


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """HKDF-SHA-256 of RFC 5869 with 32 bytes out: one round."""
    extracted = hmac.digest(salt or bytes(32), secret, hashlib.sha256)
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)


def _parse(data: bytes) -> Header | None:
    """The header in some bytes; None if there must be more of it."""
    lines = _lines(data, len(VERSION))
    stanzas: list[Stanza] = []
    for start, line in lines:
        if line.startswith(b"---"):
            if not stanzas:
                raise _wrong("it names no recipient")
            if line[3:4] != b" ":
                raise _wrong("its last line is broken")
            mac = _base64(line[4:], MAC)
            return Header(stanzas, data[: start + 3], mac, start + len(line) + 1)
        arguments = line[3:].split(b" ") if line.startswith(b"-> ") else []
        if not arguments or not all(ARGUMENT.fullmatch(argument) for argument in arguments):
            raise _wrong("a line is no stanza")
        body = _body(lines)
        if body is None:
            return None
        if len(stanzas) == limits.AGE_RECIPIENTS:
            raise _wrong(f"it names more than {len(stanzas)} recipients")
        stanzas.append(Stanza(arguments, body))
    return None


def _lines(data: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    """Whole lines with their offsets."""
    while (end := data.find(b"\n", start)) >= 0:
        yield start, data[start:end]
        start = end + 1


def _body(lines: Iterator[tuple[int, bytes]]) -> bytes | None:
    text = b""
    for _, line in lines:
        if len(line) > COLUMNS:
            raise _wrong("a line is too long")
        text += line
        if len(line) < COLUMNS:
            return _base64(text)
    return None


def _base64(text: bytes, size: int | None = None) -> bytes:
    """Canonical base64 without padding; AgeHeaderError if it is not."""
    try:
        data = b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (Error, ValueError):
        raise _wrong("its base64 is broken") from None
    if b64encode(data).rstrip(b"=") != text or size not in (None, len(data)):
        raise _wrong("its base64 is broken")
    return data


def _share(stanza: Stanza) -> bytes:
    if len(stanza.arguments) != 2 or len(stanza.body) != FILE_KEY + TAG:
        raise _wrong("an X25519 stanza is broken")
    return _base64(stanza.arguments[1], 32)


def _unwrapped(share: bytes, body: bytes, identity: Identity) -> bytes | None:
    """The file key in a stanza; None if it is for somebody else."""
    ciphers = needs.module("cryptography.hazmat.primitives.ciphers.aead")
    invalid = needs.module("cryptography.exceptions").InvalidTag
    try:
        shared = identity.exchange(share)
    except ValueError:
        raise _wrong("an X25519 stanza holds a point of low order") from None
    key = hkdf(shared, share + identity.public, b"age-encryption.org/v1/X25519")
    try:
        found: bytes = ciphers.ChaCha20Poly1305(key).decrypt(bytes(12), body, None)
    except invalid:
        return None
    return found


def _demand_mac(header: Header, key: bytes) -> None:
    mac = hmac.digest(hkdf(key, b"", b"header"), header.signed, hashlib.sha256)
    if not hmac.compare_digest(mac, header.mac):
        raise _wrong("its MAC does not hold")


def _no_identity(kinds: list[bytes], tried: int) -> NoIdentity:
    if b"scrypt" in kinds:
        return NoIdentity("is encrypted with a passphrase", hint="decrypt it with age -d first")
    if not tried:
        return NoIdentity("is encrypted", hint="give the key file of one of its recipients")
    # How many recipients there are is not told: age adds stanzas that are for nobody (age.md, grease).
    return NoIdentity(
        f"is encrypted to keys that are not among the {tried} given",
        hint="give the key file of one of its recipients",
    )


def _not_age(data: bytes) -> AgeHeaderError:
    if data.startswith(INTRO):
        version = readable(data[len(INTRO) : len(INTRO) + 16].partition(b"\n")[0].decode("latin-1"))
        return AgeHeaderError(f"is of version {version} of age's format", hint="only v1 is known")
    if data.startswith(b"-----BEGIN AGE"):
        return AgeHeaderError("is armored", hint="age -d reads it; evidence is kept in the binary form")
    return AgeHeaderError("is not encrypted by age")


def _wrong(what: str) -> AgeHeaderError:
    return AgeHeaderError(
        f"has a broken header: {what}",
        hint="it was altered or damaged: look for another copy",
    )
