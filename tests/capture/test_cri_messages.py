"""The table of the CRI against every recorded message, decoded by the interface's own definition."""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterator

import pytest
from cri_recordings import DATA, NAMES, recording
from google.protobuf import text_format
from google.protobuf.unknown_fields import UnknownFieldSet

from cryoscope.engines.cri import messages
from cryoscope.engines.cri.schema import METHODS
from cryoscope.testing.cri import read

ENTRY = re.compile(r"^=== (\S+)\n/", re.MULTILINE)
PASSED_OVER = {"StatusResponse": {4}, "ImageStatusResponse": set(), "ContainerStatusResponse": set()}
"""Fields of an answer itself that Cryoscope leaves alone: the features of a runtime."""


def truth(name: str) -> dict[str, tuple[str, str]]:
    """What protoc made of each request and response."""
    text = lzma.decompress((DATA / "cri" / f"{name}.txt.xz").read_bytes()).decode()
    _, *parts = ENTRY.split(text)
    found = {}
    for exchange, body in zip(parts[::2], parts[1::2], strict=True):
        request, _, response = body.partition("--- request\n")[2].partition("--- response\n")
        found[exchange] = request, response
    return found


def decoded(name: str) -> Iterator[tuple[str, str, bytes, str]]:
    """Name, kind, bytes and truth of every message that the table has."""
    texts = truth(name)
    for each in read(recording(name)):
        if METHODS.get(each.call) == each.method:
            request, response = texts[each.name]
            yield each.name, each.call + "Request", each.request, request
            if each.response is not None:
                yield each.name, each.call + "Response", each.response, response


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_message_reads_as_the_interface_defines_it(name: str) -> None:
    compared = 0
    for exchange, kind, data, text in decoded(name):
        found = messages.decode(kind, data)
        found.DiscardUnknownFields()
        wanted = text_format.Parse(text, messages.message(kind), allow_unknown_field=True)
        assert found == wanted, exchange
        compared += bool(data)
    assert compared > {"containerd-main": 30, "containerd": 200, "crio": 250}[name]


@pytest.mark.parametrize("name", NAMES)
def test_what_was_read_is_written_as_it_was(name: str) -> None:
    """Unknown fields are kept, so nothing but their place in the message can differ."""
    for exchange, kind, data, _ in decoded(name):
        again = messages.decode(kind, messages.encode(messages.decode(kind, data)))
        assert again == messages.decode(kind, data), exchange


@pytest.mark.parametrize("name", NAMES)
def test_no_answer_has_a_field_of_its_own_that_nobody_looked_at(name: str) -> None:
    for exchange, kind, data, _ in decoded(name):
        unknown = {field.field_number for field in UnknownFieldSet(messages.decode(kind, data))}
        assert unknown <= PASSED_OVER.get(kind, set()), exchange


def test_bytes_that_are_no_message_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"message|parse|Error"):
        messages.decode("VersionResponse", b"\xff\xff\xff")


def test_a_number_stands_for_one_field_only() -> None:
    for name in {each for method in METHODS for each in (method + "Request", method + "Response")}:
        fields = messages.message(name).DESCRIPTOR.fields
        assert len({field.number for field in fields}) == len({field.name for field in fields})
