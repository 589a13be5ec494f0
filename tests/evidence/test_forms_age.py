"""age's format: what it says is read anywhere, and nothing else is taken for it.

The oracle is pyrage; tests/engines/test_forms_real.py has Debian's age.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import random
from base64 import b64encode
from collections.abc import Callable

import pyrage
import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from forms_samples import Counting, identity, key_line, whole
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoscope import limits
from cryoscope.checkpoint.archive import BytesSource
from cryoscope.errors import CryoscopeError
from cryoscope.evidence.forms import AgeSource
from cryoscope.evidence.forms.age import CHUNK, SEALED
from cryoscope.evidence.forms.age_header import hkdf, read_header
from cryoscope.evidence.forms.encrypt import encrypt

KEY, OTHER = identity(1), identity(2)
PLAIN = random.Random(3).randbytes(5 * CHUNK + 1234)


def encrypted(plain: bytes, *keys: int) -> bytes:
    recipients = [pyrage.x25519.Recipient.from_str(identity(key).recipient) for key in keys or (1,)]
    return bytes(pyrage.encrypt(plain, recipients))


def opened(data: bytes, *identities: object) -> AgeSource:
    return AgeSource(BytesSource(data, "file.age"), identities or [KEY])  # type: ignore[arg-type]


def b64(data: bytes) -> bytes:
    return b64encode(data).rstrip(b"=")


def body_start(data: bytes) -> int:
    return read_header(BytesSource(data, "file.age")).size


# --- as the format has it -------------------------------------------------------------------
@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_what_pyrage_encrypts_is_read(size: int) -> None:
    source = opened(encrypted(PLAIN[:size]))
    assert (source.size, whole(source)) == (size, PLAIN[:size])
    assert source.read_at(size, 10) == b""


@pytest.mark.parametrize("size", [0, 1, CHUNK, 40 * CHUNK + 3])
def test_what_is_encrypted_here_is_read_by_pyrage(size: int) -> None:
    plain = (PLAIN * 8)[:size]
    out: list[bytes] = []
    blocks = (plain[start : start + 99_999] for start in range(0, size, 99_999))
    encrypt(out.append, [KEY.recipient, OTHER.recipient], blocks)
    for number in (1, 2):
        key = pyrage.x25519.Identity.from_str(key_line(number))
        assert pyrage.decrypt(b"".join(out), [key]) == plain


@given(st.integers(0, len(PLAIN) + 10), st.integers(0, len(PLAIN)))
@settings(max_examples=200, deadline=None)
def test_any_range_equals_the_plain_bytes(offset: int, length: int) -> None:
    assert SOURCE.read_at(offset, length) == PLAIN[offset : offset + length]


SOURCE = opened(encrypted(PLAIN))


def test_a_byte_costs_its_chunk_and_not_what_lies_before_it() -> None:
    source = Counting(encrypted(PLAIN))
    age = AgeSource(source, [KEY])
    before = source.count
    assert age.read_at(3 * CHUNK + 7, 1) == PLAIN[3 * CHUNK + 7 :][:1]
    assert source.count - before == SEALED


def test_each_of_several_recipients_reads_and_nobody_else() -> None:
    data = encrypted(PLAIN, 1, 2)
    assert whole(opened(data, KEY)) == whole(opened(data, identity(3), OTHER)) == PLAIN
    with pytest.raises(CryoscopeError) as caught:
        opened(data, identity(3))
    assert caught.value.code == "evidence.no-identity"
    with pytest.raises(CryoscopeError) as caught:
        AgeSource(BytesSource(data, "file.age"), [])
    assert caught.value.code == "evidence.no-identity"


def test_a_passphrase_is_named() -> None:
    with pytest.raises(CryoscopeError, match="passphrase") as caught:
        opened(by_hand(b"-> scrypt AAAAAAAAAAAAAAAAAAAAAA 10\n" + b"A" * 43 + b"\n"))
    assert caught.value.code == "evidence.no-identity"


def test_armor_is_named() -> None:
    out = io.BytesIO()
    pyrage.encrypt_io(io.BytesIO(b"x"), out, [pyrage.x25519.Recipient.from_str(KEY.recipient)], armored=True)
    with pytest.raises(CryoscopeError, match="armored") as caught:
        opened(out.getvalue())
    assert caught.value.code == "evidence.age-header"


# --- headers made by hand -------------------------------------------------------------------
FILE_KEY = b"0123456789abcdef"


def stanza(
    key: int = 1, *, share: bytes | None = None, body: bytes | None = None, extra: bytes = b""
) -> bytes:
    """An X25519 stanza for a key, by the sender whose secret is key 9's."""
    sender, to = identity(9), identity(key)
    share = sender.public if share is None else share
    wrap = hkdf(sender.exchange(to.public), share + to.public, b"age-encryption.org/v1/X25519")
    sealed = ChaCha20Poly1305(wrap).encrypt(bytes(12), FILE_KEY, None) if body is None else body
    return b"-> X25519 " + b64(share) + extra + b"\n" + b64(sealed) + b"\n"


