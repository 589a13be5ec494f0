"""The timeline of real archives held against what is known of them, and of some that were put together."""

from __future__ import annotations

import json
import random
import struct
import sys
from collections.abc import Callable
from datetime import timedelta, timezone
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import msgspec
import pytest
from timeline_samples import DATA, LOOPER, dump, events, layer, replaced, shown, with_token

from cryoscope.checkpoint.archive import BytesSource, FileSource, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import Damaged
from cryoscope.examine.secrets import BY_ID, find_secrets
from cryoscope.examine.timeline import Event, collect, iso, timeline_of
from cryoscope.examine.timeline.asked import Asked
from cryoscope.examine.timeline.moments import FIRST, LAST, SECOND, parse
from cryoscope.examine.timeline.records import PRECISIONS, Moment
from cryoscope.examine.timeline.sources import SOURCES
from cryoscope.examine.timeline.sources.log import longer, read_line
from cryoscope.examine.timeline.sources.secrets import RULES
from cryoscope.limits import TIMELINE_LINE

Run = Callable[..., "CompletedProcess[bytes]"]
KITCHEN = DATA / "podman-kitchen-sink.tar.zst"
COUNTER = DATA / "containerd-counter.tar"


def of(path: Path, **how: Any) -> list[Event]:
    with open_archive(FileSource(path)) as archive:
        return timeline_of(Checkpoint(archive), **how)


def test_the_life_of_a_container() -> None:
    """What the kubelet's node wrote, to the nanosecond."""
    assert shown(of(COUNTER), "container") == [
        ("2026-11-22T00:47:16.715784667Z", "container created", "counter (config.dump, createdTime)"),
        ("2026-11-22T00:47:16.720575192Z", "container created", "counter (status.dump, created_at)"),
        ("2026-11-22T00:47:16.889884731Z", "container started", "counter (status.dump, started_at)"),
        ("2026-11-22T00:48:25.754149814Z", "checkpoint taken", "counter (config.dump, checkpointedTime)"),
    ]


def test_what_crio_keeps_in_annotations() -> None:
    kinds = {kind: time for time, kind, _ in shown(of(DATA / "crio-counter.tar"), "container")}
    assert kinds["pod configuration seen"] == "2026-11-22T00:47:16.326529912Z"
    assert kinds["checkpoint taken"] == "2026-11-22T00:48:26.319873951Z"


def test_the_kinds_of_file_times() -> None:
    """A ghost's inode times come from CRIU, to the microsecond; the others from tars."""
    found = {(e.source, e.path, e.kind): e for e in of(KITCHEN) if e.path}
    read = found["ghost", "/data/ghost.bin", "file accessed"]
    assert (iso(read.time_ns, read.precision), read.pid, read.comm) == (
        "2026-11-22T00:56:45.634898Z",
        1,
        "python3",
    )
    written = found["rootfs", "/data/regular.txt", "file modified"]
    assert (iso(written.time_ns, written.precision), written.mode) == ("2026-11-22T00:56:47Z", "-rw-r-----")
    assert ("devshm", "/dev/shm/posix-shm", "file modified") in found


def test_timers_are_due_when_the_truth_says() -> None:
    """Set at 00:56:42 for 3600, 5000 and 7200 seconds; a timerfd that children share is told once."""
    due = [(time, text.split(" (")[0]) for time, _, text in shown(of(KITCHEN), "timer")]
    assert due == [
        ("2026-11-22T01:56:42Z", "timerfd 25"),
        ("2026-11-22T02:20:02Z", "POSIX timer 0"),
        ("2026-11-22T02:56:42Z", "interval timer"),
    ]
    assert {e.assumed for e in of(KITCHEN) if e.source == "timer"} == {"moment"}


def test_the_log_of_the_container() -> None:
    lines = shown(of(LOOPER), "log")
    assert lines[0] == ("2026-11-22T00:55:03.492204611Z", "output", "0")
    assert [text for _, _, text in lines] == [str(n) for n in range(6)]


