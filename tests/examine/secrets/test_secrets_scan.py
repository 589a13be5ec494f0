"""Secrets in whole checkpoints: what is there is found, with its places, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from made_up import PAGES, checksummed, jwt, planted, some

from cryoscope.checkpoint.archive import BytesSource, open_archive, open_folder
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import UsageError
from cryoscope.examine.secrets import Finding, find_secrets, secret_scan
from cryoscope.workflows.examine import Asking
from cryoscope.workflows.secrets import Wanted, secrets_of

Run = Callable[..., "CompletedProcess[bytes]"]


def found_in(source: bytes | Path) -> list[Finding]:
    if isinstance(source, Path) and source.is_dir():
        with Checkpoint(open_folder(str(source))) as checkpoint:
            return find_secrets(checkpoint).findings
    data = source if isinstance(source, bytes) else source.read_bytes()
    tap = secret_scan()
    with open_archive(BytesSource(data, "a.tar"), tap=tap) as archive:
        return find_secrets(Checkpoint(archive), tap=tap).findings


CLEAN = {
    "podman-threads/checkpoint.tar.zst": set[tuple[str, str]](),
    "podman-kitchen-sink/checkpoint.tar.zst": set(),
    "podman-counter/checkpoint.tar.zst": set(),
    "kubelet/crio-counters-redis.tar": set(),
    "podman-looper-crun/checkpoint.tar": {("SECRET", "RANDOM_1432_KEY")},
    "podman-looper-runc/checkpoint.tar.zst": {("SECRET", "RANDOM_1432_KEY")},
    "podman-looper-criu41/checkpoint.tar": {("SECRET", "RANDOM_1432_KEY")},
    "docker-looper/checkpoint": {("SECRET", "DOCKER_SECRET_77")},
    "containerd-looper/checkpoint.tar": {("SECRET", "CTRD_SECRET_99")},
    "kubelet/containerd-counters-counter.tar": {
        ("DB_PASSWORD", "MARKER-env-password-c0ffee"),
        ("FROM_SECRET", "MARKER-mounted-secret-7f3a91"),
    },
}
"""Everything that is found in the corpus, low confidence and all: CPython's constants are not."""


@pytest.mark.parametrize("name", CLEAN)
def test_all_that_is_found_in_the_corpus(name: str, corpus: Path) -> None:
    found = found_in(corpus / name)
    assert {(f.details["name"], f.value) for f in found} == CLEAN[name]
    assert {f.rule for f in found} <= {"environment-secret"}


def test_a_secret_with_all_its_places(data: Path) -> None:
    (found,) = found_in(data / "podman-looper-crun.tar")
    assert [(who.pid, who.comm) for who in found.processes] == [(1, "sh"), (12, "sleep")]
    assert {place.place for place in found.places} == {"cmdline", "environment", "spec", "memory"}
    assert found.count == len(found.places) > 5
    for place in found.places:
        assert place.name or (place.address and place.member and place.processes)


def test_planted_secrets(data: Path) -> None:
    token, web = checksummed("gh" + "p_").encode(), jwt({"sub": "me"})
    url = b"postgres://app:" + some(12).encode() + b"@db.internal/orders"
    archive = planted(data / "podman-looper-crun.tar", token, b"Authorization: Bearer " + web, url, token)
    found = {f.rule: f for f in found_in(archive) if f.rule != "environment-secret"}
    assert set(found) == {"github-token", "jwt", "url-password"}  # the header's token is the JWT
    github = found["github-token"]
    assert (github.value, github.count, github.confidence) == (token.decode(), 2, "certain")
    for place in github.places:
        assert place.member == PAGES
        assert place.processes[0].pid == 1
    with open_archive(BytesSource(archive, "a.tar")) as opened:
        for place in github.places:
            assert place.offset is not None
            assert opened.read_at(PAGES, place.offset, len(token)) == token
            space = Checkpoint(opened).memory(1)
            assert space is not None
            assert space.read(place.address or 0, len(token)) == token


def test_of_one_process(data: Path) -> None:
    with open_archive(BytesSource((data / "podman-looper-crun.tar").read_bytes(), "a")) as archive:
        checkpoint = Checkpoint(archive)
        (found,) = find_secrets(checkpoint, pids=[12]).findings
        assert [who.pid for who in found.processes] == [12]
        with pytest.raises(UsageError):
            find_secrets(checkpoint, pids=[4711])


def test_masked_and_revealed(data: Path, tmp_path: Path, cryoscope: Run) -> None:
    token = checksummed("gh" + "p_")
    target = tmp_path / "planted.tar"
    target.write_bytes(planted(data / "podman-looper-crun.tar", token.encode()))
    for form in ("table", "json", "jsonl"):
        done = cryoscope("secrets", "-f", form, target)
        assert done.returncode == 0
        assert token.encode() not in done.stdout
        assert b"RANDOM_1432_KEY" not in done.stdout
        assert b"ghp_********" in done.stdout
        assert b"2 values masked" in done.stderr
    done = cryoscope("secrets", "--reveal", "-f", "json", target)
    assert b"revealed" in done.stderr
    values = [f["value"] for part in json.loads(done.stdout)["archives"] for f in part["findings"]]
    assert values == [token, "RANDOM_1432_KEY"]


def test_exit_codes(data: Path, cryoscope: Run) -> None:
    assert cryoscope("secrets", "--exit-code", data / "podman-looper-crun.tar").returncode == 10
    assert cryoscope("secrets", data / "podman-looper-crun.tar").returncode == 0
    assert cryoscope("secrets", "--exit-code", data / "podman-kitchen-sink.tar.zst").returncode == 0
    assert (
        cryoscope("secrets", "--rule", "jwt", "--exit-code", data / "podman-looper-crun.tar").returncode == 0
    )
    assert cryoscope("secrets", data / "truncated-by-full-disk.tar").returncode == 3
    assert cryoscope("secrets", "--rule", "none", data / "podman-looper-crun.tar").returncode == 2
    assert cryoscope("secrets").returncode == 2


def test_the_rules_are_listed(cryoscope: Run) -> None:
    done = cryoscope("secrets", "--list-rules", "-f", "json")
    assert {"jwt", "private-key-pem", "card-number"} <= {rule["rule"] for rule in json.loads(done.stdout)}


def test_less_sure_findings_are_left_out(data: Path) -> None:
    card = b' "4111' + b'111111111111" '
    target = planted(data / "podman-looper-crun.tar", card)
    assert [f.confidence for f in found_in(target) if f.rule == "card-number"] == ["low"]
    wanted = Wanted(rules=["card-number"], least="medium")
    answer = secrets_of([str(data / "podman-looper-crun.tar")], wanted, Asking())
    assert answer.document.archives[0].findings == []
