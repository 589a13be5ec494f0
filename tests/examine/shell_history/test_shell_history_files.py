"""History files of each shell, and a history of readline put together in memory."""

from __future__ import annotations

import io
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from cryoscope.checkpoint.archive import BytesSource, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.examine.shell_history import shell_history
from cryoscope.examine.shell_history.files import NAME, Line, lines_of

Run = Callable[..., "CompletedProcess[bytes]"]
PAGES, PAGE = "checkpoint/pages-1.img", 40960

FORMATS = {
    b"ls\n\nid\n": [Line(1, b"ls", None), Line(3, b"id", None)],
    b"#1700000000\nls -l\n#1700000005\nid\nw": [
        Line(2, b"ls -l", 1700000000),
        Line(4, b"id", 1700000005),
        Line(5, b"w", None),
    ],
    b": 1700000000:3;make\nplain\n": [Line(1, b"make", 1700000000), Line(2, b"plain", None)],
    b"- cmd: echo a\n  when: 1700000001\n": [Line(1, b"echo a", 1700000001)],
    b"_HiStOrY_V2_\nselect\\0401;\n": [Line(2, b"select 1;", None)],
}


@pytest.mark.parametrize("data", FORMATS)
def test_formats(data: bytes) -> None:
    assert [*lines_of(data)] == FORMATS[data]


def test_names() -> None:
    for name in (
        "/root/.bash_history",
        "home/a/.zsh_history",
        ".histfile",
        ".python_history",
        "fish_history",
    ):
        assert NAME.search(name)
    for name in ("/usr/share/doc/history.gz", "/etc/prehistoric", "/usr/lib/history.so"):
        assert not NAME.search(name)


def with_readline(archive: Path, *commands: tuple[int, bytes]) -> bytes:
    """The archive with a history in a page of pid 1, as readline lays it out."""
    data = bytearray(archive.read_bytes())
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        start = tar.getmember(PAGES).offset_data + PAGE
    with open_archive(BytesSource(bytes(data), "a")) as opened:
        space = Checkpoint(opened).memory(1)
        assert space is not None
        base = next(
            extent.start + PAGE - extent.offset
            for vma in space.mappings
            for extent in space.extents(vma.start, vma.size)
            if extent.images is not None and extent.offset <= PAGE < extent.offset + extent.length
        )
    page = bytearray(4096)
    for place, (time, text) in enumerate(commands):
        line, stamp, record = 1024 + place * 128, 512 + place * 16, place * 24
        page[line : line + len(text)] = text
        page[stamp : stamp + 11] = b"#%d" % time
        page[record : record + 24] = struct.pack("<3Q", base + line, base + stamp, 0)
        struct.pack_into("<Q", page, 3072 + (len(commands) - place) * 8, base + record)
    data[start : start + 4096] = page
    return bytes(data)


def test_readline(data: Path, tmp_path: Path, cryoscope: Run) -> None:
    archive = with_readline(
        data / "podman-looper-crun.tar",
        (1700000007, b"whoami"),
        (1700000007, b"mysql --password Kd82mLq1 x"),
        (1700000003, "echo \u00e9".encode()),
        (1700000009, b"\x01\x02 no text"),
    )
    with open_archive(BytesSource(archive, "a")) as opened:
        commands = shell_history(Checkpoint(opened)).commands
    assert [(c.time, c.command) for c in commands] == [
        ("2023-11-14T22:13:23Z", "echo \u00e9"),
        ("2023-11-14T22:13:27Z", "mysql --password Kd82mLq1 x"),
        ("2023-11-14T22:13:27Z", "whoami"),
    ]
    target = tmp_path / "a.tar"
    target.write_bytes(archive)
    done = cryoscope("bash-history", target)
    assert b"mysql --password ******** x" in done.stdout
    assert b"Kd82mLq1" in cryoscope("bash-history", "--reveal", target).stdout


def test_nothing_where_nobody_typed(data: Path) -> None:
    for name in ("podman-looper-crun.tar", "podman-kitchen-sink.tar.zst", "crio-counter.tar"):
        with open_archive(BytesSource((data / name).read_bytes(), "a")) as opened:
            assert shell_history(Checkpoint(opened)).commands == []
