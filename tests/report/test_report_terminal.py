"""What a person sees: tables and trees that fit the terminal, and are whole in a pipe."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from cryoscope.report.table import Table, pad, shorten, shown_width, squeeze
from cryoscope.report.tree import DEEPEST, Outline
from cryoscope.report.units import second

FITTING = (
    ["show"],
    ["ps"],
    ["ps", "-f", "tree"],
    ["inspect", "--all"],
    ["files"],
    ["sockets", "--queues"],
    ["maps"],
    ["mounts"],
    ["ls"],
    ["info"],
)
ARCHIVES = ("podman-kitchen-sink.tar.zst", "crio-counter.tar")


def on_a_terminal(arguments: list[str], columns: int, cwd: Path) -> list[str]:
    """The lines that a command writes to a terminal of so many columns."""
    mine, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    command = [sys.executable, "-m", "cryoscope", *arguments]
    process = subprocess.Popen(
        command, stdout=its, stderr=subprocess.DEVNULL, stdin=its, cwd=cwd, env=environment
    )
    os.close(its)
    output = b""
    try:
        while block := os.read(mine, 65536):
            output += block
    except OSError:  # how Linux says that the other side has closed
        pass
    os.close(mine)
    assert process.wait(30) == 0
    return output.decode().replace("\r\n", "\n").splitlines()


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("command", FITTING, ids=" ".join)
def test_no_line_is_longer_than_the_terminal(command: list[str], columns: int, data: Path) -> None:
    for archives in (ARCHIVES[:1], ARCHIVES):
        lines = on_a_terminal([*command, *archives], columns, data)
        assert lines
        too_long = [line for line in lines if shown_width(line) > columns]
        assert too_long == []


def test_what_matters_most_survives_in_80_columns(data: Path) -> None:
    [_, row] = on_a_terminal(["show", "crio-counter.tar"], 80, data)
    assert "counter" in row
    assert "cri-o" in row
    assert "crio-counter.tar" in row
    ps = "\n".join(on_a_terminal(["ps", "crio-counter.tar"], 80, data))
    assert "sleep 100000" in ps


def test_nothing_is_cut_in_a_pipe(data: Path) -> None:
    for command in FITTING:
        done = subprocess.run(
            [sys.executable, "-m", "cryoscope", *command, *ARCHIVES],
            cwd=data, capture_output=True, check=True, text=True, env=os.environ | {"COLUMNS": "60"},
        )  # fmt: skip
        assert "…" not in done.stdout, command


def test_json_on_a_terminal_is_whole(data: Path) -> None:
    lines = on_a_terminal(["ps", "-f", "jsonl", "crio-counter.tar"], 60, data)
    assert all(line.startswith("{") and line.endswith("}") for line in lines)


# --- the drawing itself ---------------------------------------------------------------------
def test_a_table_escapes_and_aligns() -> None:
    table = Table("NAME", "SIZE", "EMPTY", right=("SIZE",))
    table.add("a\x1b[31m\n", 5, None)
    table.add("日本", 12345, "")
    assert table.lines() == ["NAME        SIZE", "a\\e[31m\\n      5", "日本       12345"]


def test_columns_give_way_from_the_widest() -> None:
    assert squeeze([5, 40, 10], 30) == [5, 15, 10]
    assert squeeze([50, 50], 20) == [10, 10]
    assert squeeze([9, 50, 50], 40) == [9, 15, 16]
    assert sum(squeeze([30] * 10, 60)) == 80, "none below what can be read"


def test_wide_and_combining_characters_count_as_drawn() -> None:
    assert shown_width("日本") == 4
    assert shown_width("e\u0301") == 1
    assert shorten("日本語", 4) == "日…"
    assert shorten("abc", 3) == "abc"
    assert pad("日", 4, right=True) == "  日"


def test_a_million_generations_are_drawn_without_a_million_columns() -> None:
    root = Outline("1")
    last = root
    for number in range(20_000):
        last = last.add(str(number))
    lines = list(root.lines())
    assert len(lines) == 20_001
    assert max(map(len, lines)) < 4 * (DEEPEST + 4) + 10
    assert all(len(line) <= 60 for line in root.lines(60))
    assert "19999" in list(root.lines(60))[-1]


@pytest.mark.parametrize(
    ("nanoseconds", "shown"),
    [
        (None, ""),
        (0, "1970-01-01 00:00:00Z"),
        (-1, "1969-12-31 23:59:59Z"),
        (253402300799_999999999, "9999-12-31 23:59:59Z"),
        (253402300800_000000000, "253402300800 s"),
        (-62135596801_000000000, "-62135596801 s"),
    ],
)
def test_a_second(nanoseconds: int | None, shown: str) -> None:
    assert second(nanoseconds) == shown
