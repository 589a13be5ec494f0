"""A real registry: pushed to, read where it lies, pulled from; skopeo and the registry itself judge."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cryoscope.images.layout import LayoutFolder
from cryoscope.workflows.image_build import Building, build
from enlarged import MIB, enlarged
from lab.engines.registry import ADDRESS, Registry
from lab.node import Node
from registry_kit import inside, received

pytestmark = pytest.mark.xdist_group("registry")
LARGE, MIDDLING = 192 * MIB, 24 * MIB


DATA = Path(__file__).resolve().parent.parent / "data"


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose pages nobody wants to fetch."""
    return enlarged(DATA / "crio-counter.tar", tmp_path_factory.mktemp("big") / "big.tar", LARGE)


@pytest.fixture(scope="module")
def middling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that is large enough not to be fetched without being asked."""
    return enlarged(DATA / "crio-counter.tar", tmp_path_factory.mktemp("middling") / "it.tar", MIDDLING)


@pytest.fixture(scope="module")
def layouts(big: Path, middling: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The checkpoint in a layout whose layer is compressed."""

    def layout(how: str) -> Path:
        folder = tmp_path_factory.mktemp("layouts") / how
        archive = big if how == "zstd" else middling
        build(str(archive), LayoutFolder(str(folder), make=True), reference=how, how=Building(compress=how))
        return folder

    return layout


