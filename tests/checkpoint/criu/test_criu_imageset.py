"""A set of images: names, numbers, the cache, parents, and damage told once."""

from __future__ import annotations

from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from criu_samples import framed, image, of, tar_members

from cryoscope.checkpoint import criu
from cryoscope.checkpoint.criu import ImageSet, imageset
from cryoscope.checkpoint.criu.messages import encode, message_class
from cryoscope.errors import ArchiveError, ImageUnsupported, MemberTooLarge


class Folder:
    """As much of an archive as a set needs."""

    def __init__(
        self, files: dict[str, bytes], parents: dict[str, str] | None = None, cut: set[str] | None = None
    ) -> None:
        self.files, self.parents, self.cut = files, parents or {}, cut or set()
        self.reads: list[str] = []

    @property
    def members(self) -> dict[str, Any]:
        return {name: SimpleNamespace(size=len(data)) for name, data in self.files.items()}

    def names(self, prefix: str = "") -> list[str]:
        return [name for name in self.files if name.startswith(prefix)]

    def __contains__(self, name: object) -> bool:
        return name in self.files

    def read(self, name: str, *, limit: int = 1 << 30, partial: bool = False) -> bytes:
        self.reads.append(name)
        if len(self.files[name]) > limit:
            raise MemberTooLarge(name)
        if name in self.cut and not partial:
            raise ArchiveError(f"{name} is cut short", code="archive.truncated")
        return self.files[name]

    def read_at(self, name: str, offset: int, length: int) -> bytes:
        return self.files[name][offset : offset + length]

    def parent_of(self, prefix: str) -> tuple[Any, str] | None:
        return (self, self.parents[prefix]) if prefix in self.parents else None


def made(kind: str, /, **fields: Any) -> bytes:
    return framed(encode(message_class(kind)(**fields)))


FILES = {
    "checkpoint/": b"",
    "checkpoint/inventory.img": of("INVENTORY", made("inventory_entry", img_version=2)),
    "checkpoint/pstree.img": of("PSTREE", made("pstree_entry", pid=1), made("pstree_entry", pid=2)),
    "checkpoint/core-10.img": image(criu.by_name("CORE"), Random(1), 1),
    "checkpoint/core-9.img": of("CORE", framed(b"\xff\xff")),
    "checkpoint/ghost-file-1a.img": of("GHOST_FILE"),
    "checkpoint/pagemap-shmem-3.img": of("PAGEMAP", made("pagemap_head", pages_id=1)),
    "checkpoint/pagemap-1.img": of("PAGEMAP", made("pagemap_head", pages_id=1)),
    "checkpoint/pages-1.img": bytes(100),
    "checkpoint/nested/core-3.img": b"",
    "checkpoint/descriptors.json": b"[]",
    "stats-dump": b"",
}


def test_names() -> None:
    images = ImageSet(Folder(FILES), "checkpoint/")
    assert sorted(images.names) == [
        *(
            "core-10",
            "core-9",
            "descriptors.json",
            "ghost-file-1a",
            "inventory",
            "pagemap-1",
            "pagemap-shmem-3",
        ),
        *("pages-1", "pstree"),
    ]
    assert "core-10" in images
    assert "core-10.img" in images
    assert "core-3" not in images
    assert images.member("core-9.img") == "checkpoint/core-9.img"
    assert images.member("nothing") is None
    assert images.size("pages-1") == 100
    assert images.size("nothing") == 0


def test_a_prefix_without_a_slash_and_none_at_all() -> None:
    assert ImageSet(Folder(FILES), "checkpoint").first("pstree").pid == 1
    assert ImageSet(Folder({"pstree.img": FILES["checkpoint/pstree.img"]}), "").first("pstree").pid == 1


def test_numbers() -> None:
    images = ImageSet(Folder(FILES), "checkpoint/")
    assert images.matching("core-*") == [("core-9", 9), ("core-10", 10)]
    assert images.matching("ghost-file-*") == [("ghost-file-1a", 0x1A)]
    assert images.matching("pagemap-[0-9]*") == [("pagemap-1", 1)]
    assert images.matching("inventory") == []


