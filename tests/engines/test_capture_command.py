"""`cryoscope capture` and `restore` on real engines, as a user types them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commanding import TO, Done, count, reaching, remove, run, target_of
from lab.engines import Engine, Running
from lab.workloads import SHELL_COUNTER

EngineOf = Callable[[str], Engine]


@pytest.fixture
def counting(engine_name: str, engine_of: EngineOf) -> Iterator[tuple[Engine, Running]]:
    """A counter that runs."""
    engine = engine_of(engine_name)
    running = engine.start(SHELL_COUNTER)
    yield engine, running
    engine.remove(running)


def links(pid: int) -> set[str]:
    """The network interfaces that a process sees."""
    rows = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
    return {row.partition(":")[0].strip() for row in rows}


def captured(engine: Engine, running: Running, to: Path, *more: str) -> Done:
    return run("capture", target_of(engine, running), "-o", to, *reaching(engine), *more)


def test_a_capture_is_whole_hashed_and_leaves_the_container_running(
    counting: tuple[Engine, Running], tmp_path: Path
) -> None:
    engine, running = counting
    before = count(running.pid)
    done = captured(engine, running, tmp_path / "a.tar")
    assert done.code == 0, done.said
    part = done.part
    assert part["complete"]
    assert part["size"] == (tmp_path / "a.tar").stat().st_size
    assert part["sha256"] == hashlib.sha256((tmp_path / "a.tar").read_bytes()).hexdigest()
    assert part["processes"] >= 1
    assert [each.name for each in tmp_path.iterdir()] == ["a.tar"]
    assert run("show", tmp_path / "a.tar").part["overview"]["processes"] == part["processes"]
    time.sleep(1.5)
    assert count(running.pid) > before


def test_what_is_captured_goes_on_in_a_sandbox(counting: tuple[Engine, Running], tmp_path: Path) -> None:
    engine, running = counting
    before = count(running.pid)
    assert captured(engine, running, tmp_path / "a.tar").code == 0
    to = ("--to", TO[engine.name])
    refused = run("restore", tmp_path / "a.tar", *to, *reaching(engine))
    assert (refused.code, refused.document["damaged"][0]["code"]) == (4, "restore.untrusted")
    done = run("restore", tmp_path / "a.tar", *to, "--trust-archive", "--name", "again", *reaching(engine))
    assert done.code == 0, done.said
    (restored,) = done.part["restored"]
    outside = engine.node.pid_outside(restored["pid"])
    try:
        assert "busybox" in Path(f"/proc/{outside}/cmdline").read_text()
        assert links(outside) == {"lo"}
        at = count(outside)
        assert at >= before
        time.sleep(1.0)
        assert count(outside) > at
    finally:
        remove(engine, restored["remove"])


def test_every_container_of_an_engine_is_a_target(counting: tuple[Engine, Running]) -> None:
    engine, running = counting
    done = run("targets", "--engine", TO[engine.name], *reaching(engine))
    assert done.code == 0, done.said
    rows = [row for part in done.document["archives"] for row in part.get("containers", [])]
    wanted = target_of(engine, running)
    if engine.name == "criu":
        assert wanted in [row["target"] for row in rows]
        return
    found = [row for row in rows if running.id in (row["id"], row["name"])]
    assert len(found) == 1
    assert found[0]["state"] == "running"
    assert run("doctor", found[0]["target"], *reaching(engine)).code == 0


def test_what_is_not_there_is_said(engine_name: str, engine_of: EngineOf, tmp_path: Path) -> None:
    engine = engine_of(engine_name)
    nobody = {"criu": "pid://999999", "containerd": "cri://containerd/nobody"}.get(
        engine.name, f"{TO[engine.name]}://nobody"
    )
    done = run("capture", nobody, "-o", tmp_path / "a.tar", *reaching(engine))
    assert done.code == 1
    assert len(done.said.splitlines()) == 2, done.said
    assert not [*tmp_path.iterdir()]
