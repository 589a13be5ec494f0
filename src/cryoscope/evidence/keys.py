"""Keys: Ed25519 (RFC 8032), private ones as PKCS #8 in PEM, public ones as SubjectPublicKeyInfo (RFC 8410).

The id of a key is the SHA-256 of its SubjectPublicKeyInfo in DER, in hex.  A private key lies outside the
store: whoever can write the store must not be able to sign for it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cryoscope import limits, needs
from cryoscope.errors import UsageError
from cryoscope.evidence import dsse
from cryoscope.evidence.ports import EvidenceError
from cryoscope.text import escape, readable

if TYPE_CHECKING:
    from cryoscope.evidence.ports import Signer, Trust

PRIVATE, PUBLIC, FOLDER = 0o600, 0o644, 0o700
BEGIN, END = b"-----BEGIN PUBLIC KEY-----", b"-----END PUBLIC KEY-----"


class KeyWrong(UsageError):
    """A key that cannot be used."""

    default_code = "evidence.key"


class KeySigner:
    """A private key that signs; `public` is its other half in PEM."""

    def __init__(self, private: Any) -> None:
        self._private = private
        self.public = _pem(private.public_key())
        self.key_id = key_id(private.public_key())

    def sign(self, payload_type: str, payload: bytes) -> str:
        """A DSSE signature, base64."""
        return base64.b64encode(self._private.sign(dsse.pae(payload_type, payload))).decode()

    def __repr__(self) -> str:
        return f"<KeySigner {self.key_id}>"


class KeyTrust:
    """Public keys by their ids."""

    def __init__(self, keys: dict[str, Any]) -> None:
        self._keys = keys

    @property
    def key_ids(self) -> list[str]:
        """The ids of all trusted keys."""
        return sorted(self._keys)

    def public(self, key: str) -> bytes | None:
        """A trusted key in PEM, by its id."""
        found = self._keys.get(key)
        return None if found is None else _pem(found)

    def verify(self, key_id: str, signature: str, payload_type: str, payload: bytes) -> str | None:
        """None if it holds, else `evidence.signer-unknown` or `evidence.signature`.

        The signature must be the one base64 of its bytes: no bit of it can differ unseen.
        """
        key = self._keys.get(key_id)
        if key is None:
            return dsse.UNKNOWN
        try:
            raw = dsse.unpacked(signature)
            if base64.b64encode(raw).decode() != signature.translate(dsse.URL_SAFE):
                return "evidence.signature"
            key.verify(raw, dsse.pae(payload_type, payload))
        except (ValueError, needs.module("cryptography.exceptions").InvalidSignature):
            return "evidence.signature"
        return None


def signer(path: str, *, store: str | None = None) -> KeySigner:
    """The key of a file, which is made on first use with its public half beside it (`.pub`).

    `store` is the folder that the key must not lie in.  Raises `KeyWrong`: `evidence.key`, `.key-mode`
    (others can read it), `.key-in-store`.
    """
    if store is not None:
        outside(path, store)
    if not os.path.lexists(path):
        _make(path)
    found = KeySigner(_private(_read(path, private=True), path))
    if not os.path.lexists(path + ".pub"):
        with contextlib.suppress(OSError):  # keys may be mounted read-only
            _once(path + ".pub", found.public, PUBLIC)
    return found


def outside(path: str, store: str) -> None:
    """Raises `KeyWrong` `evidence.key-in-store` for a key where whoever can write the store chooses it."""
    if _inside(path, store):
        raise KeyWrong(
            f"the key {_shown(path)} lies in the store",
            hint="keep it where who can write the store can neither read nor replace it; settings: keys",
            code="evidence.key-in-store",
        )


def trust(paths: Iterable[str], own: Signer | None = None) -> KeyTrust:
    """Trust in the public keys of files (PEM, one or several a file) and in a signer's own.

    Raises `KeyWrong` for a file without one.
    """
    keys: dict[str, Any] = {}
    if isinstance(own, KeySigner):
        keys |= _public(own.public, "the signing key")
    for path in paths:
        keys |= _public(_read(path, private=False), path)
    return KeyTrust(keys)


def trusted(pems: Iterable[bytes]) -> KeyTrust:
    """Trust in public keys in PEM."""
    keys: dict[str, Any] = {}
    for pem in pems:
        keys |= _public(pem, "a public key")
    return KeyTrust(keys)


def public_pem(signer: Signer) -> bytes:
    """The public half of a signer in PEM; raises `EvidenceError` where there is none to be had."""
    if isinstance(signer, KeySigner):
        return signer.public
    raise EvidenceError("the signer has no public key to give", code="evidence.key")


def key_id(public: Any) -> str:
    """SHA-256 of the SubjectPublicKeyInfo of a public key, in hex."""
    forms = _forms()
    der = public.public_bytes(forms.Encoding.DER, forms.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def _forms() -> Any:
    return needs.module("cryptography.hazmat.primitives.serialization")


def _curve() -> Any:
    return needs.module("cryptography.hazmat.primitives.asymmetric.ed25519")


def _pem(public: Any) -> bytes:
    forms = _forms()
    pem: bytes = public.public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo)
    return pem


def _make(path: str) -> None:
    """A new key; that of another process where both come at once."""
    forms = _forms()
    pem = (
        _curve()
        .Ed25519PrivateKey.generate()
        .private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
    )
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), FOLDER, exist_ok=True)
        _once(path, pem, PRIVATE)
    except OSError as error:
        raise KeyWrong(
            f"no signing key can be made at {_shown(path)}: {error.strerror}",
            hint="name another place in the settings: keys.signing",
        ) from None


def _once(path: str, data: bytes, mode: int) -> None:
    """Write a file whole or not at all, and not over one that is there."""
    folder = os.path.dirname(os.path.abspath(path))
    draft = os.path.join(folder, f".{secrets.token_hex(8)}.draft")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, mode)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


def _read(path: str, *, private: bool) -> bytes:
    """The bytes of a key's file; a private one must be nobody else's."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise KeyWrong(f"the key {_shown(path)} is no file", hint="name a file in PEM")
            if private and status.st_mode & 0o077:
                raise KeyWrong(
                    f"others can read the signing key {_shown(path)}",
                    hint=f"make a new key, or if nobody has read it: chmod 600 {_shown(path)}",
                    code="evidence.key-mode",
                )
            data = file.read(limits.KEY_FILE + 1)
    except OSError as error:
        raise KeyWrong(
            f"the key {_shown(path)} cannot be read: {error.strerror}", hint="look at the settings: keys"
        ) from None
    if len(data) > limits.KEY_FILE:
        raise KeyWrong(f"the key {_shown(path)} is larger than any key", hint="name a file in PEM")
    return data


