"""What a reader runs, in a real container as confined as its pod: root without a capability, read-only."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

import pytest

from cryoscope.engines.collect import pod, reading
from lab.engines.podman import Podman
from lab.node import Node
from lab.workloads import IMAGES

pytestmark = pytest.mark.xdist_group("podman-crun")

FOLDER = "/var/lib/kubelet/checkpoints"
NAME = "checkpoint-a_b-c-2026-11-22T00:48:25Z.tar"
CONTENT = bytes(range(32, 127)) * 50000


@pytest.fixture
def reader(node: Node, podman: Callable[[str], Podman]):
    """A container with the folder of archives, as a pod of `engines.collect.pod` would have it."""
    podman("crun")
    folder = node.outside(FOLDER)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    folder.joinpath(NAME).write_bytes(CONTENT)
    folder.joinpath(NAME).chmod(0o600)
    confined = [
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--read-only",
        "--read-only-tmpfs=false",
    ]
    mount = f"--volume={FOLDER}:{pod.MOUNT}:ro"
    image = IMAGES["busybox"].reference
    started = node.run(
        "podman", "run", "-d", "--network=none", "--user=0:0", *confined, mount, image, "sleep", "300"
    )
    name = started.stdout.strip()
    yield lambda *more: node.run(
        "podman", "exec", name, "sh", "-c", reading.SCRIPT, "reader", *more, check=False
    )
    node.run("podman", "rm", "-f", "-t", "0", name)


def test_root_without_capabilities_reads_an_archive_whole(reader):
    got = reader(NAME, "1")
    assert got.returncode == 0, got.stderr
    assert got.stdout.encode() == CONTENT
    assert reading.DIGEST.search(got.stderr.encode())[1].decode() == hashlib.sha256(CONTENT).hexdigest()
    assert int(reading.SIZE.search(got.stderr.encode())[1]) == len(CONTENT)


def test_it_goes_on_from_any_byte(reader):
    got = reader(NAME, "1000001")
    assert got.stdout.encode() == CONTENT[1000000:]


def test_it_refuses_what_is_not_there_a_link_and_another_owners_file(reader, node):
    assert reader("other.tar", "1").returncode == reading.MISSING
    folder = node.outside(FOLDER)
    folder.joinpath("link.tar").unlink(missing_ok=True)
    folder.joinpath("link.tar").symlink_to(NAME)
    assert reader("link.tar", "1").returncode == reading.UNSAFE
    folder.joinpath("foreign.tar").write_bytes(b"x")
    os.chown(folder / "foreign.tar", 1000, 1000)
    assert reader("foreign.tar", "1").returncode == reading.UNSAFE
