"""Every refusal that was recorded has a code, a cause and a cure of its own."""

from __future__ import annotations

from typing import Any

import pytest
from kubelet_world import transcripts

from cryoscope.engines.apiserver.cases import CASES as PROXIED
from cryoscope.engines.kubelet.cases import CASES
from cryoscope.engines.kubelet.errors import KubeletError, NotCheckpointable, Race, Untrusted
from cryoscope.engines.kubelet.judging import error_of, path_of
from cryoscope.engines.kubelet.place import Place
from cryoscope.engines.port import EngineHung, NoSuchContainer
from cryoscope.kubeapi.http import Answer

CODES = {
    "014-proxy-node-unknown": "apiserver.node-unknown",
    "020-404-pod": "kubelet.pod-unknown",
    "021-404-namespace": "kubelet.pod-unknown",
    "022-404-container": "kubelet.container-unknown",
    "023-404-pod-on-other-node": "kubelet.pod-unknown",
    "024-404-pod-proxied": "kubelet.pod-unknown",
    "025-404-container-proxied": "kubelet.container-unknown",
    "026-init-container-ended-containerd": "kubelet.container-not-running",
    "027-init-container-ended-crio": "kubelet.container-not-running",
    "028-container-waiting-errimagepull-crio": "kubelet.container-not-running",
    "030-GET": "kubelet.method",
    "031-PUT": "kubelet.method",
    "033-two-segments": "kubelet.path",
    "034-by-uid": "kubelet.pod-unknown",
    "040-timeout-abc": "kubelet.timeout-value",
    "041-timeout-minus1": "kubelet.timeout-negative",
    "045-timeout-abc-proxied": "kubelet.timeout-value",
    "047-timeout-10s": "kubelet.timeout-value",
    "050-direct-no-credentials": "kubelet.unauthorized",
    "051-direct-bad-token": "kubelet.unauthorized",
    "052-proxy-no-credentials": "apiserver.anonymous",
    "053-proxy-bad-token": "apiserver.unauthorized",
    "060-proxy-as-ckpt-direct": "apiserver.forbidden",
    "061-direct-as-ckpt-proxy": "kubelet.forbidden",
    "063-direct-as-ckpt-getonly": "kubelet.forbidden",
    "063-proxy-as-ckpt-getonly": "apiserver.forbidden",
    "064-direct-as-ckpt-star": "kubelet.forbidden",
    "064-proxy-as-ckpt-star": "apiserver.forbidden",
    "065-direct-as-nobody": "kubelet.forbidden",
    "065-proxy-as-nobody": "apiserver.forbidden",
    "071-direct-serviceaccount-default": "kubelet.forbidden",
    "072-proxy-serviceaccount-checkpointer": "apiserver.forbidden",
    "073-direct-403-and-404-order-nobody": "kubelet.forbidden",
    "074-proxy-GET-as-ckpt-getonly": "kubelet.method",
    "080-established-tcp-containerd": "kubelet.criu-failed",
    "081-established-tcp-crio": "kubelet.tcp-established",
    "082-established-tcp-crio-proxied": "kubelet.tcp-established",
    "086-parallel-b": "kubelet.busy",
    "088-parallel-crio-b": "kubelet.busy",
    "113-proxy-path-query-form": "kubelet.checkpoint-off",
    "114-proxy-no-path": "apiserver.redirect",
    "123-sharedpid-crio": "kubelet.container-not-running",
    "130-no-criu-containerd": "kubelet.criu-missing",
    "131-criu-removed-crio": "kubelet.criu-missing",
    "132-disk-full-containerd": "kubelet.disk-full",
    "133-disk-full-crio": "kubelet.disk-full",
    "136-disk-full-containerd": "kubelet.disk-full",
    "137-disk-full-crio": "kubelet.disk-full",
    "140-gate-off-direct": "kubelet.checkpoint-off",
    "141-gate-off-anonymous-on": "kubelet.checkpoint-off",
    "142-gate-off-nobody": "kubelet.checkpoint-off",
    "143-proxy-apiserver-client-only-kubelet-api-admin-node1": "kubelet.checkpoint-off",
    "144-proxy-apiserver-client-only-kubelet-api-admin-node2": "apiserver.kubelet-forbidden",
    "145-crio-enable_criu_support-false": "kubelet.criu-off",
    "146-anonymous-on-metrics-probe": "kubelet.anonymous",
    "147-anonymous-on-checkpoint-node1-gate-off": "kubelet.checkpoint-off",
    "150-runtime-hangs-requesttimeout-5s": "kubelet.deadline",
    "151-runtime-hangs-requesttimeout-5s-timeout-2": "kubelet.deadline",
    "152-runtime-hangs-requesttimeout-5s-timeout-7-proxied": "kubelet.deadline",
    "160-anonymous-on-no-credentials": "kubelet.anonymous",
    "172-containerd-main-established-tcp": "kubelet.criu-failed",
    "180-crio-crun-without-libcriu": "kubelet.libcriu-missing",
    "loopback-010-proxy-node1": "apiserver.address",
    "loopback-011-proxy-node2": "apiserver.address",
    "loopback-012-proxy-node1-port": "apiserver.address",
    "loopback-013-proxy-node1-https-port": "apiserver.address",
}
SAID = transcripts()
FAILED = [said for said in SAID if said["status"] != 200]
PLACE = Place(namespace="default", pod="counters", container="counter", node="node1")
WRAPPED = "checkpointing of default/counters/counter failed (rpc error: code = {} desc = {})"
SOURCES = [
    # What newer and older runtimes say, which no cluster here did.
    ("Unknown", "cannot pause a paused container", "kubelet.busy"),
    ("Unimplemented", "method CheckpointContainer not implemented", "kubelet.runtime-too-old"),
    ("Unknown", "criu binary not found in shim path or system PATH", "kubelet.criu-missing"),
    ("Unknown", "criu support is disabled by configuration", "kubelet.criu-off"),
    (
        "Unknown",
        "checkpoint/restore requires at least CRIU 31600, current version is 31500",
        "kubelet.criu-old",
    ),
    ("Unknown", "CRIU binary not found or too old (<31600). Failed", "kubelet.criu-old"),
    (
        "Unknown",
        'container "abc" is in CONTAINER_EXITED state. only CONTAINER_RUNNING containers can be checkpointed',
        "kubelet.container-not-running",
    ),
    ("Unknown", "container 0f52839be291 is not running", "kubelet.container-not-running"),
    ("Unknown", "something new", "kubelet.failed"),
]


