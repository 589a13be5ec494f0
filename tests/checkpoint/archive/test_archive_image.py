"""Container images: OCI layouts of every make, containerd checkpoints, docker archives."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import pytest
from archive_samples import Samples

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive, BytesSource, Member, PipeSource, open_archive, open_folder
from cryoscope.checkpoint.archive.oci import blob_name
from cryoscope.errors import ArchiveError

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
CONTAINERD = "application/vnd.containerd.container."
CHECKPOINT = {"config.dump": b"{}", "spec.dump": b"{}", "checkpoint/inventory.img": b"i"}


class Layout:
    """An OCI layout in the making: blobs by digest."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}

    def blob(self, data: bytes, media: str, **more: object) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        self.files[f"blobs/sha256/{digest}"] = data
        return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(data), **more}

    def manifest(self, layers: list[bytes], annotations: dict[str, str] | None = None) -> dict[str, object]:
        config = self.blob(b"{}", "application/vnd.oci.image.config.v1+json")
        document = {
            "schemaVersion": 2,
            "config": config,
            "layers": [self.blob(layer, LAYER) for layer in layers],
            "annotations": annotations,
        }
        return self.blob(json.dumps(document).encode(), MANIFEST)

    def index(self, *manifests: dict[str, object], **annotations: str) -> Layout:
        document = {"schemaVersion": 2, "manifests": manifests, "annotations": annotations}
        self.files["index.json"] = json.dumps(document).encode()
        return self

    def tar(self) -> bytes:
        return Samples.tar(self.files)

    def open(self) -> Archive:
        return Samples.open(self.tar())


def test_an_image_as_buildah_makes_it(samples: Samples, form: str) -> None:
    layout = Layout()
    layer = samples.packers[form](samples.tar(CHECKPOINT))
    layout.index(
        layout.manifest([layer], {"org.criu.checkpoint.container.name": "web", "both": "manifest"}),
        both="index",
        only="index",
    )
    with layout.open() as archive:
        assert archive.form == "oci-archive"
        assert archive.names() == list(CHECKPOINT)
        assert {name: archive.read(name) for name in archive.names()} == CHECKPOINT
        assert archive.damaged == []
        expected = {"org.criu.checkpoint.container.name": "web", "both": "manifest", "only": "index"}
        assert archive.annotations == expected
        assert archive.source("config.dump").read_at(0, 5) == b"{}"


def test_the_same_image_compressed_and_piped(samples: Samples, form: str) -> None:
    layout = Layout()
    layout.index(layout.manifest([samples.packers["tar+gzip"](samples.tar(CHECKPOINT))]))
    packed = samples.packers[form](layout.tar())
    with open_archive(PipeSource(io.BytesIO(packed), "<stdin>")) as archive:
        assert (archive.form, archive.size) == ("oci-archive", None)
        assert archive.read("spec.dump") == b"{}"


def test_a_layout_on_disk(tmp_path: Path, samples: Samples) -> None:
    layout = Layout()
    layout.index(layout.manifest([samples.tar(CHECKPOINT)]))
    for name, data in layout.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    with open_folder(str(tmp_path)) as archive:
        assert archive.form == "oci-layout"
        assert archive.read("checkpoint/inventory.img") == b"i"


def test_an_index_in_an_index(samples: Samples) -> None:
    layout = Layout()
    manifest = layout.manifest([samples.tar(CHECKPOINT)], {"level": "manifest"})
    inner = layout.blob(
        json.dumps({"manifests": [manifest], "annotations": {"level": "inner", "inner": "1"}}).encode(),
        INDEX,
        annotations={"org.opencontainers.image.ref.name": "latest"},
    )
    with layout.index(inner, level="outer").open() as archive:
        assert archive.annotations == {
            "level": "manifest",
            "inner": "1",
            "org.opencontainers.image.ref.name": "latest",
        }
        assert "config.dump" in archive


