"""Collecting where this is the node: what is copied, and what is refused."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from cryoscope.engines import collect
from cryoscope.engines.collect import local, names
from cryoscope.engines.collect.errors import CollectError
from cryoscope.engines.host import Host
from cryoscope.engines.port import Reach
from cryoscope.errors import UsageError

NAME = "checkpoint-counters_default-counter-2026-11-22T00:48:25Z.tar"
CONTENT = bytes(range(256)) * 9000


class Memory:
    """A sink that keeps what came; `between` runs after the first block."""

    path = ""

    def __init__(self, between=None):
        self.data = b""
        self.between = between

    def write(self, block):
        self.data += block
        if self.between:
            self.between()
            self.between = None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "checkpoints"
    made.mkdir(0o700)
    made.joinpath(NAME).write_bytes(CONTENT)
    made.joinpath(NAME).chmod(0o600)
    return made


def refused(folder: Path, sink: Memory | None = None, name: str = NAME, **more) -> CollectError:
    with pytest.raises(CollectError) as caught:
        local.collect(Host(), f"{folder}/{name}", sink or Memory(), **more)
    assert caught.value.exit_code == 5
    assert caught.value.hint
    return caught.value


def test_a_file_comes_whole_and_stays_on_the_node(folder):
    sink = Memory()
    got = local.collect(Host(), f"{folder}/{NAME}", sink)
    assert sink.data == CONTENT
    assert (got.size, got.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert not got.removed
    assert folder.joinpath(NAME).exists()


def test_the_nodes_copy_goes_only_when_asked_for(folder):
    sink = Memory()
    got = local.collect(Host(), f"{folder}/{NAME}", sink, remove=True)
    assert got.removed
    assert sink.data == CONTENT
    assert os.listdir(folder) == []


def test_the_nodes_copy_stays_if_it_reads_differently_a_second_time(folder, monkeypatch):
    monkeypatch.setattr(local, "_copied", lambda source, sink, size: (size, "0" * 64))
    assert refused(folder, remove=True).code == "collect.digest"
    assert folder.joinpath(NAME).exists()


def test_another_machines_folder_is_reached_through_its_process(folder, tmp_path):
    class Elsewhere(Host):
        here = False  # type: ignore[assignment]
        root = str(tmp_path)  # type: ignore[assignment]

    sink = Memory()
    assert local.collect(Elsewhere(), f"/checkpoints/{NAME}", sink).size == len(CONTENT)
    tmp_path.joinpath("link").symlink_to("/etc")
    folder.rename(tmp_path / "real")
    folder.symlink_to(tmp_path / "real")
    with pytest.raises(CollectError) as caught:
        local.collect(Elsewhere(), f"/checkpoints/{NAME}", Memory())
    assert caught.value.code == "collect.unsafe"


def test_a_missing_file_is_told_from_a_machine_that_is_not_the_node(folder, tmp_path):
    os.unlink(folder / NAME)
    assert refused(folder).code == "collect.missing"
    assert refused(tmp_path / "nowhere").code == "collect.not-this-node"


def test_a_link_is_refused(folder):
    os.rename(folder / NAME, folder / "other")
    os.symlink(folder / "other", folder / NAME)
    assert refused(folder).code == "collect.unsafe"


def test_a_second_name_is_refused(folder):
    os.link(folder / NAME, folder / "other")
    assert refused(folder).code == "collect.unsafe"


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_plain_file_is_refused(folder, make):
    os.unlink(folder / NAME)
    make(folder / NAME)
    assert refused(folder).code == "collect.unsafe"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_another_owners_file_is_refused(folder):
    os.chown(folder / NAME, 12345, 12345)
    error = refused(folder)
    assert error.code == "collect.unsafe"
    assert "12345" in error.message


@pytest.mark.parametrize("open_to_others", [".", NAME])
def test_what_others_can_write_is_refused(folder, open_to_others):
    os.chmod(folder / open_to_others, 0o777)
    assert refused(folder).code == "collect.unsafe"


def _grow(folder):
    with open(folder / NAME, "ab") as file:
        file.write(b"more")


def _replace(folder):
    folder.joinpath("new").write_bytes(CONTENT)
    os.replace(folder / "new", folder / NAME)


def _rewrite(folder):
    with open(folder / NAME, "r+b") as file:
        file.write(b"x")


@pytest.mark.parametrize(
    "change",
    [_grow, _replace, _rewrite, lambda folder: os.truncate(folder / NAME, 7), lambda f: os.unlink(f / NAME)],
    ids=["grows", "replaced", "rewritten", "truncated", "removed"],
)
def test_a_file_that_changes_while_it_is_read_is_refused(folder, change):
    sink = Memory(between=lambda: change(folder))
    assert refused(folder, sink, remove=True).code == "collect.changed"


GOOD = [
    NAME,
    "checkpoint-a.b-c_kube-system-x-2026-11-22T00:48:25+02:00.tar",
]
BAD = [
    "checkpoint-counters_default-counter-2026-11-22T00:48:25Z.tar\n",
    "checkpoint-counters_default-counter.tar",
    "other.tar",
    "checkpoint-a_b-c-2026-11-22T00:48:25Z.tar/",
    "checkpoint-$(id)_b-c-2026-11-22T00:48:25Z.tar",
    "checkpoint-a_b-c-2026-11-22T00:48:25Z.tar.gz",
    "",
]


@pytest.mark.parametrize("name", GOOD)
def test_names_of_the_kubelet_are_taken(name):
    assert names.split(f"/var/lib/kubelet/checkpoints/{name}") == ("/var/lib/kubelet/checkpoints", name)


@pytest.mark.parametrize("name", BAD)
def test_other_names_are_refused(name):
    with pytest.raises(CollectError) as caught:
        names.split(f"/var/lib/kubelet/checkpoints/{name}")
    assert caught.value.code == "collect.name"
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "folder",
    ["", "relative", "/var/../etc", "/var//lib", "/var/./lib", "/a b", "/a;b", "/a\x1b[31m", "/$HOME"],
)
def test_folders_that_are_no_plain_paths_are_refused(folder):
    with pytest.raises(CollectError) as caught:
        names.split(f"{folder}/{NAME}")
    assert caught.value.code == "collect.name"
    assert "\x1b" not in caught.value.message


def test_ways_are_checked_before_anything_is_done(folder):
    reach = Reach(host=Host())
    with pytest.raises(UsageError):
        collect.collect(reach, "node1", f"{folder}/{NAME}", Memory(), "scp")
    with pytest.raises(UsageError) as caught:
        collect.collect(reach, "node1", f"{folder}/{NAME}", Memory(), "reader-pod", remove=True)
    assert caught.value.code == "collect.remove"
    assert collect.collect(reach, "node1", f"{folder}/{NAME}", Memory(), "none") is None
    got = collect.collect(reach, "node1", f"{folder}/{NAME}", Memory(), "local")
    assert got is not None
    assert got.by == "local"
