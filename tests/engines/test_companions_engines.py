"""`--with`: what Podman and Docker save next to an archive is what they say themselves."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cryoscope.engines import connect
from cryoscope.engines.host import Host
from cryoscope.engines.port import Reach
from cryoscope.engines.target import parse
from cryoscope.workflows.companions import Companions, save_companions
from lab.engines import Engine, Running
from lab.workloads import SHELL_COUNTER

NAMES = ("podman-crun", "docker")
each_engine = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in NAMES]
)


@pytest.fixture(scope="module")
def saved_by() -> dict[str, tuple[Path, Companions, str]]:
    return {}


@pytest.fixture
def saved(
    engine_of: Callable[[str], Engine],
    saved_by: dict[str, tuple[Path, Companions, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], tuple[Path, Companions, str]]:
    def of(name: str) -> tuple[Path, Companions, str]:
        if name not in saved_by:
            engine = engine_of(name)
            running = engine.start(SHELL_COUNTER)
            try:
                saved_by[name] = take(engine, running, tmp_path_factory.mktemp("with"))
            finally:
                engine.remove(running)
        return saved_by[name]

    return of


def take(engine: Engine, running: Running, folder: Path) -> tuple[Path, Companions, str]:
    target = parse(f"{engine.name.partition('-')[0]}://{running.id}")
    endpoint = "unix:///run/podman-crun.sock" if engine.name == "podman-crun" else None
    product = connect(target, Reach(host=Host(engine.node.pid), endpoint=endpoint))
    container = product.find(target.reference)
    wanted = ["inspect", "logs", "events", "image", "pod"]
    made, manifest = save_companions(product, container, wanted, str(folder / "a.tar"))
    return Path(made), manifest, container.id


@each_engine
def test_the_log_is_what_the_container_printed(
    name: str, saved: Callable[[str], tuple[Path, Companions, str]]
) -> None:
    folder, _, _ = saved(name)
    lines = (folder / "container.log").read_text().splitlines()
    assert lines
    assert any(line.endswith(" ready") for line in lines)
    assert all(line[:2] == "20" and "\0" not in line for line in lines)


@each_engine
def test_inspect_and_events_are_of_that_container(
    name: str, saved: Callable[[str], tuple[Path, Companions, str]]
) -> None:
    folder, _, number = saved(name)
    assert json.loads((folder / "inspect.json").read_text())["Id"] == number
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert {event["Action"] for event in events} >= {"create", "start"}
    assert {event["Actor"]["ID"] for event in events} == {number}


@each_engine
def test_the_image_is_one(name: str, saved: Callable[[str], tuple[Path, Companions, str]]) -> None:
    folder, _, _ = saved(name)
    with tarfile.open(folder / "image.tar") as image:
        names = image.getnames()
    assert "index.json" in names or "manifest.json" in names


@each_engine
def test_the_manifest_names_all_of_it(
    name: str, saved: Callable[[str], tuple[Path, Companions, str]]
) -> None:
    folder, manifest, _ = saved(name)
    missing = {each.kind: each.code for each in manifest.missing}
    assert missing == ({} if name == "podman-crun" else {"pod": "companions.none"})
    assert {each.name: each.size for each in manifest.files} == {
        path.name: path.stat().st_size for path in folder.iterdir() if path.name != "manifest.json"
    }
    if name == "podman-crun":
        assert "kind: Pod" in (folder / "pod.yaml").read_text()
