"""An archive of one engine as another would have written it: what changes, and what is refused."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from cryoscope.errors import Refused
from cryoscope.workflows.image_build import Building, build, target_at
from cryoscope.workflows.open import open_checkpoint

DATA = Path(__file__).resolve().parents[1] / "data"
DIGEST = "registry.example/busybox@sha256:" + "5" * 64


def converted(name: str | Path, place: Path, **how: Any) -> str:
    """A layout of a converted archive."""
    with target_at(str(place)) as target:
        build(str(DATA / name), target, how=Building(**how))
    return str(place)


def tar_of(data: bytes) -> dict[str, bytes | None]:
    """Files of a tar with their bytes; None for what is no file."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {each.name: tar.extractfile(each).read() if each.isreg() else None for each in tar}  # type: ignore[union-attr]


def test_crio_becomes_containerd(tmp_path: Path) -> None:
    place = converted("crio-counter.tar", tmp_path / "l", runtime="containerd")
    with open_checkpoint(place) as found, open_checkpoint(str(DATA / "crio-counter.tar")) as given:
        container, archive = found.container, found.archive
        assert container.engine == "containerd"
        assert (container.name, container.id) == ("counter", given.container.id)
        assert container.pod == given.container.pod
        assert container.labels == given.container.labels
        assert (container.created, container.checkpointed) == (
            given.container.created,
            given.container.checkpointed,
        )
        config = json.loads(archive.read("config.dump"))
        status = json.loads(archive.read("status.dump"))
        assert config["rootfsImageRef"] == status["image_ref"]
        assert config["rootfsImageRef"].startswith("localhost/busybox@sha256:")
        assert config["name"].startswith("counter_counters_team-b_")
        assert status["metadata"] == {"name": "counter", "attempt": 1}
        assert status["annotations"]["io.kubernetes.container.restartCount"] == "1"
        assert {"/scratch", "/etc/sec"} <= {each["container_path"] for each in status["mounts"]}
        layer = tar_of(gzip.decompress(archive.read("rootfs-diff.tar")))
        before = tar_of(given.archive.read("rootfs-diff.tar"))
        assert layer == before | {"bin/.wh.wget": b""}
        assert not {"deleted.files", "bind.mounts", "io.kubernetes.cri-o.LogPath"} & {*archive.members}
        assert archive.read("container.log") == given.archive.read("io.kubernetes.cri-o.LogPath")
        assert _images(found) == _images(given)


def test_containerd_becomes_crio(tmp_path: Path) -> None:
    place = converted("containerd-counter.tar", tmp_path / "l", runtime="crio")
    with open_checkpoint(place) as found, open_checkpoint(str(DATA / "containerd-counter.tar")) as given:
        container, archive = found.container, found.archive
        assert container.engine == "cri-o"
        assert (container.name, container.id) == ("counter", given.container.id)
        assert container.pod == given.container.pod
        assert container.labels == given.container.labels
        annotations = json.loads(archive.read("spec.dump"))["annotations"]
        inner = json.loads(annotations["io.kubernetes.cri-o.Annotations"])
        assert inner == json.loads(given.archive.read("status.dump"))["annotations"]
        assert json.loads(archive.read("deleted.files")) == ["/bin/wget"]
        before = tar_of(gzip.decompress(given.archive.read("rootfs-diff.tar")))
        assert tar_of(archive.read("rootfs-diff.tar")) == {
            key: value for key, value in before.items() if ".wh." not in key
        }
        assert not {"status", "status.dump", "container.log"} & {*archive.members}
        assert _images(found) == _images(given)


def _images(checkpoint: Any) -> dict[str, bytes]:
    archive = checkpoint.archive
    names = [name for name in archive.names("checkpoint/") if archive.members[name].type == "file"]
    return {name: archive.read(name) for name in names}


@pytest.mark.parametrize(
    ("name", "runtime", "code"),
    [
        ("podman-looper-crun.tar", "containerd", "image.convert-engine"),
        ("podman-looper-crun.tar", "crio", "image.convert-engine"),
        ("crio-counter.tar", "podman", "image.convert-engine"),
        ("containerd-counter.tar", "podman", "image.convert-engine"),
        ("docker-looper", "containerd", "image.convert-engine"),
        ("containerd-counter.tar", "containerd", "image.convert-base"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(
    name: str, runtime: str, code: str, tmp_path: Path
) -> None:
    with pytest.raises(Refused) as caught:
        converted(name, tmp_path / "l", runtime=runtime)
    assert caught.value.code == code
    assert caught.value.hint
    assert not (tmp_path / "l").exists()


def test_an_image_without_a_name_that_can_be_pulled_is_given_one(tmp_path: Path) -> None:
    place = converted("containerd-counter.tar", tmp_path / "l", runtime="containerd", base=DIGEST)
    with open_checkpoint(place) as found:
        assert json.loads(found.archive.read("config.dump"))["rootfsImageRef"] == DIGEST


def _changed(path: Path, change: dict[str, Any]) -> Path:
    """containerd's archive with members replaced."""
    with tarfile.open(DATA / "containerd-looper.tar") as given, tarfile.open(path, "w") as made:
        for info in given:
            data = given.extractfile(info).read() if info.isreg() else b""  # type: ignore[union-attr]
            if info.name in change:
                data = change[info.name](data)
                info.size = len(data)
            made.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return path


def _opaque(_: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("var/.wh..wh..opq"))
    return out.getvalue()


def _crun(data: bytes) -> bytes:
    return json.dumps(json.loads(data) | {"runtime": "crun"}).encode()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"rootfs-diff.tar": _opaque}, "image.convert-opaque"),
        ({"config.dump": _crun}, "image.convert-runtime"),
    ],
    ids=["opaque", "crun"],
)
def test_what_the_other_engine_cannot_say_is_refused(
    change: dict[str, Any], code: str, tmp_path: Path
) -> None:
    archive = _changed(tmp_path / "a.tar", change)
    with pytest.raises(Refused) as caught:
        converted(archive, tmp_path / "l", runtime="crio")
    assert caught.value.code == code