def test_the_dump_and_the_clock() -> None:
    found = of(COUNTER)
    dump_log = [(kind, text) for _, kind, text in shown(found, "dump")]
    assert dump_log[0][0] == "dump began"
    assert dump_log[0][1].startswith("CRIU 4.2.1 on ")
    assert dump_log[-1] == ("dump ended", "after 0.304896 s, the container had stood still for 245.6 ms")
    (boot,) = [event for event in found if event.kind == "boot clock began"]
    taken = parse("2026-11-22T00:48:25.754149Z")
    assert taken is not None
    assert boot.time_ns == taken.ns - 3033 * SECOND - 275165364


def test_every_archive_and_every_event(data: Path) -> None:
    """Sources and precisions are those that are promised, and the order is one."""
    archives = [path for path in data.iterdir() if ".tar" in path.name and "truth" not in path.name]
    assert len(archives) > 8
    for path in archives:
        found = of(path)
        assert found == sorted(found, key=collect.order), path
        assert found
        for event in found:
            assert event.source in SOURCES
            assert event.precision in PRECISIONS
            assert FIRST <= event.time_ns <= LAST


def test_every_source_and_kind_is_documented(data: Path) -> None:
    text = (data.parents[1] / "docs" / "timeline.md").read_text()
    commands = (data.parents[1] / "docs" / "commands.md").read_text()
    kinds = {
        event.kind for path in (KITCHEN, COUNTER, LOOPER, data / "podman-image.oci.tar") for event in of(path)
    }
    assert len(kinds) > 12
    assert [name for name in SOURCES if f"`{name}`" not in text] == []
    assert [kind for kind in kinds if kind not in text] == []
    assert ", ".join(SOURCES) in commands