def _place(said: dict[str, Any]) -> Place:
    words = (
        said["path"].partition("?")[0].replace("%2F", "/").partition("checkpoint/")[2].strip("/").split("/")
    )
    return Place(namespace=words[0], pod=words[1], container=words[2], node="node1")


def _answer(said: dict[str, Any]) -> Answer:
    headers = {name.lower(): value for name, value in said["headers"]}
    return Answer(said["status"], headers, said["body"].encode())


def _cases(said: dict[str, Any]) -> list[Any]:
    return list(PROXIED if said["path"].startswith("/api/") else CASES)


def test_every_recorded_failure_has_its_code() -> None:
    assert {said["name"] for said in FAILED} == set(CODES)


@pytest.mark.parametrize("said", FAILED, ids=[said["name"] for said in FAILED])
def test_a_recorded_failure_ends_in_its_code_with_cause_and_cure(said: dict[str, Any]) -> None:
    error = error_of(_answer(said), PLACE, _cases(said))
    assert error.code == CODES[said["name"]]
    assert error.message
    assert error.hint
    assert "\n" not in error.message + error.hint
    assert "{" not in error.message + error.hint
    assert len(error.message) < 500


@pytest.mark.parametrize(
    "said", [said for said in SAID if said["status"] == 200], ids=lambda said: said["name"]
)
def test_a_recorded_success_is_a_path(said: dict[str, Any]) -> None:
    assert path_of(_answer(said), _place(said), _cases(said)) in said["body"]


