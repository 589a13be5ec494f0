"""Images that are built here are restored by a real Podman and read by its tools, and theirs by Cryoscope."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cryoscope.workflows.open import open_checkpoint
from images_kit import IMAGES, built, inspected
from lab.engines.podman import Podman
from podman_kit import REMEMBERS, asked, capture

BY_CHECKPOINTCTL = [
    f"org.criu.checkpoint.{name}"
    for name in (
        "engine.name",
        "container.name",
        "rootfsImageUserRequested",
        "rootfsImageName",
        "rootfsImageID",
        "runtime.name",
    )
]
"""What it writes of a container of Podman, which is in no pod."""
pytestmark = pytest.mark.xdist_group("podman-crun")


@pytest.fixture(scope="module")
def lab(podman: Callable[[str], Podman]) -> Podman:
    return podman("crun")


@pytest.fixture(scope="module")
def archive(lab: Podman, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A checkpoint of a server that keeps a secret in its memory, of a container that is gone; the secret."""
    path = tmp_path_factory.mktemp("remembers") / "a.tar"
    running = lab.start(REMEMBERS)
    try:
        secret = asked(running.pid).split()[0]
        capture(lab, running, path)
    finally:
        lab.remove(running)
    return path, secret


@contextlib.contextmanager
def made_by_podman(lab: Podman) -> Iterator[tuple[str, Path]]:
    """An image that Podman makes of a container, and its archive of the same container."""
    name = f"localhost/by-podman:{uuid.uuid4().hex[:8]}"
    running = lab.start(REMEMBERS)
    try:
        archive = lab.checkpoint(running)
        lab.node.run(
            "podman", "container", "checkpoint", "--leave-running", "--create-image", name, running.id
        )
    finally:
        lab.remove(running)
    yield name, archive
    lab.node.run("podman", "rmi", "--force", name)


@pytest.fixture(scope="module", params=["folder", "tar"])
def image(request: pytest.FixtureRequest, lab: Podman, archive: tuple[Path, str]) -> Iterator[str]:
    """An image of it that Podman has, out of a layout or a tar of one."""
    tar = request.param == "tar"
    path, _, _ = built(lab.node, str(archive[0]), tar=tar)
    transport = "oci-archive" if tar else "oci"
    id_ = lab.node.run("podman", "pull", "-q", f"{transport}:{path}").stdout.strip()
    yield id_
    lab.node.run("podman", "rmi", "--force", id_)


def test_podman_restores_it(lab: Podman, image: str, archive: tuple[Path, str]) -> None:
    name = lab.node.run("podman", "--runtime", "crun", "container", "restore", image).stdout.split()[-1]
    try:
        form = "{{.State.Restored}} {{.State.Pid}}"
        restored, pid = lab.node.run("podman", "inspect", "--format", form, name).stdout.split()
        assert restored == "true"
        assert asked(lab.node.pid_outside(int(pid))).split()[0] == archive[1]
    finally:
        lab.node.run("podman", "rm", "--force", "--time", "0", name)


def test_podman_run_takes_it_for_the_checkpoint_that_it_is(lab: Podman, image: str) -> None:
    done = lab.node.run("podman", "run", "--rm", image, check=False)
    assert "is a checkpoint and must be started using `podman container restore`" in done.stderr