def test_what_is_in_them() -> None:
    images = ImageSet(Folder(FILES), "checkpoint/")
    assert [m.pid for m in images.messages("pstree")] == [1, 2]
    assert images.entries("pstree")[1].message.pid == 2
    assert images.first("nothing") is None
    assert images.messages("nothing") == []
    assert images.image("nothing") is None
    assert images.inventory.img_version == 2
    assert images.damaged == []


def test_an_image_is_read_once() -> None:
    folder = Folder(FILES)
    images = ImageSet(folder, "checkpoint/")
    assert images.image("pstree") is images.image("pstree.img")
    assert folder.reads == ["checkpoint/pstree.img"]


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(FILES["checkpoint/pstree.img"])
    monkeypatch.setattr(imageset, "CACHED_BYTES", size * 4)
    folder = Folder({f"pstree-{i}.img": FILES["checkpoint/pstree.img"] for i in range(9)})
    images = ImageSet(folder, "")
    for _ in range(2):
        for i in range(9):
            images.image(f"pstree-{i}")
    assert len(folder.reads) == 18
    images.image("pstree-8")
    assert len(folder.reads) == 18


def test_large_images_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imageset, "CACHED_BYTES", 4)
    folder = Folder(FILES)
    images = ImageSet(folder, "checkpoint/")
    assert images.first("pstree").pid == images.first("pstree").pid == 1
    assert len(folder.reads) == 2


def test_damage_is_told_once() -> None:
    images = ImageSet(Folder(FILES), "checkpoint/")
    for _ in range(3):
        assert images.messages("core-9") == []
        assert images.image("pages-1") is None
        assert images.image("descriptors.json") is None
    assert [(d.part, d.code) for d in images.damaged] == [
        ("checkpoint/core-9.img", "criu.entry-undecodable"),
        ("checkpoint/pages-1.img", "criu.image-raw"),
        ("checkpoint/descriptors.json", "criu.image-magic"),
    ]


def test_an_image_that_the_archive_cuts_is_read_in_part() -> None:
    name = "checkpoint/pstree.img"
    images = ImageSet(Folder({name: FILES[name][:-1]}, cut={name}), "checkpoint/")
    assert [m.pid for m in images.messages("pstree")] == [1]
    assert [d.code for d in images.damaged] == ["archive.truncated"]


def test_an_image_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imageset.limits, "IMAGE", 3)
    images = ImageSet(Folder(FILES), "checkpoint/")
    assert images.image("pstree") is None
    assert [d.code for d in images.damaged] == ["archive.member-too-large"]


def test_parents() -> None:
    folder = Folder(
        {**FILES, "pre-checkpoint/pstree.img": FILES["checkpoint/pstree.img"]},
        {"checkpoint/": "pre-checkpoint/"},
    )
    parent = ImageSet(folder, "checkpoint/").parent
    assert parent is not None
    assert parent.first("pstree").pid == 1
    assert parent.parent is None


def test_a_chain_of_parents_ends() -> None:
    images: ImageSet | None = ImageSet(Folder({}, {"": ""}), "")
    length = 0
    while images is not None:
        images, length = images.parent, length + 1
    assert length == 65


def test_a_newer_inventory_is_refused() -> None:
    newer = of("INVENTORY", made("inventory_entry", img_version=3))
    with pytest.raises(ImageUnsupported):
        _ = ImageSet(Folder({"inventory.img": newer}), "").inventory
    assert ImageSet(Folder({}), "").inventory is None


def test_a_real_checkpoint(corpus: Path) -> None:
    members = tar_members(corpus / "podman-kitchen-sink" / "checkpoint.tar.zst")
    images = ImageSet(Folder({name.partition(":")[2]: data for name, data in members}), "checkpoint/")
    assert [number for _, number in images.matching("core-*")] == [1, 2, 3, 4, 5, 6]
    assert {images.first(f"core-{m.pid}").tc.comm for m in images.messages("pstree")} >= {
        b"sleep",
        b"kitchen-child",
    }
    assert [images.first(name).tc.task_state for name, _ in images.matching("core-*")][3] == 2
    for name in images.names:
        if not criu.is_raw(name):
            assert images.image(name) is not None, name
    assert images.inventory.img_version == 2
    assert images.damaged == []