def test_layers_are_merged(samples: Samples) -> None:
    layout = Layout()
    lower = {**CHECKPOINT, "checkpoint/old.img": b"o", "dir/a": b"1", "dir/sub/b": b"2", "keep": b"k"}
    base = {"usr/bin/sh": b"no checkpoint in this layer"}
    upper = {
        "config.dump": b"newer",
        "checkpoint/.wh.old.img": b"",
        "dir/.wh..wh..opq": b"",
        "dir/c": b"3",
        ".wh.nothing": b"",
    }
    last = {".wh.keep": b""}
    layers = [samples.tar(one) for one in (base, lower, {**upper, "spec.dump": b"2"}, last)]
    with layout.index(layout.manifest(layers)).open() as archive:
        assert archive.read("config.dump") == b"newer"
        assert set(archive.names()) == {*CHECKPOINT, "dir/c"}


def test_containerd_native_checkpoint(samples: Samples) -> None:
    layout = Layout()
    rw = samples.packers["tar+gzip"](samples.tar({"newfile": b"n"}))
    listed = [
        layout.blob(
            samples.tar({"inventory.img": b"i", "pages-1.img": b"p"}), CONTAINERD + "criu.checkpoint.criu.tar"
        ),
        layout.blob(b"\x0a\x01c", CONTAINERD + "checkpoint.config.v1+proto"),
        layout.blob(b"\x0a\x01o", CONTAINERD + "checkpoint.options.v1+proto"),
        layout.blob(rw, LAYER + "+gzip"),
        layout.manifest([samples.tar({"etc/passwd": b"base image"})]),
    ]
    document = {
        "manifests": listed,
        "annotations": {"io.containerd.checkpoint.runtime": "io.containerd.runc.v2"},
    }
    inner = layout.blob(json.dumps(document).encode(), INDEX)
    with layout.index(inner).open() as archive:
        assert archive.damaged == []
        assert {name: archive.read(name) for name in archive.names()} == {
            "checkpoint/inventory.img": b"i",
            "checkpoint/pages-1.img": b"p",
            "config.proto": b"\x0a\x01c",
            "options.proto": b"\x0a\x01o",
            "rootfs-diff.tar": rw,
        }
        assert archive.annotations["io.containerd.checkpoint.runtime"] == "io.containerd.runc.v2"
        with open_archive(archive.source("rootfs-diff.tar")) as diff:
            assert diff.read("newfile") == b"n"


def test_docker_archive(samples: Samples) -> None:
    layer = samples.tar(CHECKPOINT)
    buffer = io.BytesIO()
    from cryoscope.checkpoint.archive import TarWriter

    with TarWriter(buffer) as writer:
        writer.add("one/layer.tar", samples.tar({"usr/x": b"base"}))
        writer.add("two/layer.tar", layer)
        writer.add_symlink("three/layer.tar", "../two/layer.tar")
        listed = [{"Config": "c.json", "RepoTags": None, "Layers": ["one/layer.tar", "three/layer.tar"]}]
        writer.add("manifest.json", json.dumps(listed).encode())
    with samples.open(buffer.getvalue()) as archive:
        assert archive.form == "oci-archive"
        assert archive.names() == list(CHECKPOINT)
        assert archive.annotations == {}


def test_digests_are_names_of_blobs_and_nothing_else(samples: Samples) -> None:
    assert blob_name("sha256:" + "a" * 64) == "blobs/sha256/" + "a" * 64
    for digest in (
        "sha256:../../etc/passwd",
        "sha256:" + "A" * 64,
        "md5:" + "a" * 64,
        "sha256:abc",
        "",
        "a" * 64,
    ):
        assert blob_name(digest) is None
    layout = Layout()
    good = layout.manifest([samples.tar(CHECKPOINT)])
    layout.index({"mediaType": MANIFEST, "digest": "sha256:../../index.json"}, good)
    with layout.open() as archive:
        assert "config.dump" in archive
        assert [one.code for one in archive.damaged] == ["oci.digest"]


def test_contents_that_are_not_those_of_the_digest(samples: Samples) -> None:
    layout = Layout()
    manifest = layout.manifest([samples.tar(CHECKPOINT)])
    name = f"blobs/sha256/{str(manifest['digest'])[7:]}"
    layout.files[name] += b" "
    with layout.index(manifest).open() as archive:
        assert [(one.part, one.code) for one in archive.damaged] == [(name, "oci.digest")]