def by_hand(
    *stanzas: bytes,
    first: bytes = b"age-encryption.org/v1\n",
    file_key: bytes = FILE_KEY,
    plain: bytes = b"it",
) -> bytes:
    signed = first + b"".join(stanzas) + b"---"
    mac = hmac.digest(hkdf(file_key, b"", b"header"), signed, hashlib.sha256)
    nonce = bytes(16)
    sealed = ChaCha20Poly1305(hkdf(file_key, nonce, b"payload")).encrypt(bytes(11) + b"\x01", plain, None)
    return signed + b" " + b64(mac) + b"\n" + nonce + sealed


def test_a_header_made_by_hand_is_one_for_both() -> None:
    data = by_hand(b"-> grease x y\n" + b"A" * 64 + b"\n\n", stanza())
    assert whole(opened(data)) == b"it"
    assert pyrage.decrypt(data, [pyrage.x25519.Identity.from_str(key_line(1))]) == b"it"


LAST = by_hand(stanza()).index(b"--- ")
HOSTILE: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "not age": lambda: b"PK\x03\x04" * 100,
    "another version": lambda: by_hand(stanza(), first=b"age-encryption.org/v2\n"),
    "no stanza": by_hand,
    "cut in the header": lambda: by_hand(stanza())[:60],
    "carriage returns": lambda: by_hand(stanza().replace(b"\n", b"\r\n")),
    "padded base64": lambda: by_hand(stanza().replace(b"\n", b"=\n", 1)),
    "base64 with other bits at its end": lambda: by_hand(stanza()[:-2] + b"/\n"),
    "no base64": lambda: by_hand(b"-> X25519 " + b"!" * 43 + b"\n" + b"A" * 43 + b"\n"),
    "an argument too many": lambda: by_hand(stanza(extra=b" more")),
    "two spaces": lambda: by_hand(stanza().replace(b"-> X25519", b"->  X25519")),
    "a short share": lambda: by_hand(stanza(share=identity(9).public[:31])),
    "a point of low order": lambda: by_hand(stanza(share=bytes(32))),
    "a long body": lambda: by_hand(stanza(body=bytes(48))),
    "a body without its short line": lambda: by_hand(b"-> grease\n" + b"A" * 64 + b"\n" + stanza()),
    "a line that is too long": lambda: by_hand(b"-> grease\n" + b"A" * 68 + b"\n\n" + stanza()),
    "a passphrase beside a key": lambda: by_hand(
        stanza(), b"-> scrypt AAAAAAAAAAAAAAAAAAAAAA 10\n" + b"A" * 43 + b"\n"
    ),
    "another MAC": lambda: by_hand(stanza(), file_key=b"f" * 16),
    "a MAC without a space": lambda: by_hand(stanza()).replace(b"--- ", b"---"),
    "a short MAC": lambda: by_hand(stanza())[: LAST + 20] + b"\n" + bytes(40),
    "too many recipients": lambda: by_hand(*[b"-> x\n\n"] * (limits.AGE_RECIPIENTS + 1), stanza()),
    "too long": lambda: by_hand(b"-> x\n" + (b"A" * 64 + b"\n") * 5000 + b"\n", stanza()),
    "without an end": lambda: b"age-encryption.org/v1\n-> x\n" + (b"A" * 64 + b"\n") * 5000,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_header_that_is_none_is_refused(what: str) -> None:
    data = HOSTILE[what]()
    with pytest.raises(CryoscopeError) as caught:
        opened(data)
    assert caught.value.code == "evidence.age-header"
    if what not in OURS:
        with pytest.raises((pyrage.DecryptError, ValueError, OSError)):
            pyrage.decrypt(data, [pyrage.x25519.Identity.from_str(key_line(1))])


