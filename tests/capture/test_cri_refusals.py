"""Every recorded failure of containerd and CRI-O, and the cause and cure that Cryoscope makes of it."""

from __future__ import annotations

import pytest
from cri_recordings import NAMES, recording

from cryoscope.engines.cri.client import CallFailed
from cryoscope.engines.cri.refusals import ROWS, refused
from cryoscope.engines.port import EngineError, EngineHung, NoSuchContainer
from cryoscope.testing.cri import Exchange, read

ERRORS = {
    "cri.method-unknown": {
        "crio": "unknown-method",
        "containerd": "unknown-method",
    },
    "cri.interface": {
        "crio": "unknown-service-v1alpha2",
        "containerd": "unknown-service-v1alpha2",
    },
    "cri.archive-not-taken": {
        "crio": "image-status-path create-container-tar-missing-file nocriu-create-container-from-tar",
        "containerd": "create-container-tar-missing-file",
        "containerd-main": (
            "create-container-from-tar create-container-from-tar-own create-container-tar-gzip "
            "create-container-tar-foreign-runtime create-container-tar-missing-file"
        ),
    },
    "cri.container-unknown": {
        "crio": (
            "container-status-unknown container-stats-unknown checkpoint-unknown-id "
            "checkpoint-sandbox-id checkpoint-of-restored container-status-host-network "
            "stop-container-host-network remove-container-host-network "
            "container-status-from-tar-criu-missing stop-container-from-tar-criu-missing "
            "remove-container-from-tar-criu-missing remove-container-running container-status-removed "
            "checkpoint-removed start-container-unknown container-status-restored-after-start-twice "
            "container-status-host-network-3 stop-container-host-network-3 "
            "remove-container-host-network-3"
        ),
        "containerd": (
            "container-status-unknown container-stats-unknown checkpoint-unknown-id "
            "checkpoint-sandbox-id container-status-removed checkpoint-removed "
            "start-container-unknown"
        ),
        "containerd-main": "checkpoint-unknown-id",
    },
    "cri.no-id": {
        "crio": "container-status-empty-id checkpoint-empty-id",
        "containerd": (
            "container-status-empty-id checkpoint-empty-id create-container-from-tar-host-network "
            "stop-pod-sandbox-hostnet remove-pod-sandbox-hostnet"
        ),
        "containerd-main": "checkpoint-empty-id container-status-empty-id",
    },
    "cri.pod-unknown": {
        "crio": "pod-sandbox-status-unknown create-container-unknown-sandbox",
        "containerd": "pod-sandbox-status-unknown create-container-unknown-sandbox",
    },
    "cri.not-running": {
        "crio": "checkpoint-created-not-started checkpoint-exited checkpoint-stopped",
        "containerd": (
            "checkpoint-created-not-started container-stats-exited checkpoint-exited checkpoint-stopped"
        ),
        "containerd-main": "checkpoint-exited container-stats-exited",
    },
    "cri.location": {
        "crio": "checkpoint-missing-folder checkpoint-location-is-a-folder",
        "containerd": (
            "checkpoint-missing-folder checkpoint-empty-location checkpoint-location-is-a-folder "
            "checkpoint-empty-location-2"
        ),
        "containerd-main": "checkpoint-missing-folder checkpoint-empty-location",
    },
    "cri.busy": {
        "crio": "checkpoint-two-at-once-b",
        "containerd": "checkpoint-two-at-once-a",
        "containerd-main": "checkpoint-two-at-once-b",
    },
    "criu.tcp-established": {
        "crio": "checkpoint-tcp-established",
    },
    "cri.hung": {
        "crio": "checkpoint-big-client-deadline",
        "containerd": "checkpoint-big-client-deadline",
    },
    "cri.started": {
        "crio": "start-container-twice start-container-ordinary-twice start-container-restored-twice",
        "containerd": "start-container-twice start-container-ordinary-twice start-container-restored-twice",
    },
    "cri.archive-folder": {
        "crio": "create-container-tar-folder",
        "containerd": "create-container-tar-folder",
    },
    "cri.archive-truncated": {
        "crio": "create-container-tar-not-a-tar create-container-tar-truncated",
        "containerd": "create-container-tar-not-a-tar create-container-tar-truncated",
    },
    "cri.archive-empty": {
        "crio": "create-container-tar-empty-file",
        "containerd": "create-container-tar-empty-file",
    },
    "cri.base-image-missing": {
        "crio": "create-container-tar-no-base-image",
    },
    "cri.foreign-runtime": {
        "crio": (
            "create-container-tar-foreign-runtime create-container-tar-foreign-mounts-declared "
            "create-container-checkpoint-image-foreign"
        ),
        "containerd": (
            "create-container-tar-foreign-runtime create-container-tar-foreign-mounts-declared "
            "create-container-checkpoint-image-foreign"
        ),
    },
    "cri.mounts-missing": {
        "crio": (
            "create-container-tar-mounts-not-declared create-container-tar-mounts-one-missing "
            "create-container-demo-mounts-none create-container-demo-mounts-one-missing"
        ),
    },
    "cri.image-missing": {
        "crio": "create-container-checkpoint-image-not-pulled create-container-unknown-image",
        "containerd": "create-container-checkpoint-image-not-pulled create-container-unknown-image",
    },
    "cri.image-unknown": {
        "crio": "pull-image-unknown",
        "containerd": "pull-image-unknown",
    },
    "criu.netns": {
        "crio": "start-container-from-tar-host-network start-container-from-tar-host-network-3",
    },
    "cri.handler-unknown": {
        "crio": "run-pod-sandbox-unknown-handler",
        "containerd": "run-pod-sandbox-unknown-handler",
    },
    "cri.criu-missing": {
        "crio": "checkpoint-criu-missing start-container-from-tar-criu-missing",
        "containerd": "checkpoint-criu-missing start-container-from-tar-criu-missing",
    },
    "cri.pod-stopped": {
        "crio": "create-container-in-stopped-sandbox",
    },
    "cri.unsupported": {
        "crio": "nocriu-checkpoint nocriu-checkpoint-unknown-id",
    },
    "criu.reason-elsewhere": {
        "containerd": (
            "checkpoint-tcp-established start-container-demo-mounts-none "
            "start-container-demo-mounts-one-missing"
        ),
    },
    "cri.name-taken": {
        "containerd": "create-container-from-tar-same-name run-pod-sandbox-same-name",
    },
    "cri.archive-compressed": {
        "containerd": "create-container-tar-gzip",
    },
    "cri.image-unpullable": {
        "containerd": (
            "create-container-tar-no-base-image create-container-tar-mounts-not-declared "
            "create-container-tar-mounts-declared create-container-tar-mounts-one-missing"
        ),
    },
    "cri.hostname": {
        "containerd": "run-pod-sandbox-hostnet",
    },
}
"""The code of every exchange that failed, by recording."""


