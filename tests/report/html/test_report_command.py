"""`cryoscope report` as a user has it: forms, files, hashes, masking, exit codes."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hostile_archives import read, tar

if TYPE_CHECKING:
    from conftest import Run


def only(found: bytes) -> dict[str, Any]:
    document = json.loads(found)
    assert document["schema"] == "cryoscope.report/1"
    [part] = document["archives"]
    return part  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("name", "begins"),
    [("a.html", b"<!DOCTYPE html>"), ("a.md", b"# Container"), ("a.json", b"{"), ("a.jsonl", b'{"schema"')],
)
def test_the_ending_says_the_form(
    name: str, begins: bytes, cryoscope: Run, data: Path, tmp_path: Path
) -> None:
    done = cryoscope("report", data / "crio-counter.tar", "-o", tmp_path / name)
    assert done.returncode == 0, done
    assert done.stdout == b""
    assert (tmp_path / name).read_bytes().startswith(begins)
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_a_file_that_is_there_is_not_replaced(cryoscope: Run, data: Path, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("mine")
    done = cryoscope("report", data / "crio-counter.tar", "-o", tmp_path / "a.html")
    assert done.returncode == 2
    assert b"is there already" in done.stderr
    assert (tmp_path / "a.html").read_text() == "mine"


def test_what_is_no_archive_leaves_no_file(cryoscope: Run, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"no archive")
    done = cryoscope("report", tmp_path / "a.tar", "-o", tmp_path / "a.html")
    assert done.returncode == 1
    assert not (tmp_path / "a.html").exists()
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize("name", ["crio-counter.tar", "podman-looper-crun.tar.gz"])
def test_evidence_is_hashed_as_sha256sum_does(name: str, cryoscope: Run, data: Path) -> None:
    raw = (data / name).read_bytes()
    expected = {"sha256": hashlib.sha256(raw).hexdigest(), "size": len(raw)}
    assert only(cryoscope("report", "-f", "json", data / name).stdout)["evidence"] == expected
    assert only(cryoscope("report", "-f", "json", "-", stdin=raw).stdout)["evidence"] == expected


def test_bytes_behind_the_end_of_a_pipe_are_hashed_too(cryoscope: Run, data: Path) -> None:
    raw = (data / "crio-counter.tar").read_bytes() + os.urandom(3_000_000)
    found = only(cryoscope("report", "-f", "json", "-", stdin=raw).stdout)["evidence"]
    assert found == {"sha256": hashlib.sha256(raw).hexdigest(), "size": len(raw)}


def test_of_a_folder_each_file_is_hashed(cryoscope: Run, data: Path) -> None:
    folder = data / "docker-looper"
    found = only(cryoscope("report", "-f", "json", folder).stdout)["evidence"]["files"]
    assert {one["name"]: one["sha256"] for one in found} == {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def secret_archive(data: Path, tmp_path: Path) -> Path:
    files = read(data / "podman-looper-crun.tar")
    spec = json.loads(files["spec.dump"])
    spec["process"]["env"].append("DB_PASSWORD=hunter2hunter2")
    spec["process"]["args"] += ["--token", "tokentokentoken"]
    files["spec.dump"] = json.dumps(spec).encode()
    path = tmp_path / "a.tar"
    path.write_bytes(tar(files))
    return path


@pytest.mark.parametrize("form", ["html", "markdown", "json", "jsonl"])
def test_secrets_are_masked_in_every_form(form: str, cryoscope: Run, data: Path, tmp_path: Path) -> None:
    path = secret_archive(data, tmp_path)
    done = cryoscope("report", "-f", form, path)
    assert done.returncode == 0, done
    assert b"hunter2" not in done.stdout
    assert b"tokentoken" not in done.stdout
    assert b"values masked" in done.stderr
    revealed = cryoscope("report", "-f", "json", "--reveal", path)
    assert b"hunter2hunter2" in revealed.stdout
    assert b"revealed" in revealed.stderr
    assert only(revealed.stdout)["made"]["revealed"] is True


def test_redacted_leaves_out_values_and_arguments(cryoscope: Run, data: Path) -> None:
    path = data / "podman-kitchen-sink.tar.zst"
    plain = only(cryoscope("report", "-f", "json", path).stdout)
    done = cryoscope("report", "-f", "json", "--redact", "-t", "root", path)
    part = only(done.stdout)
    assert all(set(one["cmdline"][1:]) <= {"********"} for one in part["processes"] if one["cmdline"])
    values = {variable.get("value") for one in part["processes"] for variable in one["env"]}
    assert values <= {"********", None, ""}
    assert not any("text" in one for finding in part["findings"] for one in finding["evidence"])
    assert [one["pid"] for one in part["processes"]] == [one["pid"] for one in plain["processes"]]
    assert part["made"]["redacted"] is True
    assert cryoscope("report", "--redact", "--reveal", "-f", "json", path).returncode == 2


def test_no_clock_but_on_demand(cryoscope: Run, data: Path) -> None:
    path = data / "crio-counter.tar"
    once, again = (cryoscope("report", path).stdout for _ in range(2))
    assert once == again
    assert "at" not in only(cryoscope("report", "-f", "json", path).stdout)["made"]
    assert only(cryoscope("report", "-f", "json", "--now", path).stdout)["made"]["at"].endswith("Z")


def test_title_case_note_and_texts(cryoscope: Run, data: Path) -> None:
    done = cryoscope(
        "report", "-f", "json", "--title", "T", "--case", "C", "--note", "N",
        "-t", "kitchen", "-e", "sess[a-z]+",
        data / "podman-kitchen-sink.tar.zst",
    )  # fmt: skip
    part = only(done.stdout)
    assert (part["title"], part["case"], part["note"]) == ("T", "C", "N")
    assert {hit["pattern"] for hit in part["hits"]} == {"kitchen", "sess[a-z]+"}
    assert part["made"]["options"] == ["searched for kitchen", "searched for sess[a-z]+"]


def test_the_timeline_is_that_of_timeline(cryoscope: Run, data: Path) -> None:
    """The report does not read memory again for it: that must not lose anything."""
    for path in (data / "podman-kitchen-sink.tar.zst", data / "crio-counter.tar"):
        ours = only(cryoscope("report", "-f", "json", path).stdout)["timeline"]
        theirs = json.loads(cryoscope("timeline", "-f", "json", path).stdout)["archives"][0]["events"]
        assert ours == theirs


def test_the_findings_are_those_of_scan(cryoscope: Run, data: Path) -> None:
    path = data / "podman-kitchen-sink.tar.zst"
    ours = only(cryoscope("report", "-f", "json", path).stdout)["findings"]
    assert ours == json.loads(cryoscope("scan", "-f", "json", path).stdout)["archives"][0]["findings"]


def test_damage_has_its_exit_code(cryoscope: Run, data: Path, tmp_path: Path) -> None:
    done = cryoscope("report", data / "truncated-by-full-disk.tar", "-o", tmp_path / "a.html")
    assert done.returncode == 3
    assert (tmp_path / "a.html").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("folder", ["missing", "file"])
def test_a_file_in_no_folder_is_refused_before_the_work(
    folder: str, cryoscope: Run, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    done = cryoscope("report", tmp_path / "no-archive", "-o", tmp_path / folder / "a.html")
    assert done.returncode == 2
    assert b"a.html cannot be written" in done.stderr
    assert b"no-archive" not in done.stderr
