"""Images of checkpoints: the same archive gives the same digests, and what is in it is what went in."""

from __future__ import annotations

import gzip
import hashlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from cryoscope.errors import CryoscopeError, Refused, UsageError
from cryoscope.images.ports import OciError
from cryoscope.workflows.image_build import Building, Built, build, target_at
from cryoscope.workflows.open import open_at, open_checkpoint

DATA = Path(__file__).resolve().parents[1] / "data"
ARCHIVES = (
    "containerd-counter.tar",
    "crio-counter.tar",
    "podman-looper-crun.tar",
    "podman-looper-crun.tar.gz",
    "podman-kitchen-sink.tar.zst",
    "docker-looper",
    "podman-image.oci.tar",
)
REFERENCE = "registry.example/team/checkpoint:1"


def made(name: str | Path, place: Path, reference: str = REFERENCE, **how: Any) -> Built:
    """An image of one of the archives."""
    with target_at(str(place)) as target:
        return build(str(DATA / name), target, reference=reference, how=Building(**how))


def blob(layout: Path, digest: str) -> bytes:
    """A blob of a layout folder, which is what its name says."""
    data = (layout / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()
    assert "sha256:" + hashlib.sha256(data).hexdigest() == digest
    return data


def documents(layout: Path, built: Built) -> tuple[Any, Any, Any]:
    """Index, manifest and config of an image."""
    index = json.loads(blob(layout, built.image.index.digest))
    manifest = json.loads(blob(layout, built.image.manifest.digest))
    return index, manifest, json.loads(blob(layout, manifest["config"]["digest"]))


@pytest.mark.parametrize("name", ARCHIVES)
def test_the_same_archive_gives_the_same_digest_wherever_it_is_built(name: str, tmp_path: Path) -> None:
    first = made(name, tmp_path / "folder")
    time.sleep(0.01)
    again = made(name, tmp_path / "image.tar")
    assert first.image.index == again.image.index
    assert first.image.layer == again.image.layer
    made(name, tmp_path / "third.tar")
    assert _bytes(tmp_path / "third.tar") == _bytes(tmp_path / "image.tar")


def _bytes(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("place", ["folder", "image.tar"])
def test_what_is_in_the_image_is_the_checkpoint(name: str, place: str, tmp_path: Path) -> None:
    made(name, tmp_path / place)
    with open_at(str(DATA / name)) as given, open_at(str(tmp_path / place)) as found:
        assert list(found.members) == list(given.members)
        for member in given.members.values():
            same = found.members[member.name]
            assert (same.type, same.size, same.linkname) == (member.type, member.size, member.linkname)
            if member.type == "file":
                assert found.read(member.name) == given.read(member.name)
        assert not found.damaged


@pytest.mark.parametrize("name", ["containerd-counter.tar", "crio-counter.tar", "podman-looper-crun.tar"])
def test_a_plain_archive_is_the_layer_byte_for_byte(name: str, tmp_path: Path) -> None:
    built = made(name, tmp_path / "l")
    digest = _bytes(DATA / name)
    assert built.image.layer.descriptor.digest == built.image.layer.diff_id == f"sha256:{digest}"
    assert built.archive_sha256 == digest
    assert built.image.annotations["io.cryoscope.checkpoint.archive.sha256"] == digest


@pytest.mark.parametrize("name", ["podman-looper-crun.tar.gz", "podman-kitchen-sink.tar.zst"])
def test_of_a_compressed_archive_its_own_digest_is_kept_beside_that_of_the_layer(
    name: str, tmp_path: Path
) -> None:
    built = made(name, tmp_path / "l")
    assert built.archive_sha256 == _bytes(DATA / name)
    assert built.archive_sha256 not in built.image.layer.diff_id


@pytest.mark.parametrize("compress", ["none", "gzip", "zstd"])
def test_a_layer_unpacks_to_what_its_diff_id_says(compress: str, tmp_path: Path) -> None:
    built = made("podman-kitchen-sink.tar.zst", tmp_path / "l", compress=compress)
    layer = built.image.layer
    data = blob(tmp_path / "l", layer.descriptor.digest)
    assert len(data) == layer.descriptor.size
    if compress == "gzip":
        data = gzip.decompress(data)
    elif compress == "zstd":
        data = subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=True).stdout
    assert "sha256:" + hashlib.sha256(data).hexdigest() == layer.diff_id
    suffix = "" if compress == "none" else f"+{compress}"
    assert layer.descriptor.media_type == f"application/vnd.oci.image.layer.v1.tar{suffix}"


@pytest.mark.parametrize("name", ARCHIVES)
def test_index_and_manifest_say_the_same_and_the_config_runs_nothing(name: str, tmp_path: Path) -> None:
    built = made(name, tmp_path / "l")
    index, manifest, config = documents(tmp_path / "l", built)
    assert index["annotations"] == manifest["annotations"] == built.image.annotations
    assert index["manifests"][0]["platform"] == {"architecture": "amd64", "os": "linux"}
    assert (config["architecture"], config["os"]) == ("amd64", "linux")
    assert "config" not in config
    assert config["rootfs"]["diff_ids"] == [built.image.layer.diff_id]
    assert all(isinstance(value, str) for value in index["annotations"].values())
    listed = json.loads((tmp_path / "l" / "index.json").read_bytes())["manifests"]
    assert [each["annotations"]["org.opencontainers.image.ref.name"] for each in listed] == [REFERENCE]


def test_nothing_is_built_of_a_checkpoint_that_is_not_complete(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"pages-1\.img") as caught:
        made("truncated-by-full-disk.tar", tmp_path / "l")
    assert caught.value.code == "image.incomplete"
    assert not (tmp_path / "l").exists()
    made("truncated-by-full-disk.tar", tmp_path / "l", force=True)


def _hostile(path: Path, change: Any) -> Path:
    with tarfile.open(DATA / "containerd-looper.tar") as given, tarfile.open(path, "w") as made_:
        for info in given:
            made_.addfile(info, given.extractfile(info) if info.isreg() else None)
        info = tarfile.TarInfo("checkpoint/one")
        change(info)
        made_.addfile(info)
    return path


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../escaped"},
        {"name": "checkpoint/.wh.pages-1.img"},
        {"type": tarfile.CHRTYPE},
        {"type": tarfile.FIFOTYPE},
        {"type": tarfile.SYMTYPE, "linkname": "/etc/shadow"},
        {"type": tarfile.SYMTYPE, "linkname": "../../etc"},
    ],
    ids=lambda change: str(change),
)
def test_what_a_runtime_would_take_for_something_else_is_refused(
    change: dict[str, Any], tmp_path: Path
) -> None:
    archive = _hostile(tmp_path / "a.tar", lambda info: [setattr(info, *each) for each in change.items()])
    with pytest.raises(Refused) as caught:
        made(archive, tmp_path / "l")
    assert caught.value.code == "image.unfit"
    assert not (tmp_path / "l").exists()


