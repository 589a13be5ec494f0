"""Images that are built here are restored by a real containerd from a registry."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import containerd_kit as kit
from cryoscope.workflows.open import open_checkpoint
from images_kit import built, pushed
from lab.engines.containerd import Containerd
from lab.engines.registry import ADDRESS
from lab.workloads import SHELL_COUNTER
from podman_kit import REMEMBERS, asked
from registry_kit import inside

pytestmark = pytest.mark.xdist_group("containerd")


@pytest.fixture(scope="module")
def archive(containerd: Containerd, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, int]:
    """A checkpoint of a server that keeps a secret and a count in its memory, with both."""
    path = tmp_path_factory.mktemp("remembers") / "a.tar"
    running = containerd.start(REMEMBERS)
    try:
        secret, count = asked(running.pid).split()
        kit.capture(containerd, running, path)
    finally:
        containerd.remove(running)
    return path, secret, int(count)


@pytest.mark.parametrize("compress", ["none", "gzip", "zstd"])
def test_containerd_restores_it_from_the_registry(
    compress: str, containerd: Containerd, archive: tuple[Path, str, int]
) -> None:
    path, secret, count = archive
    layout, reference, _ = built(containerd.node, str(path), compress=compress)
    image = pushed(containerd.node, layout, reference, f"checkpoint:{compress}")
    containerd.cri.pull(image)
    running = containerd.create(image, REMEMBERS)
    try:
        remembered, now = asked(running.pid).split()
        assert remembered == secret
        assert int(now) >= count
    finally:
        containerd.remove(running)


def test_converted_for_crio_and_back_it_is_restored_again(
    containerd: Containerd, archive: tuple[Path, str, int]
) -> None:
    """CRI-O is not in the lab: what is read of its form is what was made of containerd's."""
    node, (path, secret, _) = containerd.node, archive
    crio, _, _ = built(node, str(path), runtime="crio")
    with open_checkpoint(str(node.outside(crio))) as checkpoint:
        assert checkpoint.container.engine == "cri-o"
        assert "status.dump" not in checkpoint.archive
        base = checkpoint.container.facts["ImageRepoDigests"]
    layout, reference, done = built(node, str(node.outside(crio)), runtime="containerd", base=base)
    assert done.image.annotations["org.criu.checkpoint.engine.name"] == "containerd"
    image = pushed(node, layout, reference, "checkpoint:converted")
    containerd.cri.pull(image)
    running = containerd.create(image, REMEMBERS)
    try:
        assert asked(running.pid).split()[0] == secret
    finally:
        containerd.remove(running)


def test_changed_and_deleted_files_come_through_both_ways(containerd: Containerd, tmp_path: Path) -> None:
    node = containerd.node
    running = containerd.start(SHELL_COUNTER)
    path = tmp_path / "a.tar"
    try:
        root = Path(f"/proc/{running.pid}/root")
        (root / "written").write_text("by-hand")
        (root / "bin" / "nc").unlink(missing_ok=True)
        (root / "etc" / "passwd").unlink()
        kit.capture(containerd, running, path)
    finally:
        containerd.remove(running)
    crio, _, _ = built(node, str(path), runtime="crio")
    layout, reference, _ = built(node, str(node.outside(crio)), runtime="containerd")
    image = pushed(node, layout, reference, "checkpoint:files")
    containerd.cri.pull(image)
    running = containerd.create(image, SHELL_COUNTER)
    try:
        root = Path(f"/proc/{running.pid}/root")
        assert (root / "written").read_text() == "by-hand"
        assert not (root / "etc" / "passwd").exists()
    finally:
        containerd.remove(running)


def test_built_straight_into_a_registry_it_is_read_and_restored_from_there(
    containerd: Containerd, archive: tuple[Path, str, int]
) -> None:
    node, (path, secret, _) = containerd.node, archive
    name = f"{ADDRESS}/straight:1"
    done = inside(node, "image", "build", path, name, "--push", "-f", "json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)["archives"][0]
    told = json.loads(inside(node, "image", "inspect", name, "-f", "json").stdout)["archives"][0]
    assert (told["digest"], told["manifest"]) == (made["digest"], made["manifest"])
    assert told["told_by"] == ["CRI-O", "containerd", "Podman"]
    assert told["archive_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert inside(node, "image", "list", name, "-f", "jsonl").stdout.count("\n") == 1
    containerd.cri.pull(name)
    running = containerd.create(name, REMEMBERS)
    try:
        assert asked(running.pid).split()[0] == secret
    finally:
        containerd.remove(running)
