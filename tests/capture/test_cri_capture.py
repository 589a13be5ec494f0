"""Captures through the CRI, and all that goes wrong with them: replayed runtimes."""

from __future__ import annotations

from pathlib import Path

import pytest
from cri_recordings import (
    ARCHIVES,
    RUNTIMES,
    STATUS,
    Elsewhere,
    LendingSink,
    asked,
    lending,
    recording,
    replayed,
    running,
)

from cryoscope.engines.cri import Cri
from cryoscope.engines.port import (
    HARD,
    CaptureOptions,
    EngineError,
    EngineHung,
    Reach,
)
from cryoscope.errors import Incomplete
from cryoscope.testing.cri import ReplayedRuntime

pytest.importorskip("grpc")


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder for locks."""
    monkeypatch.setattr("cryoscope.engines.cri.alone.SCRATCH", str(tmp_path / "own"))


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_capture_is_what_the_runtime_wrote(name: str, tmp_path: Path) -> None:
    archive = ARCHIVES[name].read_bytes()
    with replayed(name, tmp_path, archive=archive) as (runtime, engine):
        runtime.play("container-status-verbose-kubelet-made", "checkpoint-success")
        captured = engine.capture(running(), CaptureOptions(), LendingSink(tmp_path / "a.tar"))
        request = asked(runtime, "CheckpointContainer")[0]
    assert request.container_id == "ab" * 32
    assert request.location == str(tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == archive
    assert {"/scratch" in each for each in captured.left_out} >= {True}
    assert captured.version.startswith({"crio": "cri-o 1.37", "containerd": "containerd 2.1.9"}[name])


ENDS = {
    "checkpoint-unknown-id": "cri.container-unknown",
    "checkpoint-exited": "cri.not-running",
    "checkpoint-created-not-started": "cri.not-running",
    "checkpoint-criu-missing": "cri.criu-missing",
    "checkpoint-missing-folder": "cri.location",
    "checkpoint-location-is-a-folder": "cri.location",
}


@pytest.mark.parametrize("name", RUNTIMES)
@pytest.mark.parametrize("exchange", ENDS)
def test_a_capture_that_fails_has_the_code_of_its_cause(name: str, exchange: str, tmp_path: Path) -> None:
    with replayed(name, tmp_path) as (runtime, engine):
        runtime.play(STATUS, exchange)
        with pytest.raises(EngineError) as error:
            engine.capture(running(), CaptureOptions(), LendingSink(tmp_path / "a.tar"))
    assert error.value.code == ENDS[exchange]
    assert error.value.hint
    assert len(asked(runtime, "CheckpointContainer")) == 1


@pytest.mark.parametrize(
    ("name", "exchange", "code"),
    [
        ("crio", "checkpoint-tcp-established", "criu.tcp-established"),
        ("crio", "nocriu-checkpoint", "cri.unsupported"),
        ("containerd", "checkpoint-tcp-established", "criu.reason-elsewhere"),
    ],
)
def test_a_capture_that_criu_refuses(name: str, exchange: str, code: str, tmp_path: Path) -> None:
    with replayed(name, tmp_path) as (runtime, engine):
        runtime.play(STATUS, exchange)
        with pytest.raises(EngineError) as error:
            engine.capture(running(), CaptureOptions(), LendingSink(tmp_path / "a.tar"))
    assert error.value.code == code


def test_the_log_that_containerd_names_is_read_from_the_node(tmp_path: Path) -> None:
    """Only a plain file below a folder of that container is; a link there is not followed."""
    id_ = "1cfdf7dcc02128d149d9d71747d88080c5736479ca0b5b89b1b323ca19e60496"
    folder = tmp_path / f"run/containerd/io.containerd.runtime.v2.task/k8s.io/{id_}"
    folder.mkdir(parents=True)
    log = folder / "criu-dump.log"
    said = (
        "(00.0099) Error (criu/sk-inet.c:200): inet: Connected TCP socket, consider using --tcp-established\n"
    )
    codes = []
    for linked in (False, True):
        if linked:
            (tmp_path / "secret.log").write_text(log.read_text())
            log.unlink()
            log.symlink_to(tmp_path / "secret.log")
        else:
            log.write_text(said)
        with ReplayedRuntime([recording("containerd")], tmp_path / f"s{linked}") as runtime:
            engine = Cri(f"/s{linked}", Reach(host=Elsewhere(tmp_path)))
            runtime.play(STATUS, "checkpoint-tcp-established")
            sink = LendingSink(tmp_path / f"{linked}.tar")
            sink.lend = lending(f"/{linked}.tar")  # type: ignore[method-assign]
            with pytest.raises(EngineError) as error:
                engine.capture(running(id_), CaptureOptions(), sink)
            codes.append(error.value.code)
            engine.close()
    assert codes == ["criu.tcp-established", "criu.reason-elsewhere"]


@pytest.mark.parametrize(
    ("name", "busy"),
    [("crio", "checkpoint-two-at-once-b"), ("containerd", "checkpoint-two-at-once-a")],
)
def test_a_checkpoint_that_meets_another_is_tried_again(
    name: str, busy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cryoscope.engines.cri.capture.PAUSE", 0.01)
    archive = ARCHIVES[name].read_bytes()
    with replayed(name, tmp_path, archive=archive) as (runtime, engine):
        runtime.play(STATUS, busy, busy, "checkpoint-success")
        captured = engine.capture(running(), CaptureOptions(), LendingSink(tmp_path / "a.tar"))
        assert len(asked(runtime, "CheckpointContainer")) == 3
        assert any("3" in note for note in captured.notes)
        runtime.play(STATUS, *[busy] * 9)
        with pytest.raises(EngineError) as error:
            engine.capture(running(), CaptureOptions(), LendingSink(tmp_path / "b.tar"))
    assert error.value.code == "cri.busy"


@pytest.mark.parametrize(("name", "told"), [("crio", "may still write"), ("containerd", "no archive comes")])
def test_a_runtime_that_does_not_answer_in_time(name: str, told: str, tmp_path: Path) -> None:
    with replayed(name, tmp_path, delays={"CheckpointContainer": 1.0}) as (runtime, engine):
        runtime.play(STATUS, "checkpoint-success")
        with pytest.raises(EngineHung) as error:
            engine.capture(running(), CaptureOptions(timeout=0.2), LendingSink(tmp_path / "a.tar"))
    assert (error.value.code, error.value.exit_code) == ("cri.hung", 5)
    assert told in error.value.hint


def test_what_is_there_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"evidence")
    with replayed("crio", tmp_path) as (runtime, engine):
        runtime.play(STATUS)
        with pytest.raises(EngineError) as error:
            engine.capture(running(), CaptureOptions(), LendingSink(tmp_path / "a.tar"))
        assert asked(runtime, "CheckpointContainer") == []
        for wrong in ("", "relative.tar"):
            runtime.play(STATUS)
            sink = LendingSink(tmp_path / "b.tar")
            sink.lend = lending(wrong)  # type: ignore[method-assign]
            with pytest.raises(EngineError) as relative:
                engine.capture(running(), CaptureOptions(), sink)
            assert relative.value.code == "cri.location"
            assert relative.value.hint
        assert asked(runtime, "CheckpointContainer") == []
    assert error.value.code == "cri.location-taken"
    assert (tmp_path / "a.tar").read_bytes() == b"evidence"


@pytest.mark.parametrize(
    ("archive", "code"),
    [
        (None, "cri.no-archive"),
        (ARCHIVES["crio"].read_bytes()[:70_000], "cri.archive-truncated"),
        (ARCHIVES["crio"].read_bytes()[: 65536 * 2], "cri.archive-truncated"),
    ],
)
def test_an_archive_that_is_not_whole_is_said_to_be_incomplete(
    archive: bytes | None, code: str, tmp_path: Path
) -> None:
    with replayed("crio", tmp_path, archive=archive) as (runtime, engine):
        runtime.play(STATUS, "checkpoint-success")
        with pytest.raises(Incomplete) as error:
            engine.capture(running(), CaptureOptions(), LendingSink(tmp_path / "a.tar"))
    assert (error.value.code, error.value.exit_code) == (code, 5)


def test_it_is_stopped_only_when_asked(tmp_path: Path) -> None:
    archive = ARCHIVES["crio"].read_bytes()
    with replayed("crio", tmp_path, archive=archive) as (runtime, engine):
        runtime.play(STATUS, "checkpoint-success")
        engine.capture(running(), CaptureOptions(), LendingSink(tmp_path / "a.tar"))
        assert asked(runtime, "StopContainer") == []
        runtime.play(STATUS, "checkpoint-success", "stop-container-big")
        engine.capture(running(), CaptureOptions(stop=True), LendingSink(tmp_path / "b.tar"))
        assert [each.container_id for each in asked(runtime, "StopContainer")] == ["ab" * 32]


def test_wishes_that_the_interface_has_no_words_for_are_refused_before(tmp_path: Path) -> None:
    wishes = {
        "tcp": CaptureOptions(tcp="established"),
        "close": CaptureOptions(tcp="close"),
        "rootfs": CaptureOptions(ignore_rootfs=True),
        "steps": CaptureOptions(pre_checkpoint=True),
        "compression": CaptureOptions(compression="zstd"),
    }
    with ReplayedRuntime([recording("containerd")], tmp_path / "s") as runtime:
        engine = Cri("/s", Reach(host=Elsewhere(tmp_path)))
        for options in wishes.values():
            runtime.play(STATUS)
            assert any(each.weight == HARD and each.cure for each in engine.concerns(running(), options))
        runtime.play(STATUS)
        assert engine.concerns(running(), CaptureOptions()) == []
        (tmp_path / "etc/criu").mkdir(parents=True)
        (tmp_path / "etc/criu/runc.conf").write_text("# ours\ntcp-established\n")
        runtime.play(STATUS)
        assert engine.concerns(running(), wishes["tcp"]) == []
        engine.close()
