"""`restore --to k8s --push`: the image is in a real registry, by the digest that the pod names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from lab.engines.registry import ADDRESS, Registry
from lab.node import Node
from registry_kit import inside

pytestmark = pytest.mark.xdist_group("registry")
DATA = Path(__file__).resolve().parent.parent / "data"


def test_the_pod_names_the_image_that_was_pushed(node: Node, registry: Registry) -> None:
    image = f"{ADDRESS}/evidence/counter:1"
    where = ("--to", "k8s", "--name", "again", "--force", "--trust-archive")
    done = inside(
        node, "restore", DATA / "crio-counter.tar", *where, "--image", image, "--push", "--plain-http"
    )
    assert done.returncode == 0, done.stderr
    pod = [*yaml.safe_load_all(done.stdout)][-1]
    named = pod["spec"]["containers"][0]["image"]
    assert named.startswith(f"{ADDRESS}/evidence/counter@sha256:")
    shown = inside(node, "inspect", f"oci://{named}", "--plain-http", "-f", "json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["archives"][0]["overview"]["name"] == "counter"
    # What a sandbox must not have was cleaned out of the copy that the image was made of.
    listed = inside(node, "cat", f"oci://{named}", "bind.mounts", "--plain-http")
    assert "/var/lib/kubelet" not in listed.stdout
    again = inside(node, "restore", f"oci://{named}", *where, "--plain-http", "-f", "json")
    assert again.returncode == 0, again.stderr
    part = json.loads(again.stdout)["archives"][0]
    assert part["manifests"][-1]["spec"]["containers"][0]["image"] == named


def test_nobody_pushes_an_archive_that_is_not_trusted(node: Node, registry: Registry) -> None:
    image = f"{ADDRESS}/evidence/other:1"
    done = inside(
        node, "restore", DATA / "crio-counter.tar", "--to", "k8s", "--image", image, "--push", "--force"
    )
    assert done.returncode == 4
    assert "trust" in done.stderr
    assert inside(node, "inspect", f"oci://{image}", "--plain-http").returncode == 1