def failed(name: str) -> list[Exchange]:
    """The exchanges of a recording that are errors."""
    return [each for each in read(recording(name)) if each.code != "OK"]


def error_of(each: Exchange, log: str = "") -> EngineError:
    """What a person is told of it."""
    return refused(CallFailed(each.call, each.code, each.details), log)


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_failure_has_its_code(name: str) -> None:
    wanted = {
        exchange: code
        for code, names in ERRORS.items()
        for exchange in names.get(name, "").split()
        if exchange
    }
    found = {each.name: error_of(each).code for each in failed(name)}
    assert found == wanted


@pytest.mark.parametrize("name", NAMES)
def test_every_failure_is_one_line_with_a_cure(name: str) -> None:
    for each in failed(name):
        error = error_of(each)
        assert error.hint, each.name
        assert "\n" not in error.message, each.name
        assert len(error.message) < 500, each.name


def test_no_two_codes_say_the_same() -> None:
    said: dict[str, str] = {}
    for name in NAMES:
        for each in failed(name):
            error = error_of(each)
            assert said.setdefault(error.message, error.code) == error.code
    assert len({row.code for row in ROWS}) == len({row.what for row in ROWS}) == len(ROWS)


def test_kinds_of_failures() -> None:
    lines = {each.name: each for each in failed("crio")}
    assert isinstance(error_of(lines["checkpoint-unknown-id"]), NoSuchContainer)
    late = error_of(lines["checkpoint-big-client-deadline"])
    assert isinstance(late, EngineHung)
    assert late.exit_code == 5


def test_crios_quotation_of_the_log_gives_the_cause() -> None:
    lines = {each.name: each for each in failed("crio")}
    error = error_of(lines["checkpoint-tcp-established"])
    assert "TCP" in error.message
    assert error.code == "criu.tcp-established"


def test_the_log_on_the_node_gives_the_cause_that_containerd_does_not() -> None:
    lines = {each.name: each for each in failed("containerd")}
    silent = lines["checkpoint-tcp-established"]
    assert error_of(silent).code == "criu.reason-elsewhere"
    log = (
        "(00.0099) Error (criu/sk-inet.c:200): inet: Connected TCP socket, consider using --tcp-established\n"
    )
    assert error_of(silent, log).code == "criu.tcp-established"


def test_what_a_runtime_says_cannot_reach_the_terminal() -> None:
    error = refused(CallFailed("CreateContainer", "UNKNOWN", "\x1b]0;owned\x07 \u202e" + "x" * 10_000_000))
    assert "\x1b" not in error.message
    assert "\u202e" not in error.message
    assert len(error.message) < 1000


def test_names_in_a_message_are_bounded_and_escaped() -> None:
    said = 'restoring "/a" expects following bind mounts defined (/scratch\x1b[2J,' + "/y" * 5000 + ")"
    error = refused(CallFailed("CreateContainer", "UNKNOWN", said))
    assert "\x1b" not in error.message
    assert len(error.message) < 1000


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("checkpoint restore via CreateContainer is disabled by configuration", "cri.restore-off"),
        (
            "failed to checkpoint container: checkpoint/restore requires at least CRIU 31600, current",
            "cri.criu-too-old",
        ),
        ("criu support is disabled by configuration", "cri.unsupported"),
        ("criu binary not found in shim path or system PATH", "cri.criu-missing"),
        ("write /x/pages-1.img: no space left on device", "cri.disk-full"),
        ("failed to setup network for sandbox: cni plugin not initialized", "cri.network"),
        ("something nobody has heard of", "cri.failed"),
    ],
)
def test_words_that_were_read_in_the_sources(said: str, code: str) -> None:
    assert refused(CallFailed("CheckpointContainer", "UNKNOWN", said)).code == code
