"""Indicators of compromise: what is found where, how sure it is, and what is left out."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from cryoscope import limits
from cryoscope.checkpoint.archive import BytesSource, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import Damaged
from cryoscope.examine.findings import find_findings
from cryoscope.examine.findings.detector import Detector
from cryoscope.examine.iocs import KINDS, Ioc, IocsResult, find_iocs
from cryoscope.examine.iocs.hosts import host_of
from cryoscope.examine.iocs.noise import DOMAINS, is_local, is_noise
from cryoscope.examine.iocs.signature import ROWS, signature
from cryoscope.workflows.examine import Asking
from cryoscope.workflows.iocs import Wanted, iocs_of
from cryoscope.workflows.rules import More
from tests.checkpoint.built_samples import made
from tests.examine.findings.scenes import Proc, container, inet
from tests.examine.iocs.ioc_samples import (
    DOMAIN,
    DROPPER,
    FAR,
    HIDDEN,
    MINER,
    ROOTFS,
    URL,
    attacked,
    made_images,
    memfd,
    program,
)


def by_value(result: IocsResult) -> dict[str, Ioc]:
    return {ioc.value: ioc for ioc in result.iocs}


@pytest.fixture(scope="module")
def found() -> dict[str, Ioc]:
    return by_value(find_iocs(attacked()))


def sure(found: dict[str, Ioc]) -> dict[str, tuple[str, str]]:
    return {value: (ioc.kind, ioc.confidence) for value, ioc in found.items()}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_everything_that_is_there_and_nothing_else(found: dict[str, Ioc]) -> None:
    script = sha256(ROOTFS["/etc/cron.hourly/update"])
    assert sure(found) == {
        sha256(MINER): ("sha256", "high"),
        "/tmp/.x/miner": ("path", "high"),
        sha256(DROPPER): ("sha256", "low"),
        "/usr/local/bin/tool": ("path", "low"),
        script: ("sha256", "low"),
        "/etc/cron.hourly/update": ("path", "low"),
        FAR: ("ip", "medium"),
        HIDDEN: ("ip", "low"),
        URL: ("url", "low"),
        DOMAIN: ("domain", "low"),
        f"http://{HIDDEN}/": ("url", "low"),
        "stratum+tcp://pool.coin-dig.net:3333": ("url", "medium"),
        "pool.coin-dig.net": ("domain", "medium"),
        "http://in-memory.net/path": ("url", "low"),
        "https://user:hunter2@in-memory.net/login": ("url", "low"),
        "in-memory.net": ("domain", "low"),
        "mallory@bad-mail.net": ("email", "low"),
        "bad-mail.net": ("domain", "low"),
    }


def test_the_surest_come_first() -> None:
    order = [(ioc.confidence, KINDS.index(ioc.kind), -ioc.count) for ioc in find_iocs(attacked()).iocs]
    assert order == sorted(order, key=lambda row: (("high", "medium", "low").index(row[0]), *row[1:]))


def test_where_they_were_seen(found: dict[str, Ioc]) -> None:
    (socket,) = found[FAR].sightings[:1]
    assert (socket.source, socket.pid, socket.comm, socket.fd) == ("socket", 7, "miner", 3)
    assert (socket.protocol, socket.port) == ("tcp", 4444)
    miner = found[sha256(MINER)]
    assert (miner.path, miner.size, len(miner.signature)) == ("/tmp/.x/miner", len(MINER), ROWS)
    assert miner.sightings[0].source == "program"
    assert miner.sightings[0].member == "rootfs-diff.tar"
    memory = found["mallory@bad-mail.net"].sightings[0]
    assert (memory.source, memory.pid, memory.address is not None) == ("memory", 1, True)
    pool = found["stratum+tcp://pool.coin-dig.net:3333"]
    assert [one.source for one in pool.sightings] == ["cmdline", "memory"]
    assert pool.count == 2
    assert [one.source for one in found[URL].sightings] == ["file"]


def test_what_is_private_and_noise_on_demand() -> None:
    private = sure(by_value(find_iocs(attacked(), private=True)))
    assert private["10.1.2.3"] == ("ip", "medium")
    assert private["10.9.8.7"] == ("ip", "low")
    assert "http://db.corp.internal/" in private
    assert "224.0.0.1" not in private, "at which nobody is"
    noise = sure(by_value(find_iocs(attacked(), noise=True)))
    assert {"www.w3.org", "www.debian.org"} <= set(noise)
    notes = {ioc.value: ioc.note for ioc in find_iocs(attacked(), private=True).iocs}
    assert notes["10.1.2.3"] == "private"


@pytest.mark.parametrize("kind", KINDS)
def test_one_kind_alone(kind: str) -> None:
    result = find_iocs(attacked(), kinds=[kind])
    assert {ioc.kind for ioc in result.iocs} == {kind}


def test_findings_make_their_evidence_as_sure_as_they_are() -> None:
    checkpoint = attacked()
    findings = find_findings(checkpoint).findings
    assert {finding.severity for finding in findings} >= {"high"}
    raised = by_value(find_iocs(checkpoint, findings=findings))
    why = raised["pool.coin-dig.net"]
    named = {finding.detector for finding in findings if finding.severity in ("medium", "high")}
    assert why.confidence in ("medium", "high")
    assert {
        one.text.partition(":")[0] for one in why.sightings if one.source == "finding" and one.text
    } <= named


def test_an_address_of_version_4_in_a_socket_of_version_6() -> None:
    server = Proc(1, ["server"], fds={3: inet((f"::ffff:{FAR}", 4444))})
    checkpoint = made(made_images(container(server)))
    assert [ioc.value for ioc in find_iocs(checkpoint, kinds=["ip"]).iocs] == [FAR]


# --- memfds ------------------------------------------------------------------------------------
def test_a_program_in_a_memfd() -> None:
    (ioc,) = find_iocs(memfd(DROPPER), kinds=["sha256"]).iocs
    assert (ioc.value, ioc.path, ioc.size) == (sha256(DROPPER), "/memfd:payload", len(DROPPER))
    assert (ioc.confidence, ioc.sightings[0].source, ioc.sightings[0].pid) == ("high", "memfd", 1)
    assert len(ioc.signature) == ROWS


def test_memfds_that_are_no_program_or_the_runtimes_own() -> None:
    assert find_iocs(memfd(b"data" * 3000), kinds=["sha256"]).iocs == []
    (ioc,) = find_iocs(memfd(DROPPER, name=b"runc_cloned:/proc/self/exe"), kinds=["sha256"]).iocs
    assert ioc.confidence == "low"
    (ioc,) = find_iocs(memfd(DROPPER, name=b"runc_cloned2"), kinds=["sha256"]).iocs
    assert ioc.confidence == "high"


def test_a_page_of_zeros_is_not_written_and_still_hashed() -> None:
    data = DROPPER[:8192] + bytes(4096) + DROPPER[8192:]
    (ioc,) = find_iocs(memfd(data), kinds=["sha256"]).iocs
    assert ioc.value == sha256(data)


def test_a_memfd_that_claims_to_be_huge_is_named() -> None:
    damaged: list[Damaged] = []
    assert find_iocs(memfd(DROPPER, claimed=1 << 60), kinds=["sha256"], damaged=damaged).iocs == []
    assert [(one.part, one.code) for one in damaged] == [("/memfd:payload", "limit.memfd")]


# --- what is noise -----------------------------------------------------------------------------
def test_noise_is_a_name_or_below_one() -> None:
    assert all(is_noise(name) for name in DOMAINS)
    assert is_noise("ocsp.digicert.com")
    assert not is_noise("evil-debian.org")
    assert not is_noise("debian.org.evil.net")
    assert is_local("cache")
    assert is_local("db.svc.cluster.local")
    assert not is_local("a.net")


@pytest.mark.parametrize(
    ("kind", "value", "host", "note"),
    [
        ("url", "http://u:p@a.net:80/x", "a.net", None),
        ("url", "http://127.0.0.1/x", None, "loopback"),
        ("url", "http://[::1]:80/", None, "loopback"),
        ("url", "http://", None, None),
        ("email", "me@b.net", "b.net", None),
        ("domain", "c.net", "c.net", None),
        ("ip", "1.2.3.4", None, None),
        ("sha256", "0" * 64, None, None),
    ],
)
def test_the_host_of_an_indicator(kind: str, value: str, host: str | None, note: str | None) -> None:
    assert host_of(kind, value) == (host, note)


def test_files_that_every_image_has_are_no_paths() -> None:
    checkpoint = container(
        Proc(1, ["x"]), rootfs={"/etc/crontab": b"#!/bin/sh\n"}, modes={"/etc/crontab": 0o755}
    )
    assert [ioc.kind for ioc in find_iocs(checkpoint, kinds=["sha256", "path"]).iocs] == ["sha256"]


# --- signatures --------------------------------------------------------------------------------
def test_a_signature_is_in_the_file_and_in_no_other() -> None:
    rows = signature(DROPPER)
    assert len(rows) == ROWS
    assert all(row in DROPPER and row not in MINER for row in rows)
    assert signature(program(3)) != rows


@pytest.mark.parametrize(
    "data", [b"", b"\x7fELF", bytes(100_000), b"\x7fELF" + b"\x90\xc3" * 9000, b"one line"]
)
def test_what_has_nothing_distinctive_has_no_signature(data: bytes) -> None:
    assert signature(data) == []


def test_a_script_is_known_by_its_longest_lines() -> None:
    lines = signature(ROOTFS["/etc/cron.hourly/update"])
    assert b"# fetch and run the second stage of it" in lines
    assert all(line in ROOTFS["/etc/cron.hourly/update"] for line in lines)


# --- bounds, damage, real archives -------------------------------------------------------------
def test_more_programs_than_are_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "IOC_FILES", 1)
    result = find_iocs(attacked(), kinds=["sha256"])
    assert [ioc.value for ioc in result.iocs] == [sha256(MINER)], "the surest is kept"
    assert result.notes == ["2 changed programs more were not hashed"]


def test_more_indicators_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "IOCS", 3)
    result = find_iocs(attacked())
    assert len(result.iocs) == 3
    assert result.notes[-1].endswith("more were left out: 3 are enough")


CLEAN = ["podman-looper-crun.tar", "containerd-looper.tar", "podman-image.oci.tar", "ctr-image.tar"]


@pytest.mark.parametrize("name", CLEAN)
def test_clean_containers_have_none(name: str, data: Path) -> None:
    with open_archive(BytesSource((data / name).read_bytes(), name)) as archive:
        assert find_iocs(Checkpoint(archive)).iocs == []


def test_a_deleted_file_that_was_still_open(data: Path) -> None:
    with open_archive(BytesSource((data / "crio-counter.tar").read_bytes(), "a.tar")) as archive:
        result = find_iocs(Checkpoint(archive))
    assert sure(by_value(result)) == {
        sha256(b"MARKER-deleted-open-file-5678\n"): ("sha256", "medium"),
        "/tmp/dropper": ("path", "medium"),
    }


def test_damage_leaves_the_rest(data: Path) -> None:
    with open_archive(BytesSource((data / "truncated-by-full-disk.tar").read_bytes(), "a.tar")) as archive:
        damaged: list[Damaged] = []
        result = find_iocs(Checkpoint(archive), damaged=damaged)
    assert [ioc.kind for ioc in result.iocs] == ["sha256"], "its path is not known any more"
    assert damaged


# --- the command -------------------------------------------------------------------------------
def test_the_command(cryoscope: Any, data: Path) -> None:
    archive = data / "crio-counter.tar"
    ran = cryoscope("iocs", "-f", "json", archive)
    assert ran.returncode == 0, ran.stderr
    document = json.loads(ran.stdout)
    (part,) = document["archives"]
    assert (document["schema"], part["container"]) == ("cryoscope.iocs/1", "counter")
    assert part["seen"] == "2026-11-22T00:48:26.319873Z"
    assert {ioc["kind"] for ioc in part["iocs"]} == {"sha256", "path"}
    assert cryoscope("iocs", "--min-confidence", "high", archive).stdout == b""
    assert cryoscope("iocs", "-f", "jsonl", "--kind", "path", archive).stdout.count(b"\n") == 1
    ours = cryoscope("iocs", "--rules", "sigma", "--min-confidence", "high", archive).stdout
    assert ours == b"# nothing to look for: --min-confidence low may give more\n"
    assert cryoscope("iocs", "-f", "csv", archive, data / "nothing.tar").returncode == 1


def test_an_interrupted_search_ends_with_its_own_code(data: Path) -> None:
    def interrupted(_scene: Any) -> Any:
        raise KeyboardInterrupt

    detector = Detector(
        name="stops", title="t", severity="low", why="w", next=["n"], techniques=["T1059"], look=interrupted
    )
    wanted = Wanted(now="2026-01-01T00:00:00Z", more=More((detector,)))
    targets = [str(data / "crio-counter.tar"), str(data / "containerd-looper.tar")]
    found = iocs_of(targets, wanted, Asking())
    assert found.exit_code == 5
    assert [part.complete for part in found.document.archives] == [False, False]
    assert iocs_of(targets[:1], Wanted(now="2026-01-01T00:00:00Z"), Asking()).exit_code == 0


def test_more_memfds_than_are_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HASHED_MEMFDS", len(DROPPER) - 1)
    damaged: list[Damaged] = []
    assert find_iocs(memfd(DROPPER), kinds=["sha256"], damaged=damaged).iocs == []
    assert [one.code for one in damaged] == ["limit.memfd"]


def test_more_files_than_are_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "IOC_HEADS", 1)
    result = find_iocs(attacked(), kinds=["sha256"])
    assert [ioc.value for ioc in result.iocs] == [sha256(MINER)], "what runs is looked into first"
    assert result.notes == ["2 more changed files that may be programs were not looked into"]
