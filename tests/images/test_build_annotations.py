"""Every annotation that can be known, in all three families, under the names that their readers have."""

from __future__ import annotations

from pathlib import Path

import pytest

from cryoscope.images.annotations import FAMILIES, annotations_of
from cryoscope.workflows.open import open_checkpoint

DATA = Path(__file__).resolve().parents[1] / "data"
IMAGE = "localhost/busybox:1.37"
IMAGE_ID = "a938b4ffb454c266c201a29aa97fc14b1b336c970ac8a715da59f6f5da72ee8b"


def said(name: str) -> dict[str, str]:
    """The annotations of one of the archives."""
    with open_checkpoint(str(DATA / name)) as checkpoint:
        return annotations_of(checkpoint)


def test_of_crio_all_that_the_archive_says() -> None:
    criu, crio = "org.criu.checkpoint.", "io.kubernetes.cri-o.annotations.checkpoint."
    podman, own = "io.podman.annotations.checkpoint.", "io.cryoscope.checkpoint."
    taken, kernel = "2026-11-22T00:48:26.319873Z", "6.18.44-fc-v669"
    assert said("crio-counter.tar") == {
        criu + "container.name": "counter",
        criu + "engine.name": "CRI-O",
        criu + "pod.name": "counters",
        criu + "pod.namespace": "team-b",
        criu + "pod.uid": "615aef21-7120-41dc-98ee-a9dbb1fa90f9",
        criu + "pod.id": "57c1ed132f54f87792b1268e916b966ae830e127e953512d42531bf277fe858a",
        criu + "rootfsImageName": IMAGE,
        criu + "rootfsImageUserRequested": IMAGE_ID,
        criu + "rootfsImageID": IMAGE_ID,
        criu + "rawImageName": IMAGE,
        criu + "runtime.name": "runc",
        criu + "criu.version": "4.2.1",
        criu + "host.arch": "amd64",
        criu + "host.kernel": kernel,
        criu + "cgroup.version": "v1",
        crio + "name": "counter",
        crio + "rawImageName": IMAGE,
        crio + "rootfsImageID": IMAGE_ID,
        crio + "rootfsImageName": IMAGE,
        crio + "criu.version": "4.2.1",
        podman + "name": "counter",
        podman + "rawImageName": IMAGE,
        podman + "rootfsImageID": IMAGE_ID,
        podman + "rootfsImageName": IMAGE,
        podman + "criu.version": "4.2.1",
        podman + "runtime.name": "runc",
        podman + "host.arch": "amd64",
        podman + "host.kernel": kernel,
        podman + "cgroups.version": "v1",
        own + "time": taken,
        own + "node": "node1",
        "org.opencontainers.image.created": taken,
    }


@pytest.mark.parametrize("name", ["containerd-counter.tar", "crio-counter.tar", "podman-looper-crun.tar"])
def test_each_engine_finds_the_one_it_looks_for(name: str) -> None:
    found = said(name)
    assert found["io.kubernetes.cri-o.annotations.checkpoint.name"]
    assert found["org.criu.checkpoint.container.name"]
    assert found["io.podman.annotations.checkpoint.runtime.name"]


def test_of_docker_none_makes_an_engine_try_a_restore() -> None:
    assert not [key for key in said("docker-looper") if key.startswith(("io.kubernetes.", "io.podman."))]


def test_what_an_image_said_before_is_kept() -> None:
    found = said("podman-image.oci.tar")
    assert found["org.criu.checkpoint.engine.version"] == "5.8.6"
    assert found["org.criu.checkpoint.conmon.version"].startswith("conmon version 2.1.13")
    assert found["io.podman.annotations.checkpoint.criu.version"] == "40201"


def test_no_two_facts_have_one_name() -> None:
    for family in ("criu", "crio", "podman"):
        names = [getattr(each, family) for each in FAMILIES if getattr(each, family)]
        assert len(names) == len(set(names))
