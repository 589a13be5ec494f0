"""The replayed runtime against every line that was recorded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cri_recordings import NAMES, recording

from cryoscope import needs
from cryoscope.testing.cri import Exchange, ReplayedRuntime, read

grpc = pytest.importorskip("grpc")


def called(channel: object, each: Exchange, request: bytes | None = None) -> tuple[str, bytes | None, str]:
    """Status, message and words of one call, as a client sees them."""
    try:
        answer = channel.unary_unary(each.method)(each.request if request is None else request, timeout=10)  # type: ignore[attr-defined]
    except grpc.RpcError as error:
        return error.code().name, None, error.details()
    return "OK", answer, ""


@pytest.mark.parametrize("name", NAMES)
def test_every_line_is_answered_as_it_was(name: str, tmp_path: Path) -> None:
    lines = [*read(recording(name))]
    assert len({each.name for each in lines}) == len(lines)
    with (
        ReplayedRuntime([recording(name)], tmp_path / "s") as runtime,
        needs.grpc().insecure_channel(f"unix:{tmp_path}/s") as channel,
    ):
        for each in lines:
            code, response, details = called(channel, each)
            assert (code, details) == (each.code, each.details if each.code != "OK" else ""), each.name
            if each.code == "OK":
                assert response == each.response, each.name
    assert runtime.unmatched == []
    assert [request for _, request in runtime.calls] == [each.request for each in lines]


def test_ids_by_other_names(tmp_path: Path) -> None:
    lines = {each.name: each for each in read(recording("crio"))}
    old = lines["container-status-verbose-looper"].request[2:66].decode()
    new = "ab" * 32
    with (
        ReplayedRuntime([recording("crio")], tmp_path / "s", ids={old: new}) as runtime,
        needs.grpc().insecure_channel(f"unix:{tmp_path}/s") as channel,
    ):
        asked = lines["container-status-verbose-looper"]
        code, response, _ = called(channel, asked, asked.request.replace(old.encode(), new.encode()))
        assert code == "OK"
        assert response is not None
        assert new.encode() in response
        assert old.encode() not in response
    assert runtime.unmatched == []


def test_a_chosen_answer_has_the_ids_of_the_request(tmp_path: Path) -> None:
    lines = {each.name: each for each in read(recording("crio"))}
    asked = lines["checkpoint-exited"]
    request = b"\x0a\x40" + b"cd" * 32
    with (
        ReplayedRuntime([recording("crio")], tmp_path / "s") as runtime,
        needs.grpc().insecure_channel(f"unix:{tmp_path}/s") as channel,
    ):
        runtime.play("checkpoint-exited")
        code, _, said = called(channel, asked, request)
        assert (code, said) == ("UNKNOWN", f"container {'cd' * 32} is not running")
        assert called(channel, asked, request)[0] == "ABORTED"
    assert runtime.unmatched == [(asked.method, request)]


def test_a_checkpoint_that_succeeds_writes_over_what_is_there(tmp_path: Path) -> None:
    from cryoscope.engines.cri import messages

    place = tmp_path / "there"
    place.write_bytes(b"before and longer")
    request = messages.encode(
        messages.message("CheckpointContainerRequest", container_id="ab" * 32, location=str(place))
    )
    asked = next(each for each in read(recording("crio")) if each.name == "checkpoint-success")
    with (
        ReplayedRuntime([recording("crio")], tmp_path / "s", archive=b"archive") as runtime,
        needs.grpc().insecure_channel(f"unix:{tmp_path}/s") as channel,
    ):
        runtime.play("checkpoint-success")
        assert called(channel, asked, request)[0] == "OK"
    assert place.read_bytes() == b"archiveand longer"
    assert not os.path.exists("/var/lib/kubelet/checkpoints/checkpoint-looper.tar")
