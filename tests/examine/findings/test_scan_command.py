"""`cryoscope scan`: what it prints, what it leaves out, how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from cryoscope.examine.findings import DETECTORS, Evidence, Finding
from cryoscope.report.findings import findings as draw
from cryoscope.text import UNSAFE
from cryoscope.workflows.findings import FindingsPart, masked
from cryoscope.workflows.masking import MASK, Masker, Revealing
from tests.examine.findings.scenes import ANON, Mapped, Proc, archive, inet

Run = Callable[..., "CompletedProcess[bytes]"]
FAR = ("192.0.2.7", 4444)
HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\n<script>"


@pytest.fixture
def attacked(tmp_path: Path) -> Path:
    """An archive with a shell on a connection, anonymous code and a name that is a terminal's command."""
    code = Mapped(ANON, 4096, 5, pages={0: b"\x90"})
    first = Proc(1, ["server", "--password", "hunter2"], mapped=[code], env={"LD_PRELOAD": "/tmp/x.so"})
    shell = Proc(7, ["sh", HOSTILE, "token=abcdefg1"], exe="/bin/sh", fds=dict.fromkeys((0, 1, 2), inet(FAR)))
    place = tmp_path / "attacked.tar"
    place.write_bytes(archive(first, shell))
    return place


def test_what_a_person_sees(attacked: Path, cryoscope: Run) -> None:
    done = cryoscope("scan", attacked)
    text = done.stdout.decode()
    assert done.returncode == 0
    assert f"({len(DETECTORS)} detectors)" in text.partition("\n")[0]
    assert "HIGH  A shell has a network connection as its standard streams  [reverse-shell]" in text
    assert "tcp 10.88.0.2:51234 to 192.0.2.7:4444, ESTABLISHED" in text
    assert "ATT&CK: T1059.004, T1095" in text
    assert text.index("HIGH") < text.index("MEDIUM")


def test_nothing_in_an_archive_is_printed_raw(attacked: Path, cryoscope: Run) -> None:
    for form in ("table", "json", "jsonl"):
        done = cryoscope("scan", "-f", form, attacked)
        printed = (done.stdout + done.stderr).decode()
        assert [c for c in UNSAFE.findall(printed) if c != "\n"] == []


def test_secrets_are_masked_unless_they_are_revealed(attacked: Path, cryoscope: Run) -> None:
    hidden = cryoscope("scan", "-f", "json", attacked)
    assert b"hunter2" not in hidden.stdout
    assert b"abcdefg1" not in hidden.stdout
    assert b"masked" in hidden.stderr
    shown = cryoscope("scan", "-f", "json", "--reveal", attacked)
    assert b"abcdefg1" in shown.stdout
    assert b"revealed" in shown.stderr


def test_documents(attacked: Path, cryoscope: Run) -> None:
    document = json.loads(cryoscope("scan", "-f", "json", attacked).stdout)
    assert document["schema"] == "cryoscope.findings/1"
    (part,) = document["archives"]
    assert part["findings"][0]["severity"] == "high"
    lines = cryoscope("scan", "-f", "jsonl", attacked).stdout.splitlines()
    assert [json.loads(line)["detector"] for line in lines] == [one["detector"] for one in part["findings"]]


def test_severities_and_detectors_are_chosen(attacked: Path, cryoscope: Run) -> None:
    def names(*options: str) -> set[str]:
        (part,) = json.loads(cryoscope("scan", "-f", "json", *options, attacked).stdout)["archives"]
        return {one["detector"] for one in part["findings"]}

    assert names("--severity", "high") == {"reverse-shell", "preload"}
    assert names("--detector", "preload", "--detector", "anonymous-code") == {"preload", "anonymous-code"}
    done = cryoscope("scan", "--detector", "reverse-shel", attacked)
    assert done.returncode == 2
    assert b"did you mean reverse-shell?" in done.stderr


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), 0),
        (("--exit-code",), 10),
        (("--exit-code", "--detector", "debugger"), 0),
        (("--exit-code", "--severity", "high", "--detector", "anonymous-code"), 0),
    ],
)
def test_exit_codes(attacked: Path, cryoscope: Run, options: tuple[str, ...], code: int) -> None:
    assert cryoscope("scan", *options, attacked).returncode == code


