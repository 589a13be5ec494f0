"""Bytes of strangers as text: nothing a terminal obeys, and nothing lost."""

from __future__ import annotations

import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from cryoscope.text import UNSAFE, escape, escape_json, readable, with_bytes


@given(st.text())
def test_nothing_unsafe_is_left(text: str) -> None:
    assert UNSAFE.search(escape(text)) is None


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_what_is_safe_stays(text: str) -> None:
    assert escape(text) == text


def test_how_it_is_spelled() -> None:
    assert escape("a\n\t\r\x1b\x9b\u202e\U000e0041\x7f") == "a\\n\\t\\r\\e\\x9b\\u202e\\U000e0041\\x7f"


@given(st.binary())
def test_bytes_are_never_lost(data: bytes) -> None:
    found = with_bytes("value", data)
    if "value_base64" in found:
        assert base64.b64decode(found["value_base64"]) == data
    else:
        assert found["value"].encode() == data
    assert readable(data) == readable(data.decode("utf-8", "surrogateescape"))


@given(st.recursive(st.text(), lambda below: st.lists(below) | st.dictionaries(st.text(), below)))
def test_json_stays_the_same_document_and_is_safe(value: object) -> None:
    try:
        document = json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    safe = escape_json(document)
    assert json.loads(safe) == value
    assert UNSAFE.search(safe.decode()) is None
