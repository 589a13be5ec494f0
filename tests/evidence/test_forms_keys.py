"""Key files as age-keygen writes them: read, never shown, and refused with a cure where they are none."""

from __future__ import annotations

import os
from pathlib import Path

import pyrage
import pytest
from forms_samples import identity, key_line, secret
from hypothesis import given
from hypothesis import strategies as st

from cryoscope import limits
from cryoscope.errors import CryoscopeError
from cryoscope.evidence.forms import check_recipients, load_identities
from cryoscope.evidence.forms.bech32 import decode, encode

KEYGEN = """\
# created: 2024-05-01T10:00:00Z
# public key: {public}
{secret}
"""


def written(folder: Path, text: str, name: str = "key.txt") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_keys_come_in_their_order_with_their_public_halves(tmp_path: Path) -> None:
    one = written(tmp_path, KEYGEN.format(public="age1…", secret=key_line(1)).replace("…", "x"))
    two = written(tmp_path, f"\n{key_line(2)}\n  # more\n{key_line(3)}", "two.txt")
    found = load_identities([one, two])
    assert [key.recipient for key in found] == [identity(number).recipient for number in (1, 2, 3)]
    assert found[0].recipient == str(pyrage.x25519.Identity.from_str(key_line(1)).to_public())


def test_a_private_key_is_in_no_text_about_it(tmp_path: Path) -> None:
    shown = repr(load_identities([written(tmp_path, key_line(1))]))
    assert "SECRET" not in shown.upper()
    assert secret(1).hex() not in shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment\n",
        key_line(1)[:-1] + "Q",
        key_line(1)[:-10],
        key_line(1).swapcase()[:20] + key_line(1)[20:],
        "AGE-PLUGIN-YUBIKEY-1QQQQ",
        identity(1).recipient,
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n",
        f"{key_line(1)}\nsomething\n",
        encode("age-secret-key-", b"short").upper(),
    ],
)
def test_what_is_no_key_is_refused_and_not_quoted(tmp_path: Path, text: str) -> None:
    with pytest.raises(CryoscopeError) as caught:
        load_identities([written(tmp_path, text)])
    assert (caught.value.code, bool(caught.value.hint)) == ("evidence.identity", True)
    for line in text.split():
        assert len(line) < 10 or line not in caught.value.message


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    written(tmp_path, "#" * (limits.AGE_IDENTITIES + 1), "large")
    (tmp_path / "binary").write_bytes(b"\xff" * 100)
    for name in ("fifo", "large", "binary", "missing", "."):
        with pytest.raises(CryoscopeError) as caught:
            load_identities([tmp_path / name])
        assert caught.value.code == "evidence.identity"


def test_recipients_are_each_there_once() -> None:
    one, two = identity(1).recipient, identity(2).recipient
    assert check_recipients([one, f" {two}\n", one]) == [one, two]


@pytest.mark.parametrize(
    "wrong",
    ["", "age1", identity(1).recipient[:-1], identity(1).recipient.upper(), "ssh-ed25519 AAAA", key_line(1)],
)
def test_what_is_no_recipient_is_refused_and_a_private_key_not_shown(wrong: str) -> None:
    with pytest.raises(CryoscopeError) as caught:
        check_recipients([identity(1).recipient, wrong])
    assert caught.value.code == "evidence.recipient"
    assert "SECRET" not in caught.value.message


@given(st.binary(max_size=100))
def test_bech32_comes_back(data: bytes) -> None:
    assert decode(encode("age", data)) == ("age", data)
    assert decode(encode("age", data).upper()) == ("age", data)


@pytest.mark.parametrize(
    "text",
    ["A12UEL5L", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", "?1ezyfcl"],
)
def test_bech32_of_its_definition(text: str) -> None:
    """Valid strings that BIP 173 lists."""
    assert decode(text)[0] == text.lower().rpartition("1")[0]


@pytest.mark.parametrize(
    "text", ["pzry9x0s0muk", "1pzry9x0s0muk", "x1b4n0q5v", "li1dgmt3", "A1G7SGD8", "10a06t8"]
)
def test_what_bip_173_lists_as_wrong_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        decode(text)
