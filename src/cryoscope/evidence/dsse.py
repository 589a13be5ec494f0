"""Signed envelopes: DSSE v1 (secure-systems-lab/dsse, protocol.md and envelope.md).

What is signed is not the payload but its pre-authentication encoding, which binds the payload's type.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from cryoscope import limits
from cryoscope.evidence.ports import Signer, Trust
from cryoscope.evidence.records import Record

ENVELOPE, UNKNOWN = "evidence.envelope", "evidence.signer-unknown"


class Signature(msgspec.Struct, frozen=True):
    """One signature of an envelope; the id of the key is a hint that nobody signed."""

    sig: str
    keyid: str = ""


class Envelope(msgspec.Struct, frozen=True, rename={"payload_type": "payloadType"}):
    """An envelope as JSON has it: everything in base64."""

    payload: str
    payload_type: str
    signatures: list[Signature]


class Opened(Record, frozen=True, kw_only=True):
    """What was in an envelope; `problem` is a code (`evidence.envelope`, `.signature`, `.signer-unknown`)."""

    payload_type: str = ""
    payload: bytes = b""
    key_id: str = ""
    signature: str = ""
    problem: str | None = None


def pae(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding: "DSSEv1", both lengths in bytes and both values, spaces between."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def envelope(payload_type: str, payload: bytes, signer: Signer) -> bytes:
    """The JSON of an envelope with one signature."""
    signature = Signature(signer.sign(payload_type, payload), signer.key_id)
    sealed = Envelope(base64.b64encode(payload).decode(), payload_type, [signature])
    return msgspec.json.encode(sealed, order="sorted")


def opened(sealed: bytes, trust: Trust) -> Opened:
    """What is in an envelope and whether a trusted key signed it; one signature that holds is enough.

    The payload is given with a wrong signature, too: `problem` says not to believe it.
    """
    found = _read(sealed)
    if found is None:
        return Opened(problem=ENVELOPE)
    kind, payload, signatures = found
    verdicts = [(one, trust.verify(one.keyid, one.sig, kind, payload)) for one in signatures]
    best = min(verdicts, key=lambda one: (one[1] is not None, one[1] == UNKNOWN), default=None)
    if best is None:
        return Opened(payload_type=kind, payload=payload, problem=ENVELOPE)
    return Opened(
        payload_type=kind,
        payload=payload,
        key_id=best[0].keyid,
        signature=best[0].sig,
        problem=best[1],
    )


def _read(sealed: bytes) -> tuple[str, bytes, list[Signature]] | None:
    """Type, payload and signatures; None if it is no envelope."""
    if len(sealed) > limits.ENVELOPE:
        return None
    try:
        found = msgspec.json.decode(sealed, type=Envelope)
        payload = unpacked(found.payload)
    except (msgspec.MsgspecError, UnicodeError, ValueError):
        return None
    if len(found.signatures) > limits.SIGNATURES:
        return None
    return found.payload_type, payload, found.signatures


def unpacked(text: str) -> bytes:
    """Bytes out of base64, the usual or the URL-safe alphabet; ValueError for anything else."""
    try:
        return base64.b64decode(text.translate(URL_SAFE), validate=True)
    except (binascii.Error, UnicodeError) as error:
        raise ValueError(str(error)) from None


def text(signature: bytes) -> str:
    """A signature as `Trust.verify` takes it."""
    return base64.b64encode(signature).decode()


URL_SAFE = str.maketrans("-_", "+/")
