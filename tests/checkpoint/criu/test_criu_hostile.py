"""Random messages of every type, and real images with bytes changed: nothing is lost, nothing escapes."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from criu_samples import corpus_images, image
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoscope.checkpoint import criu
from cryoscope.checkpoint.criu.images import IMAGE_TYPES, ImageType
from cryoscope.errors import CryoscopeError, ImageError


def check(data: bytes, name: str) -> None:
    """Reading either fails with an ImageError, or shows all of the image and gives it back."""
    try:
        parsed = criu.parse(data, name=name)
    except ImageError as error:
        check_error(error)
        return
    text = criu.dumps(parsed)
    assert criu.from_json(json.loads(text)) == data
    assert json.loads(json.dumps(criu.to_json(parsed))) == json.loads(text)
    shown = criu.info(data, name)
    assert shown["magic"] == parsed.type.name
    for record in parsed.damaged:
        assert record.part == name
        assert record.offset is not None
        assert record.offset <= len(data)
        assert "\n" not in record.problem


def check_error(error: ImageError, code: str = "") -> None:
    assert error.hint
    assert "\n" not in error.message
    assert not code or error.code == code


def check_page_map(data: bytes) -> None:
    try:
        found = list(criu.pagemap.entries(data, damaged=[]))
        columns = criu.pagemap.columns(data)
    except CryoscopeError:
        return
    assert columns.vaddr.tolist() == [entry.vaddr for entry in found]
    assert columns.offset.tolist() == [entry.offset for entry in found]


def mutated(data: bytes, rng: Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 5, 30])):
        kind, at = rng.randrange(4), rng.randrange(len(out) + 1)
        if kind == 0 and at < len(out):
            out[at] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        elif kind == 1:
            del out[at : at + rng.choice([1, 1, 4, 50])]
        elif kind == 2:
            out[at:at] = rng.randbytes(rng.choice([1, 4, 20]))
        elif kind == 3 and rng.random() < 0.3:
            del out[at:]
    return bytes(out)


@given(st.sampled_from(IMAGE_TYPES), st.integers(0, 1 << 40), st.integers(0, 5))
@settings(deadline=None, max_examples=500)
def test_random_images_come_back(kind: ImageType, seed: int, count: int) -> None:
    data = image(kind, Random(seed), count)
    parsed = criu.parse(data, name="x")
    assert not parsed.damaged
    assert len(parsed.entries) == count
    check(data, "x")


@given(st.sampled_from(IMAGE_TYPES), st.integers(0, 1 << 40))
@settings(deadline=None, max_examples=500)
def test_changed_images(kind: ImageType, seed: int) -> None:
    rng = Random(seed)
    data = mutated(image(kind, rng, 3), rng)
    check(data, "x")
    if kind.name == "PAGEMAP":
        check_page_map(data)


@given(st.sampled_from(IMAGE_TYPES), st.binary(max_size=60))
@settings(deadline=None, max_examples=500)
def test_any_bytes_behind_a_head(kind: ImageType, data: bytes) -> None:
    check(image(kind, Random(0), 0) + data, "x")


@given(st.binary(max_size=40))
def test_any_bytes(data: bytes) -> None:
    check(data, "x")


def test_changed_images_of_the_corpus(corpus: Path) -> None:
    _mutate_corpus(corpus, rounds=1, largest=5_000)


@pytest.mark.long
def test_changed_images_of_the_corpus_many_times(corpus: Path) -> None:
    _mutate_corpus(corpus, rounds=100, largest=50_000)


def _mutate_corpus(corpus: Path, rounds: int, largest: int) -> None:
    rng = Random(20261122)
    for name, data in corpus_images(corpus).items():
        if len(data) > largest:
            continue
        for _ in range(rounds):
            changed = mutated(data, rng)
            check(changed, name)
            if "/pagemap-" in name:
                check_page_map(changed)


def test_every_cut_of_some_images(corpus: Path) -> None:
    wanted = (
        "core-4.img",
        "sk-queues.img",
        "ipcns-msg-11.img",
        "ipcns-sem-11.img",
        "pagemap-5.img",
        "pstree.img",
    )
    found = 0
    for name, data in corpus_images(corpus).items():
        if "kitchen-sink" in name and name.endswith(wanted):
            found += 1
            for end in range(len(data)):
                check(data[:end], name)
    assert found == len(wanted)


def test_an_image_of_nothing_but_empty_entries() -> None:
    data = image(IMAGE_TYPES[1], Random(0), 0) + bytes(4 * 2000)
    check(data, "x")


def test_json_of_a_changed_document() -> None:
    rng = Random(5)
    for kind in IMAGE_TYPES:
        text = criu.dumps(criu.parse(image(kind, rng, 2), name="x"))
        for _ in range(30):
            try:
                document = json.loads(mutated(text, rng))
            except ValueError:
                continue
            try:
                assert isinstance(criu.from_json(document), bytes)
            except ImageError as error:
                check_error(error, "criu.json-invalid")
