"""Timelines for other tools, held against those tools where they are installed, and hostile text in them."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from timeline_samples import DATA, LOOPER, layer, replaced, with_token

from cryoscope.report.cells import cell, row
from cryoscope.report.timeline import FORMATS
from cryoscope.report.timeline.l2tcsv import COLUMNS
from cryoscope.report.timeline.table import table
from cryoscope.text import UNSAFE
from cryoscope.workflows.timeline import TimelineEvent, TimelinePart

Run = Callable[..., "CompletedProcess[bytes]"]
KITCHEN, COUNTER = DATA / "podman-kitchen-sink.tar.zst", DATA / "containerd-counter.tar"
EVIL = "=cmd()|'a\",b\n\x1b[2J\u202e@x"

TIMESKETCH = """
import sys, warnings
warnings.simplefilter("ignore")
from timesketch_import_client import importer
class Checked(importer.ImportStreamer):
    rows = 0
    def _ready(self): pass
    def _upload_data_frame(self, frame, end_stream, retry_count=0):
        assert not frame[["message", "datetime", "timestamp_desc"]].isna().any().any()
        assert (frame["datetime"].str.startswith("1970-01-01T00:00:00")).sum() == 0
        self.rows += len(frame)
    def _upload_data_buffer(self, end_stream, data_lines=None, retry_count=0):
        for line in self._data_lines:
            assert line["message"] and line["datetime"] and line["timestamp_desc"], line
            self.rows += 1
        self._reset()
streamer = Checked()
streamer.add_file(sys.argv[1])
streamer.flush()
print(streamer.rows)
"""
"""Timesketch's own client reads a file as far as the upload."""


def event(**fields: Any) -> TimelineEvent:
    common = {"time": "2026-11-22T00:47:16.5Z", "time_ns": 1795308436500000000, "precision": "ms"}
    return TimelineEvent(**({"source": "log", "kind": "output", "text": "x"} | common | fields))


def part(*events: TimelineEvent, **fields: Any) -> TimelinePart:
    return TimelinePart(**({"archive": "a.tar", "host": "h", "events": list(events)} | fields))


def written(form: str, *parts: TimelinePart) -> tuple[list[str], list[str]]:
    """Lines and notes."""
    notes: list[str] = []
    return list(FORMATS[form](parts, notes)), notes


@pytest.fixture(scope="session")
def timesketch() -> str:
    """A Python that has Timesketch's import client: $CRYOSCOPE_TIMESKETCH_PYTHON, or this one."""
    python = os.environ.get("CRYOSCOPE_TIMESKETCH_PYTHON") or sys.executable
    line = "import importlib.util as u, sys; sys.exit(u.find_spec('timesketch_import_client') is None)"
    if subprocess.run([python, "-c", line], check=False).returncode:
        pytest.skip("timesketch-import-client is not installed: set CRYOSCOPE_TIMESKETCH_PYTHON")
    return python


@pytest.mark.parametrize(("form", "ending"), [("timesketch", "jsonl"), ("timesketch-csv", "csv")])
def test_timesketch_takes_every_event(
    form: str, ending: str, timesketch: str, cryoscope: Run, tmp_path: Path
) -> None:
    done = cryoscope("timeline", "-f", form, KITCHEN, COUNTER)
    assert done.returncode == 0
    file = tmp_path / f"t.{ending}"
    file.write_bytes(done.stdout)
    checked = subprocess.run(
        [timesketch, "-c", TIMESKETCH, file], capture_output=True, text=True, check=False, timeout=300
    )
    assert checked.returncode == 0, checked.stderr[-2000:]
    events = len(done.stdout.splitlines()) - (form == "timesketch-csv")
    assert int(checked.stdout) == events > 150


def test_what_timesketch_asks_for(cryoscope: Run) -> None:
    """The fields of its documentation; all times with the same digits, or pandas would drop them."""
    lines = [
        json.loads(line) for line in cryoscope("timeline", "-f", "timesketch", KITCHEN).stdout.splitlines()
    ]
    assert len(lines) > 50
    for line in lines:
        assert {"message", "datetime", "timestamp", "timestamp_desc"} <= set(line)
        assert len(line["datetime"]) == len("2026-11-22T00:56:42.147746+00:00")
        assert line["message"].startswith(line["timestamp_desc"] + ": ")
    created = next(line for line in lines if line["timestamp_desc"] == "container created")
    assert created["timestamp"] == 1795309002147746
    assert created["datetime"] == "2026-11-22T00:56:42.147746+00:00"
    assert created["time_exact"] == "2026-11-22T00:56:42.147746613Z"
    assert lines == sorted(lines, key=lambda line: line["timestamp"])


def test_csv_has_what_json_lines_have(cryoscope: Run) -> None:
    lines = [
        json.loads(line) for line in cryoscope("timeline", "-f", "timesketch", KITCHEN).stdout.splitlines()
    ]
    text = cryoscope("timeline", "-f", "timesketch-csv", KITCHEN).stdout.decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    shown = [{key: value for key, value in found.items() if value} for found in rows]
    assert shown == [{key: str(value) for key, value in line.items() if value != ""} for line in lines]


