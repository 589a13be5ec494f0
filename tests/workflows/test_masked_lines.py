"""What is masked at the edges of `fs diff`, `timeline`, `iocs`, `diff` and `report`, record by record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from cryoscope.checkpoint.container import Container
from cryoscope.examine.changes.content import unified
from cryoscope.examine.changes.records import ContentDiff
from cryoscope.examine.diff.records import Difference, Value
from cryoscope.examine.iocs import Ioc
from cryoscope.examine.search.hits import Context, Hit
from cryoscope.examine.timeline import Event
from cryoscope.examine.timeline.sources import SOURCES
from cryoscope.workflows import diff, fs, iocs
from cryoscope.workflows.masking import KEY_LINES, MASK, Masker, Revealing
from cryoscope.workflows.report import CONTENTS, redacted_container
from cryoscope.workflows.timeline import events_of

BEGIN, END = "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"
PLAIN_END = "-----END PRIVATE KEY-----"


def key(letter: str, lines: int = 20) -> list[str]:
    """A key whose lines are all of one letter."""
    return [BEGIN, *(f"{letter * 60}{n:04}" for n in range(lines)), END]


def text(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


def masked_diff(old: str, new: str, masker: Masker) -> list[str]:
    lines = list(unified(old, new))
    return fs.masked(ContentDiff(path="/k", change="changed", kind="text", lines=lines), masker).lines


# --- lines of one text -----------------------------------------------------------------------------
ONE, TWO = key("A"), key("B")
DIFFS = {
    "added": ("", text("a=1", *ONE, "b=2")),
    "removed": (text("a=1", *ONE, "b=2"), text("a=1", "b=2")),
    "another": (text("a=1", *ONE, "b=2"), text("a=1", *TWO, "b=2")),
    "its own end on each side": (text(*ONE, "b=2"), text(BEGIN, *TWO[1:-1], PLAIN_END, "b=2")),
    "begun above the hunk": (text(*ONE, "b=2"), text(*ONE[:-2], "B" * 64, END, "b=2")),
    "a word before its end": ("", text(*ONE[:-1], "AAAA" + END, "b=2")),
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFS)
def test_no_line_of_a_key_is_in_a_diff(name: str) -> None:
    old, new = DIFFS[name]
    masker = Masker()
    lines = masked_diff(old, new, masker)
    assert not [line for line in lines if any(letter * 4 in line for letter in "ABC")], lines
    assert len(lines) == len(list(unified(old, new)))
    assert any(line[1:] == "b=2" for line in lines)
    assert masker.count
    assert masked_diff(old, new, Revealing()) == list(unified(old, new))


def test_a_key_without_end_does_not_hide_the_rest() -> None:
    lines = masked_diff("", text(BEGIN, *["word"] * KEY_LINES, "seen"), Masker())
    assert lines[1:] == [f"+{BEGIN}{MASK}", *[f"+{MASK}"] * KEY_LINES, "+seen"]


def logged(lines: Sequence[str], source: str = "log", **fields: Any) -> list[Event]:
    return [
        Event(time_ns=n, source=source, kind="output", text=line, **fields) for n, line in enumerate(lines)
    ]


@pytest.mark.parametrize("source", ["log", "logfile"])
def test_no_line_of_a_key_is_in_a_timeline(source: str) -> None:
    other = logged(["x"] * 30, source, path="/other")
    events = [
        event for pair in zip(logged([*ONE, *["after"] * 8], source), other, strict=True) for event in pair
    ]
    shown = [event.text for event in events_of(events, Masker())]
    assert shown[::2] == [BEGIN + MASK, *[MASK] * 20, END, *["after"] * 8]
    assert shown[1::2] == ["x"] * 30
    late = [event.text for event in events_of(events, Masker(), lambda event: event.time_ns > 0)]
    assert late == shown[2:]
    assert [event.text for event in events_of(events, Revealing())] == [event.text for event in events]


# --- rows of signatures ----------------------------------------------------------------------------
ROWS = ["while true; do sleep 1; done", "echo this is the second of the rows", "cp /bin/sh /tmp/.x/sh; exit"]


@pytest.mark.parametrize(
    "secret",
    ["export DB_PASSWORD=hunter2hunter2", "curl https://u:hunter2@a.example/", "run --token hunter2hunter2"],
)
def test_a_signature_has_no_row_with_a_secret(secret: str) -> None:
    def left(rows: list[str], masker: Masker) -> list[str]:
        hexed = [row.encode().hex() for row in rows]
        ioc = Ioc(
            kind="sha256", value="0" * 64, confidence="low", why="x", count=1, sightings=[], signature=hexed
        )
        return [bytes.fromhex(row).decode() for row in iocs.masked(ioc, masker).signature]

    assert left([*ROWS, secret], Masker()) == ROWS
    assert left([*ROWS[:2], secret], Masker()) == []
    assert left([*ROWS[:2], secret], Revealing()) == [*ROWS[:2], secret]


# --- differences and hits --------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("aspect", "subject", "value", "shown"),
    [
        ("environment", "db.password.current", "x", MASK),
        ("environment", "labels.PORT", "80", "80"),
        ("metadata", "process.env.db.password.current", "x", MASK),
        ("metadata", "annotations.io.example/token.old", "x", MASK),
        ("metadata", "labels.token.file", "/a", "/a"),
        ("metadata", "facts.config.secrets", ["a", "b"], [MASK, MASK]),
        ("metadata", "process.args", ["run", "--token", "x"], ["run", "--token", MASK]),
        ("metadata", "mounts[/run/secrets/x.io/account].options", ["ro", "bind"], ["ro", "bind"]),
        ("files", "/run/secrets/x", "0644", "0644"),
    ],
)
def test_the_whole_name_tells(aspect: str, subject: str, value: Value, shown: Value) -> None:
    found = Difference(aspect=aspect, change="changed", subject=subject, old=value, new=value)
    told = diff.masked(found, Masker())
    assert (told.old, told.new) == (shown, shown)
    assert diff.masked(found, Revealing()) == found


def test_hits_are_masked_without_what_is_around() -> None:
    around = Context(before=0, text="hunter2", hex="")
    hit = Hit(pattern="p", encoding="bytes", place="memory", match="TOKEN=hunter2", size=13, context=around)
    told = Masker().hit(msgspec.structs.replace(hit, match_base64="aHVudGVyMg=="))
    assert (told.match, told.match_base64, told.context) == (f"TOKEN={MASK}", None, None)
    assert Revealing().hit(hit) == hit


# --- redacted reports ------------------------------------------------------------------------------
def test_contents_are_of_sources_that_there_are() -> None:
    assert set(CONTENTS) <= set(SOURCES)
    assert {"log", "logfile", "login", "history", "secret"} <= set(CONTENTS)


TABLES = ("labels", "annotations", "image_annotations", "facts")


def test_no_label_is_left_in_a_redacted_container() -> None:
    tables: dict[str, Any] = {name: {"a": "x"} for name in TABLES}
    assert redacted_container(Container("podman", "spec.dump", **tables)) == Container("podman", "spec.dump")