def test_a_missing_layer_and_a_broken_one(samples: Samples) -> None:
    layout = Layout()
    manifest = layout.manifest([b"no tar at all", samples.tar({"lost": b""}), samples.tar(CHECKPOINT)])
    del layout.files["blobs/sha256/" + hashlib.sha256(samples.tar({"lost": b""})).hexdigest()]
    with layout.index(manifest).open() as archive:
        assert archive.names() == list(CHECKPOINT)
        assert [one.code for one in archive.damaged] == ["archive.unreadable", "oci.blob-missing"]


def test_the_first_image_with_a_checkpoint_counts(samples: Samples) -> None:
    layout = Layout()
    plain = layout.manifest([samples.tar({"bin/sh": b""})])
    first = layout.manifest([samples.tar({**CHECKPOINT, "first": b""})])
    second = layout.manifest([samples.tar({**CHECKPOINT, "second": b""})])
    with layout.index(plain, first, second).open() as archive:
        assert "first" in archive
        assert "second" not in archive
        assert [one.code for one in archive.damaged] == ["oci.more-images"]


@pytest.mark.parametrize(
    "index", [b"", b"[]", b"{", b'{"manifests": 5}', b'{"manifests": null}', b"{}", b"[" * 9999]
)
def test_hostile_indexes(samples: Samples, index: bytes) -> None:
    layout = Layout()
    layout.files["index.json"] = index
    with pytest.raises(ArchiveError) as caught:
        layout.open()
    assert caught.value.code == "archive.no-checkpoint"


def test_an_image_without_a_checkpoint(samples: Samples) -> None:
    layout = Layout()
    layout.index(layout.manifest([samples.tar({"bin/sh": b""})]))
    with pytest.raises(ArchiveError, match="without a checkpoint") as caught:
        layout.open()
    assert caught.value.hint


def test_indexes_in_a_circle_end(samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout()
    itself = "a" * 64
    reference: dict[str, object] = {"mediaType": INDEX, "digest": f"sha256:{itself}"}
    layout.files[f"blobs/sha256/{itself}"] = json.dumps({"manifests": [reference] * 3}).encode()
    with pytest.raises(ArchiveError):
        layout.index(reference).open()
    monkeypatch.setattr(limits, "IMAGE_PARTS", 5)
    layout = Layout()
    reference = layout.manifest([samples.tar(CHECKPOINT)])
    for _ in range(8):
        reference = layout.blob(json.dumps({"manifests": [reference]}).encode(), INDEX)
    with pytest.raises(ArchiveError):
        layout.index(reference).open()


def test_a_checkpoint_that_contains_an_image_is_a_checkpoint(samples: Samples) -> None:
    layout = Layout()
    layout.index(layout.manifest([samples.tar({**CHECKPOINT, "decoy": b""})]))
    with samples.open(samples.tar({**layout.files, **CHECKPOINT})) as archive:
        assert archive.form == "tar"
        assert "decoy" not in archive


def test_a_file_system_in_an_archive_is_not_taken_for_an_image(samples: Samples) -> None:
    layout = Layout()
    layout.index(layout.manifest([samples.tar(CHECKPOINT)]))
    outer = samples.tar({"rootfs-diff.tar": layout.tar()})
    with samples.open(outer) as archive, open_archive(archive.source("rootfs-diff.tar")) as diff:
        assert diff.form == "tar"
        assert "oci-layout" in diff
    with open_archive(BytesSource(layout.tar(), "diff"), nesting=1) as diff:
        assert diff.form == "tar"


def test_some_other_manifest_json(samples: Samples) -> None:
    for text in (b"{}", b"[]", b"[1]", b'[{"Layers": null}]', b"nonsense"):
        with samples.open(samples.tar({"manifest.json": text, "x": b"1"})) as archive:
            assert archive.form == "tar"


def test_layers_are_asked_for_what_to_keep(samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "KEPT_MEMBER", 1000)
    layout = Layout()
    files = {**CHECKPOINT, "checkpoint/pages-1.img": bytes(100_000)}
    layout.index(layout.manifest([samples.packers["tar+zstd"](samples.tar(files))]))
    asked: list[str] = []

    def keep(member: Member, _: Archive) -> list[tuple[int, int]]:
        asked.append(member.name)
        return []

    with open_archive(BytesSource(layout.tar(), "x"), keep=keep) as archive:
        assert archive.read("checkpoint/pages-1.img") == bytes(100_000)
    assert asked == ["checkpoint/pages-1.img"]