def test_years_that_timesketch_has_not() -> None:
    late = event(time="9999-12-31T23:59:59Z", time_ns=None, precision="s")
    edge = event(time="2262-04-11T23:47:16.854775807Z", time_ns=(1 << 63) - 1, precision="ns")
    for form in ("timesketch", "timesketch-csv"):
        lines, notes = written(form, part(late, edge, event()))
        assert len(lines) == 1 + (form == "timesketch-csv")
        assert notes == ["2 events before 1677 or after 2262 are left out: Timesketch cannot hold them"]


def test_mactime_reads_the_body_file(cryoscope: Run, tmp_path: Path) -> None:
    if shutil.which("mactime") is None:
        pytest.skip("mactime is not here: it is in Debian's sleuthkit")
    done = cryoscope("timeline", "-f", "bodyfile", KITCHEN)
    body = tmp_path / "body"
    body.write_bytes(done.stdout)
    read = subprocess.run(
        ["mactime", "-b", body, "-z", "UTC", "-d", "-y"], capture_output=True, text=True, check=True
    ).stdout
    rows = {
        (found["Date"], found["Type"], found["File Name"]): found
        for found in csv.DictReader(read.splitlines())
    }
    read_at = rows["2026-11-22T00:56:45Z", ".a..", "/data/ghost.bin (deleted)"]
    assert (read_at["Size"], read_at["Mode"]) == ("4116", "r/rrw-r-----")
    assert ("2026-11-22T00:56:42Z", "m...", "/data/ghost.bin (deleted)") in rows
    assert ("2026-11-22T00:56:47Z", "m...", "/data/regular.txt") in rows


def test_body_file() -> None:
    """One line a file with all its times; a name cannot add a field or a line."""
    about = {"source": "rootfs", "mode": "drwxrwxrwt", "uid": 7, "gid": 8, "size": 9, "member": "m"}
    events = [
        event(kind="file modified", path="/a|b\nc", time_ns=-5, **about),
        event(kind="file accessed", path="/a|b\nc", time_ns=2_999_999_999, **about),
        event(kind="file changed", path="/a|b\nc", time_ns=3 * 10**9, **about),
        event(kind="file modified", path="/a|b\nc", **about | {"source": "ghost", "mode": None}),
        event(),
    ]
    lines, notes = written("bodyfile", part(*events), part(events[0], archive="b.tar"))
    assert lines == [
        "0|a.tar:/a\\x7cb\\nc|0|d/drwxrwxrwt|7|8|9|2|-1|3|0",
        "0|a.tar:/a\\x7cb\\nc (deleted)|0|-/----------|7|8|9|0|1795308436|0|0",
        "0|b.tar:/a\\x7cb\\nc|0|d/drwxrwxrwt|7|8|9|0|-1|0|0",
    ]
    assert notes == ["1 events that are no file's are left out: a body file has no place for them"]


def test_seventeen_columns(cryoscope: Run) -> None:
    text = cryoscope("timeline", "-f", "l2tcsv", KITCHEN).stdout.decode()
    rows = [line.split(",") for line in text.splitlines()]
    assert rows[0] == list(COLUMNS)
    assert {len(found) for found in rows} == {17}
    created = next(found for found in rows if found[6] == "container created")
    assert created[:8] == [
        "11/22/2026",
        "00:56:42",
        "UTC",
        "...B",
        "CKPT",
        "Checkpoint container",
        created[6],
        "-",
    ]
    assert created[11] == "2"
    assert created[16].endswith("time: 2026-11-22T00:56:42.147746613Z")
    assert {found[3] for found in rows[1:]} == {"....", "...B", "M...", ".A.."}


@pytest.mark.parametrize("form", FORMATS)
def test_hostile_text_stays_in_its_cell(form: str) -> None:
    about = {"kind": "file modified", "mode": "-rw-r--r--", "member": EVIL, "comm": EVIL}
    lines, _ = written(form, part(event(text=EVIL, path=EVIL, **about), archive=EVIL, host=EVIL))
    assert len(lines) == 1 + form.endswith("csv")
    assert not UNSAFE.search("".join(lines))
    if form == "timesketch":
        assert json.loads(lines[0])["text"] == EVIL
    if form == "timesketch-csv":
        cells = next(csv.DictReader(io.StringIO("\n".join(lines))))
        assert cells["path"].startswith("'=cmd()")
        assert cells["mode"] == "-rw-r--r--"
    if form == "l2tcsv":
        assert lines[1].split(",")[10].startswith("'=cmd()")
    if form == "bodyfile":
        assert lines[0].count("|") == 10


def test_cells() -> None:
    assert [cell(text) for text in ("-", None, "", "=1", "+1", "a=1")] == ["-", "", "", "'=1", "'+1", "a=1"]
    for text in ("\uff1d1", "|x", "%0", "  =1", "'=1", "--"):
        assert cell(text).startswith("'")
        assert cell(text).endswith(text)
    assert row(["a,b", 'c"d', 7, None]) == '"a,b","c""d",7,'


