"""`cryoscope collect`: an archive comes off its node, is verified, and only then has its name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("httpx2")
pytest.importorskip("wsproto")

from cryoscope.engines.collect import waiting
from cryoscope.engines.host import Host
from cryoscope.engines.port import Reach
from cryoscope.errors import CryoscopeError, UsageError
from cryoscope.testing import pods
from cryoscope.workflows.collect import Collecting, collect
from cryoscope.workflows.examine import Answer

NAME = "checkpoint-counters_team-b-counter-2026-11-22T00:48:25Z.tar"
FOLDER = "/var/lib/kubelet/checkpoints"
IMAGE = "busybox@sha256:" + "ab" * 32


class World:
    """A node's folder with an archive, behind an API server whose pods really run their command."""

    def __init__(self, folder: Path, archive: bytes) -> None:
        self.folder = folder / "checkpoints"
        self.folder.mkdir(mode=0o700)
        self.archive = archive
        (self.folder / NAME).write_bytes(archive)
        (self.folder / NAME).chmod(0o600)
        self.output = folder / "web.tar"
        self.pods = pods.Pods(
            {("node2", FOLDER): str(self.folder)}, settings={"image": IMAGE, "folder": FOLDER}
        )
        pod = {"metadata": {"name": "counters", "namespace": "team-b"}, "spec": {"nodeName": "node2"}}
        self.pods.there["team-b", "counters"] = pod

    def collect(self, where: str = "node2", path: str = f"{FOLDER}/{NAME}", **how: Any) -> Answer:
        with pods.serve(self.pods) as address:
            config = self.folder.parent / "kubeconfig"
            config.write_text(pods.kubeconfig(address))
            reach = Reach(host=Host(), kubeconfig=str(config))
            wanted = {"output": str(self.output)} | how
            return collect(where, path, reach, Collecting(**wanted))


@pytest.fixture
def world(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(waiting, "EVERY", 0.01)
    return World(tmp_path, (data / "crio-counter.tar").read_bytes())


def failure(answer: Answer) -> CryoscopeError:
    [(_, error)] = answer.failures
    assert error.hint
    return error


@pytest.mark.parametrize("where", ["node2", "k8s://team-b/counters", "k8s://gone/pod?node=node2"])
@pytest.mark.parametrize("path", [f"{FOLDER}/{NAME}", NAME])
def test_an_archive_comes_by_its_node_or_its_pod(world: World, where: str, path: str) -> None:
    answer = world.collect(where, path)
    [part] = answer.document.archives
    assert world.output.read_bytes() == world.archive
    assert (part.node, part.location, part.by) == ("node2", f"{FOLDER}/{NAME}", "reader-pod")
    assert part.sha256 == hashlib.sha256(world.archive).hexdigest()
    assert part.complete
    assert part.processes == 3
    assert [each["metadata"]["name"] for each in world.pods.there.values()] == ["counters"]


def test_this_may_be_the_node(world: World) -> None:
    answer = world.collect(path=f"{world.folder}/{NAME}", how="local", remove=True)
    assert answer.document.archives[0].removed
    assert world.output.read_bytes() == world.archive
    assert not (world.folder / NAME).exists()


def test_an_archive_that_was_cut_short_keeps_the_name_that_says_so(world: World) -> None:
    (world.folder / NAME).write_bytes(world.archive[: len(world.archive) // 2])
    answer = world.collect()
    assert (failure(answer).code, answer.exit_code) == ("capture.incomplete", 5)
    assert not world.output.exists()
    assert Path(f"{world.output}.incomplete").exists()


def test_what_is_not_there_leaves_no_file(world: World) -> None:
    answer = world.collect(path=NAME.replace("counters", "others"))
    assert (failure(answer).code, answer.exit_code) == ("collect.missing", 5)
    assert not [*world.output.parent.glob("web.tar*")]
    assert failure(world.collect("k8s://team-b/others")).code == "k8s.not-found"


def test_nothing_that_is_there_is_replaced(world: World) -> None:
    world.output.write_text("mine")
    with pytest.raises(UsageError) as caught:
        world.collect()
    assert caught.value.code == "capture.exists"
    assert world.output.read_text() == "mine"


@pytest.mark.parametrize(
    ("where", "path", "how", "code"),
    [
        ("../node", NAME, {}, "collect.node"),
        ("node2", NAME, {"remove": True}, "collect.remove"),
        ("k8s://", NAME, {}, "target.bad"),
    ],
)
def test_what_makes_no_sense_is_usage(
    world: World, where: str, path: str, how: dict[str, Any], code: str
) -> None:
    with pytest.raises(UsageError) as caught:
        world.collect(where, path, **how)
    assert (caught.value.code, caught.value.exit_code) == (code, 2)


@pytest.mark.parametrize("path", ["/etc/shadow", f"{FOLDER}/../{NAME}", f"{FOLDER}/x.tar"])
def test_only_archives_of_kubelets_are_collected(world: World, path: str) -> None:
    with pytest.raises(UsageError) as caught:
        world.collect(path=path)
    assert caught.value.code == "collect.name"


def test_the_default_name_is_the_nodes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world.output.parent)
    world.collect(output=None)
    assert (world.output.parent / NAME).read_bytes() == world.archive