def test_the_order_does_not_depend_on_that_of_the_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = of(KITCHEN)
    looks = [*collect.LOOKS]
    random.Random(7).shuffle(looks)
    monkeypatch.setattr(collect, "LOOKS", tuple(looks))
    assert of(KITCHEN) == expected


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/St_Johns", "XYZ-13:45", "right/UTC"])
def test_whatever_zone_the_machine_is_in(zone: str, cryoscope: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = cryoscope("timeline", "-f", "jsonl", KITCHEN).stdout
    monkeypatch.setenv("TZ", zone)
    assert cryoscope("timeline", "-f", "jsonl", KITCHEN).stdout == expected
    assert b'"2026-11-22T00:56:42.147746613Z"' in expected


def test_times_with_offsets_and_ends_of_calendars() -> None:
    config = dump(LOOPER, "config.dump") | {
        "createdTime": "2026-11-22T06:25:03.394056431+05:30",
        "startedTime": "0001-01-01T00:00:00Z",
        "finishedTime": "9999-12-31T23:59:59.999999999Z",
        "checkpointedTime": "1969-12-31T23:59:59.5Z",
        "restoredTime": "soon",
    }
    data = replaced(LOOPER, {"config.dump": json.dumps(config).encode()})
    notes: list[str] = []
    found = shown(events(data, notes=notes), "container")
    assert [time[:4] for time, _, _ in found] == ["1969", "2026"]
    assert notes == ["container: 1 times outside of the years 1677 to 2262 are left out"]
    found = shown(events(data, far=True), "container")
    assert [(time, kind) for time, kind, _ in found] == [
        ("1969-12-31T23:59:59.500Z", "checkpoint taken"),
        ("2026-11-22T00:55:03.394056431Z", "container created"),
        ("9999-12-31T23:59:59.999999999Z", "container ended"),
    ]


def test_times_of_tars() -> None:
    """PAX headers have more of them, exactly; and times that no calendar has are counted."""
    pax = {
        "tmp/a": {"mtime": "1700000000.123456789", "atime": "1700000001.5", "ctime": "-0.25"},
        "tmp/b": {"mtime": "9000000000"},
    }
    notes: list[str] = []
    data = replaced(LOOPER, {"rootfs-diff.tar": layer({"tmp/a": b"x", "tmp/b": b""}, pax)})
    found = [(time, kind, text.split()[0]) for time, kind, text in shown(events(data, notes=notes), "rootfs")]
    assert found == [
        ("1969-12-31T23:59:59.750000000Z", "file changed", "/tmp/a"),
        ("2023-11-14T22:13:20.123456789Z", "file modified", "/tmp/a"),
        ("2023-11-14T22:13:21.500000000Z", "file accessed", "/tmp/a"),
        ("2255-03-14T16:00:00Z", "file modified", "/tmp/b"),
    ]
    assert notes == []


def test_logs_among_the_changed_files() -> None:
    """In the container's zone, which is UTC unless its environment says otherwise."""
    log = b"2026/11/22 00:47:16 [error] one\nNov 21 03:04:05 host x: two\n\xff\n"
    data = replaced(LOOPER, {"rootfs-diff.tar": layer({"var/log/nginx/error.log": log, "etc/x": log})})
    found = [event for event in events(data) if event.source == "logfile"]
    assert [(iso(e.time_ns, e.precision), e.path, e.assumed) for e in found] == [
        ("2026-11-21T03:04:05Z", "/var/log/nginx/error.log", "year and zone"),
        ("2026-11-22T00:47:16Z", "/var/log/nginx/error.log", "zone"),
    ]
    east = [e for e in events(data, zone=timezone(timedelta(hours=5, minutes=45))) if e.source == "logfile"]
    assert [e.time_ns for e in found] == [e.time_ns + 20700 * SECOND for e in east]


def test_a_container_in_another_zone() -> None:
    spec = dump(LOOPER, "spec.dump")
    spec["process"]["env"].append("TZ=Asia/Kolkata")
    log = b"2026/11/22 00:47:16 [error] one\n2026-11-22T00:47:17Z two\n"
    members = {"rootfs-diff.tar": layer({"var/log/a": log}), "spec.dump": json.dumps(spec).encode()}
    notes: list[str] = []
    found = events(replaced(LOOPER, members), notes=notes)
    assert [e.text for e in found if e.source == "logfile"] == ["2026-11-22T00:47:17Z two"]
    assert notes == ["/var/log/a: 1 lines are left out, with times whose zone or year is not known"]


def test_a_long_log_loses_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cryoscope.limits.TIMELINE_LOG", 100)
    log = b"".join(b"2026-11-22T00:%02d:00Z stdout F n\n" % n for n in range(60))
    notes: list[str] = []
    data = replaced(LOOPER, {"ctr.log": log, "rootfs-diff.tar": layer({"var/log/a": log})})
    found = events(data, notes=notes)
    for source in ("log", "logfile"):
        assert [time for time, _, _ in shown(found, source)] == [
            f"2026-11-22T00:{n}:00Z" for n in (57, 58, 59)
        ]
    lost = len(log) - 3 * 32
    assert notes == [
        f"the first {lost} bytes of ctr.log are left out",
        f"/var/log/a: the first {lost} bytes are left out",
    ]


def test_parts_of_lines() -> None:
    log = (
        b"2026-11-22T00:00:01Z stdout P one \n2026-11-22T00:00:02Z stderr F err\n"
        b"2026-11-22T00:00:03Z stdout F two\nnonsense\n2026-11-22T00:00:04Z stdout P cut"
    )
    notes: list[str] = []
    assert shown(events(replaced(LOOPER, {"ctr.log": log}), notes=notes), "log") == [
        ("2026-11-22T00:00:01Z", "output", "one two"),
        ("2026-11-22T00:00:02Z", "error output", "err"),
        ("2026-11-22T00:00:04Z", "output", "cut"),
    ]
    assert notes == ["1 lines of ctr.log have no time"]


def test_dockers_log() -> None:
    line = read_line(b'{"log":"hello\\n","stream":"stderr","time":"2026-11-22T00:00:01.5Z"}')
    assert line == (parse("2026-11-22T00:00:01.5Z"), "stderr", b"hello\n", False)
    for odd in (b"{", b'{"log":1}', b"[]", b"2026 stdout", b'{"log":"x","time":7}'):
        assert read_line(odd) is None


def test_accounts_and_logins() -> None:
    shadow = b"root:*:20000:0:99999:7:::\nbob:!:0::::::\nodd\nx:y:-3:\nz:y:99999999999:\n"
    record = struct.Struct("<h2xi32s4s32s256s2hiII16s20x")
    login = record.pack(7, 12, b"pts/0", b"", b"bob", b"10.0.0.9", 0, 0, 0, 1795308436, 5, b"")
    unset = record.pack(7, 12, b"", b"", b"", b"", 0, 0, 0, 0, 0, b"")
    files = {"etc/shadow": shadow, "var/log/wtmp": login + unset + b"rest", "var/log/btmp": login}
    found = events(replaced(LOOPER, {"rootfs-diff.tar": layer(files)}))
    assert shown(found, "account") == [("2024-10-04T00:00:00Z", "password changed", "root")]
    assert shown(found, "login") == [
        ("2026-11-22T00:47:16.000005Z", "logged in", "bob on pts/0 from 10.0.0.9 (pid 12)"),
        ("2026-11-22T00:47:16.000005Z", "login failed", "bob on pts/0 from 10.0.0.9 (pid 12)"),
    ]


def test_tokens() -> None:
    claims = {"iss": "me", "sub": "you", "iat": 1700000000, "nbf": 1700000000.75, "exp": 32503680000 - 1}
    with open_archive(BytesSource(with_token(LOOPER, claims), "a")) as archive:
        checkpoint = Checkpoint(archive)
        secrets = find_secrets(checkpoint, rules=[BY_ID[rule] for rule in RULES]).findings
        found = timeline_of(checkpoint, secrets=secrets, far=True)
    said = [event for event in found if event.source == "secret"]
    assert [(iso(e.time_ns, e.precision), e.kind, e.pid) for e in said] == [
        ("2023-11-14T22:13:20Z", "token issued", 1),
        ("2023-11-14T22:13:20Z", "token valid from", 1),
        ("2999-12-31T23:59:59Z", "token expires", 1),
    ]
    assert {event.text for event in said} == {"JSON Web Token iss=me sub=you"}


def test_commands_with_times() -> None:
    history = b"#1700000000\ncurl evil\n#1700000005\nls\nuntimed\n"
    data = replaced(LOOPER, {"rootfs-diff.tar": layer({"root/.bash_history": history})})
    assert shown(events(data), "history") == [
        ("2023-11-14T22:13:20Z", "command typed", "curl evil"),
        ("2023-11-14T22:13:25Z", "command typed", "ls"),
    ]
    assert shown(events(data, memory=False), "history") == []


def test_without_any_time() -> None:
    """Nothing says when: what is counted from the dump is left out, and nothing is made up."""
    with open_archive(FileSource(KITCHEN)) as archive:
        names = [*archive.members]
    assert "checkpoint/inventory.img" in names
    data = replaced(
        COUNTER,
        {"config.dump": b"{}", "status.dump": b"{}", "status": b"{}"},
        dict.fromkeys(names, 0) | {"dump.log": 0},
    )
    notes: list[str] = []
    found = events(data, notes=notes)
    assert not [event for event in found if event.source in ("container", "timer", "dump") or event.assumed]
    assert "the times of dump.log are left out: nothing says when the dump began" in notes


def test_damage_is_told_beside_the_rest() -> None:
    damaged: list[Damaged] = []
    data = replaced(LOOPER, {"rootfs-diff.tar": b"\x1f\x8b no layer", "config.dump": b"{"})
    with open_archive(BytesSource(data, "a")) as archive:
        checkpoint = Checkpoint(archive)
        found = timeline_of(checkpoint, damaged=damaged)
        parts = {one.part for one in [*checkpoint.damaged, *damaged]}
    assert {"rootfs-diff.tar", "config.dump"} <= parts
    assert [event for event in found if event.source == "log"]


def test_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    expected = of(LOOPER)[-3:]
    monkeypatch.setattr("cryoscope.limits.TIMELINE_EVENTS", 3)
    monkeypatch.setattr("cryoscope.limits.TIMELINE_SPARE", 2)
    found = of(LOOPER, notes=notes)
    assert len(found) == 3
    assert found == expected
    assert any("earlier events were left out" in note for note in notes)


def test_logs_do_not_drown_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of log has its share, and what came last in it is kept."""
    monkeypatch.setattr("cryoscope.limits.TIMELINE_LINES", 3)
    log = b"".join(b"2026-11-22T00:%02d:00Z stdout F n\n" % n for n in range(60))
    layered = layer({"var/log/a": log[:64], "var/log/b": log, "var/log/c": log})
    notes: list[str] = []
    found = events(replaced(LOOPER, {"ctr.log": log, "rootfs-diff.tar": layered}), notes=notes)
    kept = [(e.path, iso(e.time_ns)[14:16]) for e in found if e.source in ("log", "logfile")]
    assert kept == [
        ("/var/log/a", "00"),
        ("/var/log/a", "01"),
        (None, "57"),
        (None, "58"),
        (None, "59"),
        ("/var/log/b", "59"),
    ]
    assert notes == [
        "ctr.log: the first 57 lines are left out",
        "/var/log/b: the first 59 lines are left out",
        "logs among the changed files are left out: there are too many",
    ]
    assert [event for event in found if event.source == "container"]


def test_moments_beyond_the_calendar_and_long_texts() -> None:
    with open_archive(FileSource(LOOPER)) as archive:
        asked = Asked(Checkpoint(archive), far=True)
        assert asked.event(Moment(LAST + 1), "log", "output", "x") == []
        assert asked.event(None, "log", "output", "x") == []
        (event,) = asked.event(Moment(LAST), "log", "output", "x" * 5000)
    assert len(event.text) == 1001
    assert asked.beyond() == ["log: 1 times outside of the years 0001 to 9999 are left out"]
    assert msgspec.structs.asdict(event)["time_ns"] == LAST
    assert sys.maxsize < LAST


UTMP = "<h2xi32s4s32s256s2hiII16s20x"
LOGIN = struct.pack(UTMP, 7, 12, b"pts/0", b"", b"bob", b"", 0, 0, 0, 1795308436, 5, b"")


def test_too_many_files_of_logins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cryoscope.limits.TIMELINE_LOG_FILES", 2)
    files = {f"{number}/wtmp": LOGIN for number in range(4)}
    notes: list[str] = []
    found = events(replaced(LOOPER, {"rootfs-diff.tar": layer(files)}), notes=notes)
    assert len(shown(found, "login")) == 2
    assert "logins among the changed files are left out: there are too many" in notes


def test_one_file_of_logins_that_cannot_be_read_leaves_the_others() -> None:
    both = layer({"b/wtmp": LOGIN, "a/wtmp": LOGIN})[: 3 * 512 + 100]
    damaged: list[Damaged] = []
    found = events(replaced(LOOPER, {"rootfs-diff.tar": both}), damaged=damaged)
    assert [one.path for one in found if one.source == "login"] == ["/b/wtmp"]
    assert "rootfs-diff.tar: /a/wtmp" in [one.part for one in damaged]


def test_only_so_many_lines_of_a_log_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cryoscope.limits.TIMELINE_TRIED", 3)
    lines = b"".join(b"2026-11-22 00:00:0%d number %d\n" % (number, number) for number in range(6))
    notes: list[str] = []
    found = events(replaced(LOOPER, {"rootfs-diff.tar": layer({"var/log/a.log": lines})}), notes=notes)
    assert [one.text[-1] for one in found if one.source == "logfile"] == ["4", "5"]
    assert any("/var/log/a.log: the first" in note for note in notes)


def test_a_line_in_many_pieces_ends_where_it_is_long_enough() -> None:
    full = b"x" * TIMELINE_LINE
    assert longer(b"ab", b"c") == b"abc"
    assert longer(full, b"more") is full
    assert len(longer(full[:-2], b"more")) == TIMELINE_LINE