def test_a_comma_that_becomes_a_space_uncovers_no_formula() -> None:
    lines, _ = written("l2tcsv", part(event(text=",=1+1")))
    assert lines[1].split(",")[10] == "' =1+1"


def test_the_table_names_a_path_once() -> None:
    events = [
        event(path="/a", text="/a (file written)", source="rootfs"),
        event(path="/var/log/a", text="up"),
    ]
    lines = table(part(*events, notes=["something is missing"]), None)
    assert [line.count("/a") for line in lines] == [0, 1, 1, 0]
    assert lines[-1] == "note: something is missing"
    assert all(len(line) <= 60 for line in table(part(*events), 60))


# --- the command ----------------------------------------------------------------------------
def times(done: CompletedProcess[bytes]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["time"] for line in done.stdout.splitlines()]


def test_from_and_to(cryoscope: Run) -> None:
    ask = ("timeline", "-f", "jsonl", "--source", "log", LOOPER)
    seconds = [time[17:19] for time in times(cryoscope(*ask))]
    assert seconds == ["03", "04", "05", "06", "07", "07"]
    assert len(times(cryoscope(*ask, "--from", "2026-11-22T00:55:05Z", "--to", "2026-11-22 00:55:06"))) == 2
    assert len(times(cryoscope(*ask, "--from", "2026-11-22", "--to", "2026-11-22"))) == 6
    assert len(times(cryoscope(*ask, "--from", "2026-11-22T06:25:05+05:30"))) == 4
    assert len(times(cryoscope(*ask, "--from", "2026-11-22T06:25:05", "--zone", "+05:30"))) == 4
    assert times(cryoscope(*ask, "--from", "2026-11-23")) == []


def test_source_and_kind(cryoscope: Run) -> None:
    done = cryoscope("timeline", "-f", "json", "--source", "ghost", "--kind", "ACCESS", KITCHEN, COUNTER)
    archives = json.loads(done.stdout)["archives"]
    assert [[event["path"] for event in one["events"]] for one in archives] == [
        ["/data/ghost.bin"],
        ["/tmp/dropper"],
    ]


@pytest.mark.parametrize(
    "option",
    [
        ("--source", "moon"),
        ("--from", "soon"),
        ("--zone", "Mars/Olympus"),
        ("--zone", "../../etc/passwd"),
        ("--zone", "+25:00"),
    ],
)
def test_what_makes_no_sense(option: tuple[str, str], cryoscope: Run) -> None:
    done = cryoscope("timeline", *option, LOOPER)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"Traceback" not in done.stderr


def test_secrets_are_masked(cryoscope: Run, tmp_path: Path) -> None:
    """In every format, and tokens are not shown even when they are revealed."""
    history = b"#1700000000\nmysql --password hunter2 -h db\n#1700000001\nAPI_KEY=hunter3 run\n"
    claims = {"sub": "you", "iat": 1700000000}
    archive = tmp_path / "a.tar"
    archive.write_bytes(with_token(LOOPER, claims))
    archive.write_bytes(replaced(archive, {"rootfs-diff.tar": layer({"root/.bash_history": history})}))
    for form in ("table", "json", "jsonl", "timesketch", "timesketch-csv", "l2tcsv"):
        done = cryoscope("timeline", "-f", form, archive)
        assert done.returncode == 0
        assert b"hunter" not in done.stdout, form
        assert b"********" in done.stdout
        assert b"token issued" in done.stdout
        assert b"eyJ" not in done.stdout
    assert b"hunter2" in cryoscope("timeline", "--reveal", archive).stdout
    assert b"token issued" not in cryoscope("timeline", "--no-memory", archive).stdout


def test_damage_and_notes(cryoscope: Run, tmp_path: Path) -> None:
    """A cut archive gives what is left, and exit code 3; what a format has no place for is said."""
    done = cryoscope("timeline", "-f", "bodyfile", DATA / "truncated-by-full-disk.tar")
    assert done.returncode == 3
    assert b"are left out: a body file has no place for them" in done.stderr
    missing = cryoscope("timeline", "-f", "l2tcsv", tmp_path / "none.tar")
    assert missing.returncode == 1
    assert missing.stdout.decode().split(",")[0] == "date"


def test_the_year_9999_in_json(cryoscope: Run, tmp_path: Path) -> None:
    """Nanoseconds do not hold it: null, and the time as text."""
    log = b"9999-12-31T23:59:59.5Z stdout F late\n0001-01-01T00:00:00Z stdout F early\n"
    archive = tmp_path / "a.tar"
    archive.write_bytes(replaced(LOOPER, {"ctr.log": log}))
    found = json.loads(cryoscope("timeline", "-f", "json", "--source", "log", archive).stdout)
    shown = [(event["time"], event["time_ns"]) for event in found["archives"][0]["events"]]
    assert shown == [("0001-01-01T00:00:00Z", None), ("9999-12-31T23:59:59.500Z", None)]