def said(node: Node, *arguments: str | Path) -> dict[str, Any]:
    done = inside(node, *arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["archives"][0]
    return found


def manifest(node: Node, name: str) -> dict[str, Any]:
    """What skopeo is given by the registry."""
    raw = node.run("skopeo", "inspect", "--tls-verify=false", "--raw", f"docker://{name}").stdout
    found: dict[str, Any] = json.loads(raw)
    return found


def in_it(part: dict[str, Any]) -> list[Any]:
    return [part["processes"], part["container"] | {"image_annotations": None}]


def test_a_pushed_archive_is_read_where_it_lies(node: Node, registry: Registry, big: Path) -> None:
    name = f"{ADDRESS}/evidence/plain:1"
    assert said(node, "image", "push", big, name)["built"] is True
    assert manifest(node, name)["mediaType"] == "application/vnd.oci.image.index.v1+json"
    before = received(node)
    far = said(node, "inspect", f"oci://{name}", "--no-cache")
    assert received(node) - before < LARGE // 100
    assert in_it(far) == in_it(said(node, "inspect", big))


def test_of_frames_of_zstd_only_a_few_are_fetched(
    node: Node, registry: Registry, big: Path, layouts: Callable[[str], Path]
) -> None:
    name = f"{ADDRESS}/evidence/frames:1"
    said(node, "image", "push", layouts("zstd"), name)
    before = received(node)
    far = said(node, "inspect", f"oci://{name}", "--no-cache")
    assert received(node) - before < LARGE // 100
    assert in_it(far) == in_it(said(node, "inspect", big))


def test_a_gzip_layer_is_refused_with_its_size_and_streamed_on_request(
    node: Node, registry: Registry, middling: Path, layouts: Callable[[str], Path]
) -> None:
    name = f"{ADDRESS}/evidence/packed:1"
    said(node, "image", "push", layouts("gzip"), name)
    index = manifest(node, name)["manifests"][0]["digest"]
    layer = manifest(node, f"{ADDRESS}/evidence/packed@{index}")["layers"][0]
    refused = inside(node, "ps", f"oci://{name}")
    assert refused.returncode == 4
    assert f"{layer['size']} bytes" in refused.stderr
    assert "--stream" in refused.stderr
    before = received(node)
    streamed = said(node, "inspect", f"oci://{name}", "--stream", "--no-cache")
    assert layer["size"] <= received(node) - before < layer["size"] * 1.2
    assert in_it(streamed) == in_it(said(node, "inspect", middling))


def test_a_search_over_the_network_finds_what_it_finds_here(node: Node, registry: Registry) -> None:
    name = f"{ADDRESS}/evidence/small:1"
    archive = DATA / "crio-counter.tar"
    said(node, "image", "push", archive, name)
    far = said(node, "search", "MARKER", f"oci://{name}")
    here = said(node, "search", "MARKER", archive)
    assert far["hits"] == here["hits"]
    assert far["hits"]


def test_the_archive_comes_back_as_it_was(
    node: Node, registry: Registry, middling: Path, tmp_path: Path
) -> None:
    name = f"{ADDRESS}/evidence/back:1"
    said(node, "image", "push", middling, name)
    part = said(node, "image", "pull", name, "--archive", tmp_path / "back.tar")
    assert part["sent"] == middling.stat().st_size
    with open(middling, "rb") as one, open(tmp_path / "back.tar", "rb") as other:
        assert hashlib.file_digest(one, "sha256").digest() == hashlib.file_digest(other, "sha256").digest()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back.tar"]


def test_a_pull_that_was_cut_goes_on(node: Node, registry: Registry, middling: Path, tmp_path: Path) -> None:
    name = f"{ADDRESS}/evidence/again:1"
    said(node, "image", "push", middling, name)
    digest = said(node, "image", "pull", name, "--archive", tmp_path / "whole.tar")
    layer = hashlib.sha256((tmp_path / "whole.tar").read_bytes()).hexdigest()
    half = tmp_path / f"again.tar.{layer[:12]}.incomplete"
    half.write_bytes(middling.read_bytes()[: MIDDLING // 2])
    part = said(node, "image", "pull", name, "--archive", tmp_path / "again.tar")
    assert part["sent"] == middling.stat().st_size - MIDDLING // 2
    assert (tmp_path / "again.tar").read_bytes() == middling.read_bytes()
    half = tmp_path / f"wrong.tar.{layer[:12]}.incomplete"
    half.write_bytes(bytes(MIDDLING // 2))  # of something else: all of it comes
    part = said(node, "image", "pull", name, "--archive", tmp_path / "wrong.tar")
    assert part["sent"] == digest["sent"]
    assert (tmp_path / "wrong.tar").read_bytes() == middling.read_bytes()


@pytest.mark.parametrize("place", ["layout", "layout.tar"])
def test_skopeo_reads_what_was_pulled(node: Node, registry: Registry, tmp_path: Path, place: str) -> None:
    name = f"{ADDRESS}/evidence/small:2"
    said(node, "image", "push", DATA / "crio-counter.tar", name)
    part = said(node, "image", "pull", name, "-o", tmp_path / place)
    kind = "oci-archive" if place.endswith(".tar") else "oci"
    inner = node.outside("/tmp/pulled")
    subprocess.run(["cp", "-r", tmp_path / place, inner], check=True)
    try:
        raw = node.run("skopeo", "inspect", "--raw", f"{kind}:/tmp/pulled").stdout
    finally:
        node.run("rm", "-rf", "/tmp/pulled")
    assert "sha256:" + hashlib.sha256(raw.encode()).hexdigest() == part["digest"]


def test_what_is_there_is_not_sent_again(
    node: Node, registry: Registry, layouts: Callable[[str], Path]
) -> None:
    folder = layouts("zstd")
    first = said(node, "image", "push", folder, f"{ADDRESS}/one/frames:1")
    assert first["sent"] == first["size"]
    again = said(node, "image", "push", folder, f"{ADDRESS}/one/frames:2")
    assert (again["sent"], again["there"]) == (0, again["blobs"])
    taken = said(node, "image", "push", f"oci://{ADDRESS}/one/frames:1", f"{ADDRESS}/other/frames:1")
    assert (taken["sent"], taken["mounted"]) == (0, taken["blobs"])
    assert manifest(node, f"{ADDRESS}/other/frames:1") == manifest(node, f"{ADDRESS}/one/frames:1")


def test_an_image_of_podman_is_read_in_the_registry(node: Node, registry: Registry, tmp_path: Path) -> None:
    made = node.outside("/tmp/podman-image.oci.tar")
    made.write_bytes((DATA / "podman-image.oci.tar").read_bytes())
    registry.push("/tmp/podman-image.oci.tar", "foreign/podman:1")
    far = said(node, "inspect", f"oci://{ADDRESS}/foreign/podman:1", "--stream")
    assert far["processes"] == said(node, "inspect", DATA / "podman-image.oci.tar")["processes"]


def test_what_is_not_there_is_told_with_its_name(node: Node, registry: Registry) -> None:
    missing = inside(node, "ps", f"oci://{ADDRESS}/evidence/nothing:1", "--format", "json")
    assert missing.returncode == 1
    assert json.loads(missing.stdout)["damaged"][0]["code"] == "registry.missing"
    assert "evidence/nothing has no 1" in missing.stderr
    assert "Traceback" not in missing.stderr


@pytest.mark.long
@pytest.mark.parametrize("compress", ["none", "zstd"])
def test_of_a_gibibyte_less_than_a_hundredth_travels(
    node: Node, registry: Registry, tmp_path: Path, compress: str
) -> None:
    archive = enlarged(DATA / "crio-counter.tar", tmp_path / "gibibyte.tar", 1024 * MIB)
    name = f"{ADDRESS}/evidence/gibibyte:{compress}"
    layout, how = LayoutFolder(str(tmp_path / "layout"), make=True), Building(compress=compress)
    build(str(archive), layout, reference="it", how=how)
    said(node, "image", "push", tmp_path / "layout", name)
    before = received(node)
    said(node, "inspect", f"oci://{name}", "--no-cache")
    said(node, "ps", f"oci://{name}", "--no-cache")
    assert received(node) - before < 1024 * MIB // 100
