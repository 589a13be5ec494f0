"""Private keys that open evidence: age's own key files, as `age-keygen` writes them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import Any

from cryoscope import limits, needs
from cryoscope.errors import UsageError
from cryoscope.evidence.forms import bech32
from cryoscope.evidence.ports import EvidenceError
from cryoscope.text import readable

SECRET, PUBLIC = "age-secret-key-", "age"
X25519 = "hazmat.primitives.asymmetric.x25519"
HINT = "give a file that age-keygen wrote (AGE-SECRET-KEY-1…)"


class IdentityError(EvidenceError):
    """A key file that holds no key that can be used."""

    default_code = "evidence.identity"


class RecipientError(EvidenceError):
    """What was given as a recipient is none: a mistake of who asked."""

    exit_code = UsageError.exit_code

    default_code = "evidence.recipient"


class Identity:
    """An X25519 key pair of age; `recipient` is its public half as text.  The private half is never shown."""

    __slots__ = ("_private", "public", "recipient")

    def __init__(self, secret: bytes) -> None:
        x25519 = needs.module(f"cryptography.{X25519}")
        self._private = x25519.X25519PrivateKey.from_private_bytes(secret)
        self.public: bytes = self._private.public_key().public_bytes_raw()
        self.recipient = bech32.encode(PUBLIC, self.public)

    def exchange(self, share: bytes) -> bytes:
        """The secret shared with whoever made the public `share`; ValueError if that is none."""
        x25519: Any = needs.module(f"cryptography.{X25519}")
        secret: bytes = self._private.exchange(x25519.X25519PublicKey.from_public_bytes(share))
        return secret

    def __repr__(self) -> str:
        return f"<Identity {self.recipient}>"


def load_identities(paths: Iterable[str | os.PathLike[str]]) -> list[Identity]:
    """The keys in age's key files: one a line, `#` begins a comment.

    Raises IdentityError `evidence.identity` for a file that cannot be read, is larger than
    limits.AGE_IDENTITIES, holds no key, or holds a line that is no key of a kind that is known here.
    """
    return [identity for path in paths for identity in _file(os.fspath(path))]


def _file(path: str) -> list[Identity]:
    name = readable(path)
    try:
        text = _text(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise IdentityError(f"{name} cannot be read: {reason}", hint=HINT) from None
    found = [
        _identity(line.strip(), f"line {number} of {name}")
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not found:
        raise IdentityError(f"there is no key in {name}", hint=HINT)
    return found


def _text(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise IdentityError(f"{readable(path)} is no regular file", hint=HINT)
        data = file.read(limits.AGE_IDENTITIES + 1)
    if len(data) > limits.AGE_IDENTITIES:
        raise IdentityError(f"{readable(path)} is too large for a key file", hint=HINT)
    return data.decode("ascii")


def _identity(line: str, where: str) -> Identity:
    """The key in a line, which is never quoted: it may be a secret with one letter wrong."""
    try:
        prefix, secret = bech32.decode(line)
    except ValueError:
        raise IdentityError(f"{where} is no key of age", hint=HINT) from None
    if prefix != SECRET or len(secret) != 32:
        raise IdentityError(f"{where} is a key of a kind that is not known here", hint=HINT)
    return Identity(secret)


def check_recipients(recipients: Iterable[str]) -> list[str]:
    """The recipients, each once, in their order; RecipientError `evidence.recipient` for what is none."""
    found = list(dict.fromkeys(recipient.strip() for recipient in recipients))
    for recipient in found:
        try:
            prefix, public = bech32.decode(recipient)
        except ValueError:
            prefix, public = "", b""
        if recipient != recipient.lower() or prefix != PUBLIC or len(public) != 32:
            shown = "a private key" if prefix.startswith("age-secret") else readable(recipient)[:80]
            raise RecipientError(
                f"{shown} is no recipient", hint="give a public key of age: age1…, 62 letters and digits"
            )
    if len(found) > limits.AGE_RECIPIENTS:
        raise RecipientError(f"more than {limits.AGE_RECIPIENTS} recipients")
    return found
