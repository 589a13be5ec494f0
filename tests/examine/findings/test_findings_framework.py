"""Findings as such: bounds, detectors that fail, one search for all, what may be read of each detector."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from cryoscope import limits
from cryoscope.checkpoint.archive import open_archive
from cryoscope.checkpoint.archive.source import FileSource
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.cli import cryoscope
from cryoscope.errors import ArchiveError, Damaged
from cryoscope.examine.findings import (
    DETECTORS,
    SEVERITIES,
    Detector,
    Evidence,
    Scene,
    Suspicion,
    find_findings,
    findings_scan,
    patterns,
)
from cryoscope.examine.findings.find import PREFIX
from cryoscope.examine.search import literal, search
from tests.examine.findings.scenes import ANON, Mapped, Proc, container

ROOT = Path(__file__).resolve().parents[3]
TECHNIQUE = re.compile(r"T\d{4}(?:\.\d{3})?")
MARK = b"MARK-of-a-test"


def detector(look: Any, name: str = "made-up", **fields: Any) -> Detector:
    words = {"title": "t", "severity": "low", "why": "w", "next": ["n"], "techniques": ["T1055"]}
    return Detector(name=name, look=look, **(words | fields))


def seen(*suspicions: Suspicion) -> Detector:
    return detector(lambda _scene: suspicions)


def facts(count: int) -> list[Evidence]:
    return [Evidence(what=f"fact {number}") for number in range(count)]


@pytest.fixture
def checkpoint() -> Checkpoint:
    page = Mapped(ANON, 4096, 3, pages={0: MARK})
    return container(Proc(1, ["server"], env={"A": "1", "B": "2"}, mapped=[page]))


# --- what every detector must be ------------------------------------------------------------
@pytest.mark.parametrize("one", DETECTORS, ids=lambda one: one.name)
def test_what_a_detector_says(one: Detector) -> None:
    assert re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", one.name)
    assert one.severity in SEVERITIES
    assert one.title[0].isupper()
    assert not one.title.endswith(".")
    assert one.why.endswith(".")
    assert one.next
    assert all(step and not step.endswith(".") for step in one.next)
    assert one.techniques
    assert all(TECHNIQUE.fullmatch(technique) for technique in one.techniques)


@pytest.mark.parametrize("one", DETECTORS, ids=lambda one: one.name)
def test_commands_in_advice_are_there(one: Detector) -> None:
    """Each `cryoscope NAME -o ...` in what to look at next is a command with these options."""
    for step in one.next:
        for name, rest in re.findall(r"cryoscope ([a-z][a-z-]*)((?: [^\s,:;]+)*)", step):
            command = cryoscope.get_command(click.Context(cryoscope), name)
            assert command is not None, step
            if isinstance(command, click.Group) and (sub := re.match(r" ([a-z]+)", rest)):
                command = command.get_command(click.Context(command), sub[1])
                assert command is not None, step
            if isinstance(command, click.Group):
                continue
            known = {spelling for option in command.params for spelling in option.opts}
            assert {*re.findall(r"(?<= )--?[a-z][a-z-]*", rest)} <= known | {"--base"}, step


def test_names_are_unique() -> None:
    assert len({one.name for one in DETECTORS}) == len(DETECTORS)


def test_every_detector_is_in_the_documentation() -> None:
    """docs/findings.md has one row a detector, with its severity and techniques."""
    text = (ROOT / "docs" / "findings.md").read_text()
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (\w+) \| ([^|]*) \|", text, re.MULTILINE)
    wanted = {one.name: (one.severity, ", ".join(one.techniques)) for one in DETECTORS}
    assert {name: (severity, techniques) for name, severity, techniques in rows} == wanted


# --- how findings are made ------------------------------------------------------------------
def test_the_worst_comes_first(checkpoint: Checkpoint) -> None:
    made = [detector(lambda _s: [Suspicion(facts(1))], f"d{n}", severity=s) for n, s in enumerate(SEVERITIES)]
    result = find_findings(checkpoint, [*made, detector(lambda _s: [Suspicion(facts(1), "high")], "last")])
    assert [one.severity for one in result.findings] == ["high", "high", "medium", "low", "info"]
    assert [one.detector for one in result.findings][:2] == ["d3", "last"]
    assert (result.detectors, result.notes, result.complete) == (5, [], True)


def test_suspicions_of_one_kind_are_one_finding(checkpoint: Checkpoint) -> None:
    suspicions = [
        Suspicion(facts(1)),
        Suspicion(facts(2)),
        Suspicion(facts(1), "high"),
        Suspicion(facts(1), None, "x"),
    ]
    found = find_findings(checkpoint, [seen(*suspicions)]).findings
    assert [(one.severity, one.title, len(one.evidence)) for one in found] == [
        ("high", "t", 1),
        ("low", "t", 2),
        ("low", "x", 1),
    ]


def test_evidence_is_bounded(checkpoint: Checkpoint) -> None:
    (finding,) = find_findings(checkpoint, [seen(Suspicion(facts(limits.FINDING_EVIDENCE + 7)))]).findings
    assert (len(finding.evidence), finding.more) == (limits.FINDING_EVIDENCE, 7)


def test_suspicions_are_bounded(checkpoint: Checkpoint) -> None:
    def endless(_scene: Scene) -> Iterator[Suspicion]:
        while True:
            yield Suspicion(facts(1))

    result = find_findings(checkpoint, [detector(endless)])
    assert result.notes == [f"made-up: stopped after {limits.FINDING_SUSPICIONS} suspicions"]
    assert len(result.findings) == 1


def test_findings_are_bounded(checkpoint: Checkpoint) -> None:
    many = [Suspicion(facts(1), None, str(number)) for number in range(limits.FINDINGS + 10)]
    result = find_findings(checkpoint, [seen(*many)])
    assert len(result.findings) == limits.FINDINGS
    assert result.notes == ["10 suspicions more are left out"]


@pytest.mark.parametrize(
    ("error", "note"),
    [
        (ValueError("bad\x1b[31m"), "made-up failed: ValueError: bad\x1b[31m"),
        (ArchiveError("cannot be read"), "made-up: cannot be read"),
        (RecursionError(), "made-up failed: RecursionError: "),
    ],
)
def test_a_detector_that_fails_is_a_note(checkpoint: Checkpoint, error: Exception, note: str) -> None:
    def failing(_scene: Scene) -> Iterator[Suspicion]:
        yield Suspicion(facts(1))
        raise error

    result = find_findings(checkpoint, [detector(failing), seen(Suspicion(facts(1)))])
    assert result.notes == [note]
    assert len(result.findings[0].evidence) == 1


@pytest.mark.parametrize("bad", [Suspicion([], "fatal"), "nonsense", None, Suspicion([], 3)])  # type: ignore[arg-type]
def test_a_detector_that_gives_nonsense_is_a_note(checkpoint: Checkpoint, bad: Any) -> None:
    result = find_findings(checkpoint, [detector(lambda _scene: [bad]), seen(Suspicion(facts(1)))])
    assert len(result.findings) == 1
    (note,) = result.notes
    assert note.startswith("made-up failed: ")


def test_an_interrupt_ends_with_what_was_found(checkpoint: Checkpoint) -> None:
    def interrupted(_scene: Scene) -> Iterable[Suspicion]:
        raise KeyboardInterrupt

    result = find_findings(checkpoint, [seen(Suspicion(facts(1))), detector(interrupted), seen()])
    assert (len(result.findings), result.complete) == (1, False)


# --- one search for all ---------------------------------------------------------------------
def marked(name: str) -> Detector:
    def look(scene: Scene) -> Iterator[Suspicion]:
        for hit in scene.hits(name):
            owners = [owner.pid for owner in hit.processes]
            yield Suspicion([Evidence(what=f"{hit.pattern} {owners}", address=hit.address)])

    return detector(look, name, patterns=tuple(literal(MARK.decode(), name="mark", encodings=("utf-8",))))


def test_hits_are_handed_to_who_asked(checkpoint: Checkpoint) -> None:
    result = find_findings(checkpoint, [marked("one"), marked("other"), detector(lambda s: s.hits("none"))])
    assert [(one.detector, one.evidence) for one in result.findings] == [
        (name, [Evidence(what="mark [1]", address=ANON)])
        for name in ("one", "other")  # type: ignore[arg-type]
    ]


def test_hits_of_somebody_elses_search(checkpoint: Checkpoint) -> None:
    detectors = [marked("one")]
    others = literal("MARK", name="other", encodings=("utf-8",))
    asked = [*patterns(detectors), *others]
    assert asked[0].name == f"{PREFIX}one#mark"
    hits = search(checkpoint, asked).hits
    assert len(hits) == 2
    (finding,) = find_findings(checkpoint, detectors, hits=hits).findings
    assert len(finding.evidence) == 1


def test_a_compressed_archive_is_unpacked_once(data: Path) -> None:
    """What a stream finds is what a plain archive gives."""
    looped = literal("RANDOM_1432_KEY", name="mark", encodings=("utf-8",))
    asked = msgspec.structs.replace(marked("one"), patterns=tuple(looped))
    answers = []
    for name in ("podman-looper-crun.tar", "podman-looper-crun.tar.gz"):
        tap = findings_scan([asked])
        with open_archive(FileSource(str(data / name)), tap=tap) as archive:
            answers.append(find_findings(Checkpoint(archive), [asked], tap=tap).findings)
    assert answers[0]
    assert len(answers[0][0].evidence) == len(answers[1][0].evidence)


def test_detectors_without_patterns_search_nothing() -> None:
    assert findings_scan([seen()]) is None


# --- the scene ------------------------------------------------------------------------------
def test_what_a_scene_tells(checkpoint: Checkpoint) -> None:
    damaged: list[Damaged] = []
    scene = Scene(checkpoint, {}, damaged)
    assert scene.environment(1) == {"A": "1", "B": "2"}
    assert scene.first is scene.by_pid[1]
    assert scene.space(1) is checkpoint.memory(1)
    assert (scene.space(99), scene.descriptors(99), scene.environment(99)) == (None, [], {})
    assert (scene.files, scene.changed("/x"), scene.held("/x"), damaged) == ([], None, None, [])


def test_who_descends_from_whom() -> None:
    def proc(pid: int, ppid: int) -> Proc:
        return Proc(pid, ["x"], ppid=ppid)

    scene = Scene(
        container(proc(1, 0), proc(2, 1), proc(3, 2), proc(8, 0), proc(9, 8), proc(11, 12), proc(12, 11)), {}
    )
    assert [one.pid for one in scene.ancestors(3)] == [2, 1]
    assert [one.pid for one in scene.processes if scene.inside(one)] == [1, 2, 3]
    assert len(scene.ancestors(11)) <= 2  # its own ancestor


def test_files_of_a_scene() -> None:
    checkpoint = container(Proc(1, ["x"]), rootfs={"/etc/passwd": b"root:x:0:0", "/etc/.wh.motd": b""})
    scene = Scene(checkpoint, {})
    entry = scene.changed("/etc//passwd")
    assert entry is not None
    assert scene.content(entry, 4) == b"root"
    assert scene.changed("/etc/motd") is None
