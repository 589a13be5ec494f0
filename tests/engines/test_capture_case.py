"""A container of a real engine becomes evidence: captured, sealed, read, and it goes on from there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commanding import reaching, remove, run, target_of
from lab.engines import Running
from lab.engines.podman import Podman
from lab.workloads import SHELL_COUNTER
from tests.evidence.store_contract import Place

pytestmark = pytest.mark.xdist_group("podman-crun")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    found = Place(tmp_path)
    for name in ("CRYOSCOPE_SETTINGS", "CRYOSCOPE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, found.environment[name])
    found.run("case", "new", "night")
    return found


@pytest.fixture
def counting(podman: Callable[[str], Podman]) -> Iterator[tuple[Podman, Running]]:
    """A counter that runs."""
    engine = podman("crun")
    running = engine.start(SHELL_COUNTER)
    yield engine, running
    engine.remove(running)


def test_a_capture_into_a_case_leaves_evidence_and_no_file(
    counting: tuple[Podman, Running], place: Place
) -> None:
    engine, running = counting
    done = run("capture", target_of(engine, running), "--case", "night", "--reason", "t", *reaching(engine))
    assert done.code == 0, done.said
    evidence = done.part["evidence"]
    assert done.part["archive"] == evidence
    assert [*(place.home / "captures").iterdir()] == []
    [shown] = place.json("case", "show", "night", done.part["sha256"])
    manifest = shown["manifest"]
    assert (manifest["sha256"], manifest["size"]) == (done.part["sha256"], done.part["size"])
    assert manifest["capture"]["container"]["id"] == done.part["container"]["id"]
    assert manifest["capture"]["engine"] == "podman"
    assert "podman" in manifest["versions"]
    assert [entry["action"] for entry in shown["entries"]] == ["capture"]
    assert shown["entries"][0]["reason"] == "t"
    place.run("case", "verify", "night")
    assert b"busybox" in place.run("ps", evidence)

    again = run("restore", evidence, "--to", "podman", "--name", "from-evidence", *reaching(engine))
    assert again.code == 0, again.said
    (restored,) = again.part["restored"]
    remove(engine, restored["remove"])


def test_with_a_name_it_is_a_file_and_evidence_and_added_evidence_is_not_trusted_to_run(
    counting: tuple[Podman, Running], place: Place
) -> None:
    engine, running = counting
    path = place.folder / "web.tar"
    where = reaching(engine)
    done = run("capture", target_of(engine, running), "-o", path, "--case", "night", *where)
    assert done.code == 0, done.said
    assert done.part["archive"] == str(path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert done.part["evidence"] == f"case://night/{sha256[:12]}"
    place.run("case", "new", "day")
    [added] = place.json("case", "add", "day", path)
    refused = run("restore", added["address"], "--to", "podman", *where)
    assert (refused.code, refused.document["damaged"][0]["code"]) == (4, "restore.untrusted")


def test_what_cannot_be_kept_is_refused_before_anything_is_captured(
    counting: tuple[Podman, Running], place: Place
) -> None:
    engine, running = counting
    capture = ("capture", target_of(engine, running), *reaching(engine), "--case")
    unknown = place.ran(*capture, "nihgt")
    assert (unknown.returncode, b"no case" in unknown.stderr) == (1, True)
    place.settings.write_text('[budget]\nstore = "1KiB"\n')
    refused = place.ran(*capture, "night")
    assert (refused.returncode, b"budget" in refused.stderr) == (4, True)
    assert not [path for path in place.home.rglob("*.tar*") if path.is_file()]
