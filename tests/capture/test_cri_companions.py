"""`--with` for containerd and CRI-O: what a runtime says of a container, and its log on the node."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from cri_recordings import NAMES, RUNTIMES, STATUS, Elsewhere, recording, running

from cryoscope.engines.cri import Cri
from cryoscope.engines.port import Reach
from cryoscope.testing.cri import ReplayedRuntime
from cryoscope.workflows.companions import Companions, save_companions

pytest.importorskip("grpc")
LOG = "var/log/pods/rec_looper_looper-0000-uid/looper/0.log"
SAID = b"2026-01-01T00:00:00.000000000Z stdout F ready\n"


def save(name: str, root: Path, *wanted: str, image: str = "") -> tuple[Path, Companions]:
    """What is saved of the recorded looper on a node whose files are below `root`."""
    (root / "run").mkdir(exist_ok=True)
    with ReplayedRuntime([recording(name)], root / "run/cri.sock") as runtime:
        engine = Cri("/run/cri.sock", Reach(host=Elsewhere(root)))
        if {"inspect", "logs"} & {*wanted}:
            runtime.play(*[STATUS] * 2)
        if "pod" in wanted:
            runtime.play("list-containers-filter-short-id", "pod-sandbox-status-verbose")
        found = msgspec.structs.replace(running(), image=image)
        folder, manifest = save_companions(engine, found, wanted, str(root / "a.tar"))
        engine.close()
    return Path(folder), manifest


@pytest.mark.parametrize("name", RUNTIMES)
def test_what_a_runtime_says_of_container_and_pod_is_saved(name: str, tmp_path: Path) -> None:
    folder, manifest = save(name, tmp_path, "inspect", "pod")
    assert manifest.missing == []
    inspect, pod = (json.loads((folder / each).read_text()) for each in ("inspect.json", "pod.json"))
    assert inspect["status"]["id"] == "ab" * 32
    assert inspect["status"]["logPath"] == "/" + LOG
    assert inspect["info"]["info"]["runtimeSpec"]["process"]["args"]
    assert pod["status"]["metadata"]["name"]
    assert pod["info"]["info"]["runtimeSpec"]["ociVersion"]


def test_the_log_is_read_from_the_node(tmp_path: Path) -> None:
    (tmp_path / LOG).parent.mkdir(parents=True)
    (tmp_path / LOG).write_bytes(SAID)
    folder, manifest = save("containerd", tmp_path, "logs")
    assert manifest.missing == []
    assert (folder / "container.log").read_bytes() == SAID


@pytest.mark.parametrize("wrong", ["absent", "link", "linked folder", "folder", "pipe"])
def test_a_log_that_is_no_plain_file_is_missing_and_never_followed(wrong: str, tmp_path: Path) -> None:
    import os

    (tmp_path / "secret.log").write_bytes(b"secret")
    log = tmp_path / LOG
    log.parent.parent.mkdir(parents=True)
    if wrong == "linked folder":
        (tmp_path / "other").mkdir()
        (tmp_path / "other/0.log").write_bytes(b"secret")
        log.parent.symlink_to(tmp_path / "other")
    else:
        log.parent.mkdir()
    if wrong == "link":
        log.symlink_to(tmp_path / "secret.log")
    elif wrong == "folder":
        log.mkdir()
    elif wrong == "pipe":
        os.mkfifo(log)
    folder, manifest = save("crio", tmp_path, "logs")
    assert [(each.kind, each.code) for each in manifest.missing] == [("logs", "cri.log")]
    assert manifest.missing[0].cure
    assert [each.name for each in folder.iterdir()] == ["manifest.json"]


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_missing_with_the_command_that_has_it(name: str, tmp_path: Path) -> None:
    _, manifest = save(name, tmp_path, "image", "events", image="registry.example/app:1")
    told = {each.kind: (each.code, each.cure) for each in manifest.missing}
    command = (
        "skopeo copy containers-storage:{}" if name == "crio" else "ctr -n k8s.io images export image.tar {}"
    )
    assert told["image"][0] == "cri.image-export"
    assert command.format("registry.example/app:1") in told["image"][1]
    assert told["events"][0] == "companions.none"


def test_a_name_of_an_image_that_is_none_is_in_no_command(tmp_path: Path) -> None:
    _, manifest = save("containerd", tmp_path, "image", image="x; reboot")
    assert "reboot" not in manifest.missing[0].cure
