"""Every image of the corpus, against itself and against crit."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from criu_samples import corpus_images, tar_members

from cryoscope.checkpoint import criu

SHOWN_BY_CRIT = ("podman-kitchen-sink", "podman-threads", "podman-counter")

MOVED = {
    "core": {"bx", "r12", "xmm_space", "opmask_reg", "hi16_zmm", "xstate_bv", "vsec", "vusec", "vnsec"},
    "cgroup": {"mode", "uid", "gid"},
    "files": {"vsec", "vnsec", "pos", "size"},
    "inventory": {"dump_criu_run_id"},
    "mountpoints": {"root"},
    "pstree": {"threads"},
    "tcp": {"timestamp", "snd_wl1"},
    "timens": {"tv_sec", "tv_nsec"},
}
"""crit's JSON is of a second dump, seconds later: what a running container changes in that time, a path
that was replaced, and memory that CRIU forgets to set (a zombie's threads, rights of cgroup files)."""


def test_every_image_comes_back_identical(corpus: Path) -> None:
    images = corpus_images(corpus)
    assert len(images) > 400
    for name, data in images.items():
        image = criu.parse(data, name=name, partial=False)
        assert (image.damaged, image.tail) == ([], b""), name
        assert all(entry.raw is None and entry.raw_extra is None for entry in image.entries), name
        assert criu.from_json(json.loads(json.dumps(criu.to_json(image)))) == data, name


def test_text_is_the_document(corpus: Path) -> None:
    for name, data in corpus_images(corpus).items():
        image = criu.parse(data, name=name)
        document = criu.to_json(image)
        assert json.loads(criu.dumps(image)) == document, name
        assert json.loads(criu.dumps(image, pretty=True)) == document, name


def test_info_counts_entries(corpus: Path) -> None:
    for name, data in corpus_images(corpus).items():
        image = criu.parse(data, name=name)
        head = image.type.name == "PAGEMAP"
        assert criu.info(data, name) == {"magic": image.type.name, "count": len(image.entries) - head}


@pytest.mark.parametrize("folder", SHOWN_BY_CRIT)
def test_what_crit_wrote_is_read_and_written_alike(corpus: Path, folder: str) -> None:
    for name, document in _crit(corpus / folder):
        data = criu.from_json(document)
        again = criu.to_json(criu.parse(data, name=name, partial=False))
        assert json.dumps(again) == json.dumps(document), name


@pytest.mark.parametrize("folder", SHOWN_BY_CRIT)
def test_images_are_shown_as_crit_shows_them(corpus: Path, folder: str) -> None:
    ours = dict(tar_members(corpus / folder / "checkpoint.tar.zst"))
    by_base = {criu.base_name(name): data for name, data in ours.items()}
    compared = 0
    for name, document in _crit(corpus / folder):
        shown = criu.to_json(criu.parse(by_base[name], name=name))
        moved = MOVED.get(name.split("-")[0], set())
        assert {path for path in _differences(document, shown) if path[-1] not in moved} == set(), name
        compared += 1
    assert compared > 20


def _crit(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with tarfile.open(folder / "crit-show.tar.xz") as tar:
        for member in tar:
            if member.isfile() and member.size:
                yield Path(member.name).stem, json.load(tar.extractfile(member))


def _differences(left: Any, right: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(left, dict) and isinstance(right, dict) and list(left) == list(right):
        for key in left:
            yield from _differences(left[key], right[key], (*path, key))
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for one, other in zip(left, right, strict=True):
            yield from _differences(one, other, path)
    elif left != right:
        yield path
