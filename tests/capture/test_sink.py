"""The file that a capture goes into: one name while it is incomplete, its own when it is whole."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from cryoscope.engines.host import Host
from cryoscope.errors import Incomplete, UsageError
from cryoscope.workflows.sink import Sink

BLOCKS = [os.urandom(300_000), b"", os.urandom(3_000_000), b"end"]
WHOLE = b"".join(BLOCKS)


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_it_is_incomplete_until_it_is_finished(tmp_path: Path) -> None:
    with Sink(str(tmp_path / "a.tar")) as sink:
        for block in BLOCKS:
            sink.write(memoryview(block))
        assert names(tmp_path) == ["a.tar.incomplete"]
        assert sink.digest() == hashlib.sha256(WHOLE).hexdigest()
        sink.finish()
    assert names(tmp_path) == ["a.tar"]
    assert (tmp_path / "a.tar").read_bytes() == WHOLE
    assert (tmp_path / "a.tar").stat().st_mode & 0o777 == 0o600


def test_nothing_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_text("mine")
    with pytest.raises(UsageError):
        Sink(str(tmp_path / "a.tar"))
    (tmp_path / "b.tar.incomplete").write_text("killed")
    with Sink(str(tmp_path / "b.tar")) as sink:
        sink.write(b"x")
        (tmp_path / "b.tar").write_text("somebody else's")
        with pytest.raises(Incomplete):
            sink.finish()
    assert (tmp_path / "b.tar").read_text() == "somebody else's"
    assert (tmp_path / "b.tar.incomplete").read_text() == "killed"
    assert (tmp_path / "b.tar.2.incomplete").read_bytes() == b"x"


def test_a_failure_keeps_what_there_is_and_nothing_of_nothing(tmp_path: Path) -> None:
    for name, block in (("a.tar", b"half"), ("b.tar", b"")):
        with suppress(RuntimeError), Sink(str(tmp_path / name)) as sink:
            sink.write(block)
            raise RuntimeError
    assert names(tmp_path) == ["a.tar.incomplete"]


def test_what_an_engine_writes_itself_is_hashed_while_it_grows(tmp_path: Path) -> None:
    def engine(path: str) -> None:
        with open(path, "r+b", buffering=0) as out:
            for at in range(0, len(WHOLE), 100_000):
                out.write(WHOLE[at : at + 100_000])
                time.sleep(0.002)

    with Sink(str(tmp_path / "a.tar")) as sink:
        with sink.lend(Host()) as inside:
            thread = threading.Thread(target=engine, args=[inside])
            thread.start()
            thread.join()
        assert sink.digest() == hashlib.sha256(WHOLE).hexdigest()
        assert sink.size == len(WHOLE)
        sink.finish()
    assert (tmp_path / "a.tar").read_bytes() == WHOLE


def test_an_engine_that_replaces_the_file_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(WHOLE)

    def lent(sink: Sink) -> None:
        with sink.lend(Host()) as inside:
            os.replace(tmp_path / "other", inside)

    with Sink(str(tmp_path / "a.tar")) as sink, pytest.raises(Incomplete, match="in one go"):
        lent(sink)


def test_a_full_disk_is_an_error_with_a_cure_and_the_rest_is_named_incomplete(tmp_path: Path) -> None:
    script = "mount -t tmpfs -o size=1m none {0} && exec {1} -c '{2}'"
    code = (
        "from cryoscope.workflows.sink import Sink\n"
        "from cryoscope.errors import Incomplete\n"
        "import os\n"
        f'try:\n with Sink("{tmp_path}/a.tar") as sink:\n  sink.write(bytes(4 << 20))\n'
        f'except Incomplete as error:\n print(error.code, *os.listdir("{tmp_path}"))'
    )
    if os.geteuid():
        pytest.skip("mounting takes root")
    command = ["unshare", "-m", "sh", "-c", script.format(tmp_path, sys.executable, code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["capture.disk-full", "a.tar.incomplete"], done.stderr


def test_killed_at_any_instant_it_leaves_the_incomplete_name_or_the_whole(tmp_path: Path) -> None:
    code = (
        "import sys; from cryoscope.workflows.sink import Sink\n"
        "with Sink(sys.argv[1]) as sink:\n"
        " print('go', flush=True)\n"
        " for _ in range(50): sink.write(bytes(100_000))\n"
        " sink.finish()\n"
    )
    for number in range(8):
        target = tmp_path / f"{number}.tar"
        process = subprocess.Popen([sys.executable, "-c", code, target], stdout=subprocess.PIPE)
        assert process.stdout is not None
        with process.stdout:
            process.stdout.readline()
            time.sleep(number * 0.003)
            process.send_signal(signal.SIGKILL)
            process.wait()
        if target.exists():
            assert target.stat().st_size == 5_000_000
        else:
            assert names(tmp_path)[-1].endswith(".incomplete")
