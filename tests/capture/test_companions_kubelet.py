"""`--with` for Kubernetes: what the API server says of a pod, and what these credentials may not have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("httpx2")
pytest.importorskip("yaml")

from kubelet_rig import Rig, rigged

from cryoscope.engines import connect
from cryoscope.engines.target import parse
from cryoscope.workflows.companions import Companions, save_companions

COUNTER = "k8s://default/counters/counter"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[Rig]:
    yield from rigged(tmp_path_factory, data)


def save(rig: Rig, folder: Path, *wanted: str, target: str = COUNTER) -> tuple[Path, Companions]:
    engine = connect(parse(target), rig.reach())
    made, manifest = save_companions(engine, engine.find("counter"), wanted, str(folder / "a.tar"))
    return Path(made), manifest


@pytest.mark.parametrize("target", [COUNTER, COUNTER + "?via=apiserver"])
def test_the_pod_and_the_containers_status_are_saved(rig: Rig, tmp_path: Path, target: str) -> None:
    folder, manifest = save(rig, tmp_path, "pod", "inspect", target=target)
    pod = json.loads((folder / "pod.json").read_text())
    assert (pod["metadata"]["name"], pod["metadata"]["namespace"]) == ("counters", "default")
    status = json.loads((folder / "status.json").read_text())
    assert status in pod["status"]["containerStatuses"]
    assert status["name"] == "counter"
    assert [each.kind for each in manifest.files] == ["pod", "inspect"]
    assert manifest.missing == []


def test_events_of_the_pod_alone_are_asked_for(rig: Rig, tmp_path: Path) -> None:
    folder, manifest = save(rig, tmp_path, "events")
    assert [each.name for each in manifest.files] == ["events.json"], manifest.missing
    assert isinstance(json.loads((folder / "events.json").read_text())["items"], list)
    assert manifest.files[0].source == "GET /api/v1/namespaces/default/events of the API server"


def test_what_the_server_has_not_is_missing_with_its_code(rig: Rig, tmp_path: Path) -> None:
    engine = connect(parse(COUNTER), rig.reach())
    ended = msgspec.structs.replace(engine.find("counter"), pod="ended")
    _, manifest = save_companions(engine, ended, ["pod", "logs", "image", "events"], str(tmp_path / "a.tar"))
    codes = {each.kind: each.code for each in manifest.missing}
    assert codes.pop("image") == "companions.none"
    assert codes == {"pod": "k8s.not-found", "logs": "k8s.not-found"}
    assert [each.kind for each in manifest.files] == ["events"]