def test_annotations_of_strangers_are_printable(tmp_path: Path) -> None:
    built = made("containerd-counter.tar", tmp_path / "l", extra={"example": "a\x1b[31mred"})
    assert "\x1b" not in built.image.annotations["example"]


def test_a_name_in_a_layout_does_not_change_its_meaning(tmp_path: Path) -> None:
    made("containerd-counter.tar", tmp_path / "l")
    made("containerd-counter.tar", tmp_path / "l")
    made("crio-counter.tar", tmp_path / "l", reference="another:1")
    listed = json.loads((tmp_path / "l" / "index.json").read_bytes())["manifests"]
    assert len(listed) == 2
    with pytest.raises(OciError) as caught:
        made("crio-counter.tar", tmp_path / "l")
    assert caught.value.code == "image.exists"


def test_nothing_that_is_there_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_text("somebody's")
    with pytest.raises(UsageError) as caught:
        made("crio-counter.tar", tmp_path / "image.tar")
    assert caught.value.code == "image.exists"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("somebody's")
    with pytest.raises(OciError) as refused:
        made("crio-counter.tar", tmp_path / "other")
    assert refused.value.code == "image.layout"
    assert os.listdir(tmp_path / "other") == ["file"]


def test_standard_input_is_refused(tmp_path: Path) -> None:
    with target_at(str(tmp_path / "l")) as target, pytest.raises(UsageError) as caught:
        build("-", target)
    assert caught.value.code == "image.standard-input"


def _add(layout: str, names: list[str]) -> None:
    for name in names:
        made("containerd-looper.tar", Path(layout), reference=name)


def test_two_who_add_to_one_layout_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    names = [[f"{who}:{number}" for number in range(10)] for who in "ab"]
    workers = [context.Process(target=_add, args=(str(tmp_path / "l"), each)) for each in names]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    listed = json.loads((tmp_path / "l" / "index.json").read_bytes())["manifests"]
    found = {each["annotations"]["org.opencontainers.image.ref.name"] for each in listed}
    assert found == {name for each in names for name in each}


@pytest.mark.parametrize("place", ["l", "image.tar"])
def test_a_build_that_is_killed_leaves_no_image(place: str, tmp_path: Path) -> None:
    """At any instant: what has a name is whole."""
    archive = tmp_path / "large.tar"
    with tarfile.open(DATA / "containerd-looper.tar") as given, tarfile.open(archive, "w") as large:
        for info in given:
            large.addfile(info, given.extractfile(info) if info.isreg() else None)
        info = tarfile.TarInfo("checkpoint/stuffing.img")
        info.size = 64 << 20
        with open("/dev/zero", "rb") as zeros:
            large.addfile(info, zeros)
    program = [sys.executable, "-m", "cryoscope", "image", "build", str(archive), "a:1", "-o"]
    for number in range(6):
        where = tmp_path / f"{number}-{place}"
        process = subprocess.Popen(
            [*program, str(where)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(0.15 + number * 0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if place == "l" and not _listed(where):
            continue
        if where.exists():
            with open_checkpoint(str(where)) as checkpoint:
                assert checkpoint.processes
                assert checkpoint.archive.members["checkpoint/stuffing.img"].size == 64 << 20


def _listed(layout: Path) -> bool:
    try:
        return bool(json.loads((layout / "index.json").read_bytes())["manifests"])
    except FileNotFoundError:
        return False


def test_errors_have_a_code_and_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(CryoscopeError):
        made(tmp_path / "not-there.tar", tmp_path / "l")