def test_without_an_archive(cryoscope: Run) -> None:
    done = cryoscope("scan")
    assert done.returncode == 2
    assert b"cryoscope scan ARCHIVE..." in done.stderr


def test_the_list_of_detectors(cryoscope: Run) -> None:
    table = cryoscope("scan", "--list").stdout.decode()
    assert all(one.name in table for one in DETECTORS)
    listed = json.loads(cryoscope("scan", "--list", "-f", "json").stdout)
    assert [one["detector"] for one in listed] == [one.name for one in DETECTORS]
    lines = cryoscope("scan", "--list", "-f", "jsonl").stdout.splitlines()
    assert len(lines) == len(DETECTORS)


def finding(*evidence: Evidence, severity: str = "high", more: int = 0) -> Finding:
    words = {
        "title": "A title",
        "why": "Why it matters. " * 9,
        "next": ["look " * 30],
        "techniques": ["T1055"],
    }
    return Finding(
        detector="made-up", severity=severity, references=[], evidence=list(evidence), more=more, **words
    )


@pytest.mark.parametrize("width", [40, 80])
def test_a_terminal_is_never_too_narrow(width: int) -> None:
    evidence = [Evidence(what="has it " * 20, pid=1, comm="x", text="y" * 300) for _ in range(12)]
    part = FindingsPart(archive="a.tar", findings=[finding(*evidence)], detectors=1, notes=["n" * 100])
    assert max(map(len, draw(part, width))) <= width


def test_in_a_pipe_every_fact_is_one_line() -> None:
    part = FindingsPart(
        archive="a.tar", findings=[finding(Evidence(what="has it " * 40, pid=1, comm="x"))], detectors=1
    )
    assert sum("has it" in line for line in draw(part, None)) == 1


def test_what_is_left_out_is_counted() -> None:
    evidence = [Evidence(what=f"fact {n}") for n in range(12)]
    part = FindingsPart(archive="a.tar", findings=[finding(*evidence)], detectors=1)
    assert "    - and 2 more; --format json names all" in draw(part, None)
    part = FindingsPart(archive="a.tar", findings=[finding(*evidence, more=5)], detectors=1)
    assert "    - and 7 more" in draw(part, None)


def test_nothing_found() -> None:
    assert draw(FindingsPart(archive="a.tar", findings=[], detectors=3), 80) == [
        "nothing found (3 detectors)"
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("curl --token abc123 x", f"curl --token {MASK} x"),
        ("PASSWORD=hunter2 run", f"PASSWORD={MASK} run"),
        ("https://user:hunter2@host/", f"https://user:{MASK}@host/"),
        ("nothing here", "nothing here"),
    ],
)
def test_masking_of_evidence(text: str, shown: str) -> None:
    made = finding(Evidence(what="w", text=text))
    assert masked(made, Masker()).evidence[0].text == shown
    assert masked(made, Revealing()) is made


def test_several_archives(attacked: Path, data: Path, cryoscope: Run) -> None:
    done = cryoscope("scan", attacked, data / "podman-looper-crun.tar", data / "none.tar")
    assert done.returncode == 1
    assert f"==> {attacked} <==" in done.stdout.decode()
    assert b"none.tar" in done.stderr


def test_standard_input(attacked: Path, cryoscope: Run) -> None:
    done = cryoscope("scan", "-f", "json", "-", stdin=attacked.read_bytes())
    (part,) = json.loads(done.stdout)["archives"]
    assert any(one["detector"] == "reverse-shell" for one in part["findings"])