@pytest.mark.parametrize(("grpc", "said", "code"), SOURCES, ids=[row[1][:40] for row in SOURCES])
def test_other_runtimes_words_have_codes_as_well(grpc: str, said: str, code: str) -> None:
    error = error_of(Answer(500, {}, WRAPPED.format(grpc, said).encode()), PLACE, CASES)
    assert error.code == code
    assert error.hint


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (405, "Debug endpoints are disabled.", "kubelet.debug-off"),
        (500, "Authorization error (user=u, verb=create, resource=nodes)", "kubelet.authorizer"),
        (500, "", "kubelet.failed"),
        (418, "\x1b[2J\u202eteapot", "kubelet.failed"),
    ],
)
def test_other_answers_have_codes_as_well(status: int, body: str, code: str) -> None:
    error = error_of(Answer(status, {}, body.encode()), PLACE, CASES)
    assert error.code == code
    assert "\x1b" not in error.message
    assert "\u202e" not in error.message


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, "Unauthorized", "apiserver.kubelet-unauthorized"),
        (
            503,
            '{"kind":"Status","message":"error trying to reach service: dial tcp"}',
            "apiserver.node-unreachable",
        ),
        (500, '{"kind":"Status","message":"something"}', "apiserver.failed"),
    ],
)
def test_the_api_server_has_codes_of_its_own(status: int, body: str, code: str) -> None:
    assert error_of(Answer(status, {}, body.encode()), PLACE, PROXIED).code == code


def test_every_row_is_reached_and_says_what_to_do() -> None:
    rows = {*CODES.values(), *(row[2] for row in SOURCES)}
    rows |= {"kubelet.debug-off", "kubelet.authorizer"}
    rows |= {"apiserver.kubelet-unauthorized", "apiserver.node-unreachable", "apiserver.failed"}
    assert {case.code for case in PROXIED} <= rows
    assert all(case.what and case.cure for case in PROXIED)


def test_only_the_known_races_are_tried_again() -> None:
    assert {case.code for case in CASES if issubclass(case.kind, Race)} == {"kubelet.busy"}


def test_families_say_what_to_do_differently() -> None:
    kinds = {case.code: case.kind for case in CASES}
    assert issubclass(kinds["kubelet.pod-unknown"], NoSuchContainer)
    assert issubclass(kinds["kubelet.deadline"], EngineHung)
    assert kinds["kubelet.tcp-established"] is NotCheckpointable
    assert issubclass(kinds["kubelet.criu-off"], KubeletError)


def test_what_criu_logged_counts_where_no_row_fits() -> None:
    log = 'time="T" msg="7:(00.1) Error (criu/files-reg.c:1816): Can\'t lookup mount=4 for fd=3 path=/x"'
    said = WRAPPED.format("Unknown", f"failed to checkpoint container abc: runc failed: {log}")
    assert error_of(Answer(500, {}, said.encode()), PLACE, CASES).code.startswith("criu.")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"not json",
        b'{"items":[]}',
        b'{"items":null}',
        b'{"items":[7]}',
        b'{"items":["a","b"]}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_an_answer_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(Untrusted) as raised:
        path_of(Answer(200, {}, body), PLACE, CASES)
    assert raised.value.code == "kubelet.answer"


NAME = "checkpoint-counters_default-counter-2026-11-22T00:48:25Z.tar"
GOOD = f"/var/lib/kubelet/checkpoints/{NAME}"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        NAME,
        f"../checkpoints/{NAME}",
        f"/var/lib/kubelet/../kubelet/checkpoints/{NAME}",
        f"/var/lib/./checkpoints/{NAME}",
        f"/var//lib/checkpoints/{NAME}",
        f"/checkpoints/../checkpoints/{NAME}",
        f"/var/lib/kubelet/{NAME}",
        GOOD + "\n",
        GOOD + "\0",
        GOOD.replace("counters", "counterz"),
        GOOD.replace("default", "other"),
        GOOD.replace("T00", " 00"),
        GOOD.replace("2026", "٢٠٢٦"),
        GOOD.replace(".tar", ".tar.gz"),
        "/x" * 3000 + GOOD,
        GOOD.replace("/var", "/v$(id)"),
    ],
    ids=lambda path: repr(path[:50]),
)
def test_a_path_that_no_kubelet_makes_is_refused(path: str) -> None:
    import msgspec

    with pytest.raises(Untrusted) as raised:
        path_of(Answer(200, {}, msgspec.json.encode({"items": [path]})), PLACE, CASES)
    assert raised.value.code == "kubelet.answer-path"


@pytest.mark.parametrize(
    "path", [GOOD, f"/data/k8s-1.2/checkpoints/{NAME}", GOOD.replace("Z.tar", "+02:00.tar")]
)
def test_paths_of_other_roots_and_zones_are_taken(path: str) -> None:
    assert path_of(Answer(200, {}, f'{{"items":["{path}"]}}'.encode()), PLACE, CASES) == path