def _private(pem: bytes, path: str) -> Any:
    """An Ed25519 private key out of PEM."""
    try:
        found = _forms().load_pem_private_key(pem, None)
    except (ValueError, TypeError, needs.module("cryptography.exceptions").UnsupportedAlgorithm):
        found = None
    if not isinstance(found, _curve().Ed25519PrivateKey):
        raise KeyWrong(
            f"{_shown(path)} holds no Ed25519 private key without a passphrase",
            hint="openssl genpkey -algorithm ed25519 makes one; so does naming a file that is not there",
        )
    return found


def _public(pem: bytes, path: str) -> dict[str, Any]:
    """The Ed25519 public keys of a text, by their ids."""
    blocks = [BEGIN + part.partition(END)[0] + END + b"\n" for part in pem.split(BEGIN)[1:]]
    try:
        keys = [_forms().load_pem_public_key(block) for block in blocks]
    except (ValueError, TypeError, needs.module("cryptography.exceptions").UnsupportedAlgorithm):
        keys = []
    if not keys or not all(isinstance(key, _curve().Ed25519PublicKey) for key in keys):
        raise KeyWrong(
            f"{_shown(path)} holds no Ed25519 public key",
            hint="the .pub file beside a signing key is one (PEM, BEGIN PUBLIC KEY)",
        )
    return {key_id(key): key for key in keys}


def _inside(path: str, folder: str) -> bool:
    """Whether a path leads into a folder, links followed."""
    home, place = os.path.realpath(folder), os.path.realpath(path)
    return os.path.commonpath([home, place]) == home


def _shown(path: str) -> str:
    return escape(readable(path))


if TYPE_CHECKING:
    _signer: type[Signer] = KeySigner
    _trust: type[Trust] = KeyTrust