OURS = ("a body without its short line", "too many recipients", "too long", "without an end")
"""What pyrage takes (the first against the format), or takes minutes to refuse."""


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_flipped_bit_of_the_header_is_overlooked(data: st.DataObject) -> None:
    whole_file = bytearray(HEADED)
    whole_file[data.draw(st.integers(0, body_start(HEADED) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(CryoscopeError) as caught:
        opened(bytes(whole_file))
    assert caught.value.code in ("evidence.age-header", "evidence.no-identity", "evidence.age-chunk")


HEADED = by_hand(stanza())


# --- chunks ---------------------------------------------------------------------------------
def test_a_flipped_bit_is_named_by_its_chunk_and_the_others_are_read() -> None:
    data = bytearray(encrypted(PLAIN))
    start = body_start(bytes(data)) + 16
    data[start + 2 * SEALED + 500] ^= 4
    source = opened(bytes(data))
    assert source.read_at(0, 2 * CHUNK) == PLAIN[: 2 * CHUNK]
    assert source.read_at(3 * CHUNK, CHUNK) == PLAIN[3 * CHUNK : 4 * CHUNK]
    for offset, length in ((2 * CHUNK, 1), (0, len(PLAIN))):
        with pytest.raises(CryoscopeError) as caught:
            source.read_at(offset, length)
        assert caught.value.code == "evidence.age-chunk"
        assert f"chunk 2 at byte {start + 2 * SEALED} (byte {2 * CHUNK} " in caught.value.message


def cut(data: bytes, start: int) -> dict[str, bytes]:
    chunks = [data[start + place : start + place + SEALED] for place in range(0, len(data) - start, SEALED)]
    head = data[:start]
    return {
        "the last chunk": head + b"".join(chunks[:-1]),
        "part of the last chunk": data[:-1],
        "all chunks": head,
        "half of the nonce": data[: start - 8],
        "more behind": data + b"x",
        "two chunks swapped": head + b"".join([*chunks[:-1][::-1], chunks[-1]]),
        "a chunk twice": head + b"".join([chunks[0], *chunks]),
        "the first chunk": head + b"".join(chunks[1:]),
        "an empty last chunk": data[: start + 2 * SEALED] + data[-16:],
    }


@pytest.mark.parametrize("what", cut(bytes(200), 50))
def test_what_is_missing_doubled_or_in_another_place_is_an_error(what: str) -> None:
    data = encrypted(PLAIN)
    with pytest.raises(CryoscopeError) as caught:
        whole(opened(cut(data, body_start(data) + 16)[what]))
    assert caught.value.code == "evidence.age-chunk"


def test_an_empty_chunk_is_allowed_only_where_it_is_the_only_one() -> None:
    nonce = bytes(16)
    cipher = ChaCha20Poly1305(hkdf(FILE_KEY, nonce, b"payload"))
    full = cipher.encrypt(bytes(12), bytes(CHUNK), None)
    empty = cipher.encrypt(bytes(10) + b"\x01\x01", b"", None)
    data = by_hand(stanza())
    with pytest.raises(CryoscopeError, match="empty") as caught:
        opened(data[: body_start(data)] + nonce + full + empty)
    assert caught.value.code == "evidence.age-chunk"
    assert opened(by_hand(stanza(), plain=b"")).size == 0