@pytest.mark.parametrize("compress", ["none", "gzip", "zstd"])
def test_skopeo_and_buildah_read_it(compress: str, lab: Podman, archive: tuple[Path, str]) -> None:
    node = lab.node
    path, reference, done = built(node, str(archive[0]), compress=compress)
    said = json.loads(node.run("skopeo", "inspect", "--raw", f"oci:{path}:{reference}").stdout)
    assert said["annotations"] == done.image.annotations
    assert [each["digest"] for each in said["manifests"]] == [done.image.manifest.digest]
    told = inspected(node, f"oci:{path}:{reference}")
    assert (told["Architecture"], told["Os"]) == (done.platform.architecture, "linux")
    assert told["Layers"] == [done.image.layer.descriptor.digest]
    assert not told["Labels"]
    name = node.run("buildah", "from", f"oci:{path}:{reference}").stdout.strip()
    try:
        root = node.run("buildah", "mount", name).stdout.strip()
        found = {each for each in node.sh(f"cd {root}; find . -type f").split() if each != "."}
    finally:
        node.run("buildah", "rm", name)
    with open_checkpoint(str(archive[0])) as checkpoint:
        members = checkpoint.archive.members.values()
        assert found == {f"./{each.name}" for each in members if each.type == "file"}


def test_annotations_are_those_that_podman_itself_writes(lab: Podman) -> None:
    node = lab.node
    with made_by_podman(lab) as (image, archive):
        node.run("podman", "push", "-q", image, f"oci:{IMAGES}/podman:x")
        raw = json.loads(node.run("skopeo", "inspect", "--raw", f"oci:{IMAGES}/podman:x").stdout)
        theirs = raw["annotations"]
        _, _, done = built(node, str(archive))
    ours = done.image.annotations
    prefix = "io.podman.annotations.checkpoint."
    known_to_the_host_alone = {
        f"{prefix}{name}"
        for name in (
            "podman.version",
            "conmon.version",
            "criu.version",
            "runtime.version",
            "host.kernel",
            "distribution.name",
            "distribution.version",
        )
    }
    wanted = {key for key in theirs if key.startswith(prefix)} - known_to_the_host_alone
    assert {key: ours.get(key) for key in wanted} == {key: theirs[key] for key in wanted}


def test_an_image_of_podman_itself_is_read_and_built_again(lab: Podman) -> None:
    node = lab.node
    with made_by_podman(lab) as (image, _):
        node.run("podman", "push", "-q", image, f"oci:{IMAGES}/again:x")
    folder = str(node.outside(f"{IMAGES}/again"))
    with open_checkpoint(folder) as checkpoint:
        assert checkpoint.container.engine == "podman"
        assert checkpoint.container.image_annotations["io.podman.annotations.checkpoint.podman.version"]
        assert [each.comm for each in checkpoint.processes] == ["python3"]
    _, _, done = built(node, folder)
    said = done.image.annotations
    assert (
        said["io.podman.annotations.checkpoint.podman.version"] == said["org.criu.checkpoint.engine.version"]
    )
    assert said["org.criu.checkpoint.conmon.version"].startswith("conmon version")


def test_an_image_made_as_checkpointctl_and_the_blog_do_is_read(
    lab: Podman, archive: tuple[Path, str]
) -> None:
    """`checkpointctl build` runs these commands of buildah (internal/oci_image_build.go); 1.3.0 has none."""
    node = lab.node
    inside, name = f"{IMAGES}/given.tar", "localhost/by-buildah:1"
    node.outside(inside).write_bytes(archive[0].read_bytes())
    _, _, done = built(node, str(archive[0]))
    annotations = [f"--annotation={key}={done.image.annotations[key]}" for key in BY_CHECKPOINTCTL]
    container = node.run("buildah", "from", "scratch").stdout.strip()
    node.run("buildah", "add", container, inside, "/")
    node.run("buildah", "config", *annotations, container)
    node.run("buildah", "commit", "-q", container, name)
    node.run("buildah", "rm", container)
    node.run("buildah", "push", "-q", name, f"oci:{IMAGES}/theirs:1")
    with open_checkpoint(str(node.outside(f"{IMAGES}/theirs"))) as checkpoint:
        assert {*BY_CHECKPOINTCTL} <= {*checkpoint.archive.annotations}
        assert [each.comm for each in checkpoint.processes] == ["python3"]


@pytest.fixture(scope="module", autouse=True)
def room(lab: Podman) -> None:
    """A folder for images in the node."""
    lab.node.run("mkdir", "-p", IMAGES)
