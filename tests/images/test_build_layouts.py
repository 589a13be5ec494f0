"""Layouts of strangers: every document is bounded and is what its digest says, no digest is a path."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from cryoscope import limits
from cryoscope.checkpoint.archive.writer import RESERVED, reserved_header
from cryoscope.images.build import described, encode
from cryoscope.images.layout import LayoutFolder
from cryoscope.images.ports import CONFIG, INDEX, MANIFEST, Descriptor, OciError
from cryoscope.images.reading import told
from cryoscope.report.image import inspected
from cryoscope.workflows.documents import encode as encode_answer
from cryoscope.workflows.image_build import build, source_of, target_at
from cryoscope.workflows.image_inspect import inspect, listing

DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """A layout of one image."""
    with target_at(str(tmp_path / "l")) as target:
        build(str(DATA / "containerd-looper.tar"), target, reference="registry.example/looper:1")
    return tmp_path / "l"


def manifests(layout: Path) -> list[dict[str, Any]]:
    return list(json.loads((layout / "index.json").read_bytes())["manifests"])


def rewrite(layout: Path, found: list[dict[str, Any]]) -> None:
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": found}))


def refused(place: Path, name: str | None = None) -> str:
    with pytest.raises(OciError) as caught, source_of(str(place)) as source:
        told(source, name)
    return caught.value.code


@pytest.mark.parametrize("name", [None, "registry.example/looper:1", "1"])
def test_an_image_is_found_by_its_name_and_its_tag(name: str | None, layout: Path) -> None:
    with source_of(str(layout)) as source:
        assert told(source, name).annotations["org.criu.checkpoint.container.name"] == "looper"


def test_a_name_that_is_not_there_and_one_that_means_two(layout: Path) -> None:
    assert refused(layout, "2") == "image.unknown"
    other = described(INDEX, b"{}")
    LayoutFolder(str(layout)).put(other, b"{}")
    rewrite(layout, [*manifests(layout), json.loads(encode(other))])
    assert refused(layout) == "image.ambiguous"


@pytest.mark.parametrize(
    "digest", ["sha256:../../../../etc/passwd", "sha256:" + "A" * 64, "sha512:" + "0" * 128, ""]
)
def test_what_is_no_digest_is_no_path(digest: str, layout: Path) -> None:
    rewrite(layout, [{**manifests(layout)[0], "digest": digest}])
    assert refused(layout) == "image.digest"


def test_a_document_that_is_not_what_its_digest_says(layout: Path) -> None:
    digest = manifests(layout)[0]["digest"].removeprefix("sha256:")
    path = layout / "blobs" / "sha256" / digest
    path.write_bytes(path.read_bytes().replace(b"looper", b"pooler"))
    assert refused(layout) == "image.digest"


def test_a_blob_that_is_not_there(layout: Path) -> None:
    digest = manifests(layout)[0]["digest"].removeprefix("sha256:")
    (layout / "blobs" / "sha256" / digest).unlink()
    assert refused(layout) == "image.blob-missing"


def put(layout: Path, media_type: str, document: Any) -> Descriptor:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    found = described(media_type, data)
    LayoutFolder(str(layout)).put(found, data)
    return found


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"\xff\xfe", "image.document"),
        (b"[" * 200_000, "image.document"),
        (b"[]", "image.document"),
        ({"manifests": "none"}, "image.document"),
        ({"manifests": []}, "image.platform"),
        (b" " * (limits.REGISTRY_DOCUMENT + 1), "limit.image-document"),
    ],
    ids=["no text", "deep", "a list", "no list", "empty", "large"],
)
def test_a_hostile_index(document: Any, code: str, layout: Path) -> None:
    rewrite(layout, [json.loads(encode(put(layout, INDEX, document)))])
    assert refused(layout) == code


def test_indexes_in_indexes_end(layout: Path) -> None:
    found = put(layout, INDEX, {"manifests": []})
    for _ in range(6):
        found = put(layout, INDEX, {"manifests": [json.loads(encode(found))]})
    rewrite(layout, [json.loads(encode(found))])
    assert refused(layout) == "image.document"


def test_what_a_stranger_says_is_printable(layout: Path) -> None:
    config = put(layout, CONFIG, {"architecture": "am\x1b[31md64", "config": {"Labels": {"a\x07": "b\x1b"}}})
    document = {"config": json.loads(encode(config)), "annotations": {"\x1b[2J": "\u202e", "n": "\x00"}}
    rewrite(layout, [json.loads(encode(put(layout, MANIFEST, document)))])
    answer = inspect(str(layout))
    shown = "\n".join(inspected(answer.document.archives[0], None)) + encode_answer(answer.document).decode()
    assert "am\\e[31md64" in shown
    assert not {"\x1b", "\x07", "\x00", "\u202e"} & set(shown)


def test_a_layout_and_a_tar_of_it_list_the_same(layout: Path, tmp_path: Path) -> None:
    with target_at(str(tmp_path / "i.tar")) as target:
        build(str(DATA / "containerd-looper.tar"), target, reference="registry.example/looper:1")
    listed = [listing(str(place)).document.archives[0].images for place in (layout, tmp_path / "i.tar")]
    assert listed[0] == listed[1]
    assert [each.name for each in listed[0]] == ["registry.example/looper:1"]


@pytest.mark.parametrize("size", [0, 1, 8**11 - 1, 8**11, 1 << 45])
def test_a_header_of_fixed_length_tells_any_size(size: int) -> None:
    name = "blobs/sha256/" + "0" * 64
    header = reserved_header(name, size)
    assert len(header) == RESERVED
    info = tarfile.TarFile(fileobj=io.BytesIO(header)).next()
    assert info is not None
    assert (info.name, info.size, info.offset_data) == (name, size, RESERVED)
