"""Reading what a service writes before it sends it: with a process that behaves as Podman's service does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cryoscope.engines.podman.capture import _rest
from cryoscope.engines.podman.overtaking import Overtaking
from cryoscope.errors import Incomplete

SERVICE = """
import os, socket, sys, time
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("ready", flush=True)
for number in range(int(sys.argv[3])):
    out = open(f"{sys.argv[2]}/checkpoint{number}", "wb", buffering=0)
    globals()[f"kept{number}"] = out
for line in sys.stdin:
    number, word = line.split()
    globals()["kept" + number].write(word.encode() * 1000)
    print("written", flush=True)
"""


class Service:
    """A process named podman with files that are exported into, one word a line."""

    def __init__(self, folder: Path, files: int) -> None:
        self.path = str(folder / "socket")
        program = folder / "podman"
        shutil.copy(os.path.realpath(sys.executable), program)
        self.process = subprocess.Popen(
            [program, "-S", "-c", SERVICE, self.path, folder, str(files)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONHOME": sys.base_prefix},
        )
        self.wait()

    def wait(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline()

    def write(self, word: str, number: int = 0) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{number} {word}\n")
        self.process.stdin.flush()
        self.wait()


@pytest.fixture
def service(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Service]:
    found = Service(tmp_path, getattr(request, "param", 1))
    with found.process:
        yield found


def test_what_is_written_is_taken_while_it_is_written(service: Service) -> None:
    taken, some = bytearray(), threading.Event()

    def take(block: bytes) -> None:
        taken.extend(block)
        some.set()

    with Overtaking(service.path, "before", take) as overtaking:
        service.write("before")
        assert some.wait(20)
        service.write("after")
        head = overtaking.finish()
    assert bytes(taken) == b"before" * 1000 + b"after" * 1000
    assert taken.startswith(head)


@pytest.mark.parametrize("service", [2], indirect=True)
def test_of_two_files_the_one_that_names_the_container_is_taken(service: Service) -> None:
    taken, some = bytearray(), threading.Event()

    def take(block: bytes) -> None:
        taken.extend(block)
        some.set()

    service.write("another")
    with Overtaking(service.path, "mine", take) as overtaking:
        service.write("mine", 1)
        assert some.wait(20)
        overtaking.finish()
    assert bytes(taken) == b"mine" * 1000


def test_a_file_of_another_container_is_not_taken(service: Service) -> None:
    service.write("another")
    with Overtaking(service.path, "mine", pytest.fail) as overtaking:
        overtaking.join(0.2)
        assert overtaking.finish() == b""


def test_an_error_of_taking_is_raised_by_finish(service: Service) -> None:
    def full(block: bytes) -> None:
        raise Incomplete("no room")

    with Overtaking(service.path, "word", full) as overtaking:
        service.write("word")
        overtaking.join(20)
        with pytest.raises(Incomplete, match="no room"):
            overtaking.finish()


def test_without_a_service_nothing_is_taken(tmp_path: Path) -> None:
    with Overtaking(str(tmp_path / "none"), "any", pytest.fail) as overtaking:
        assert overtaking.finish() == b""


def test_an_answer_that_is_another_file_is_told() -> None:
    with pytest.raises(Incomplete) as raised:
        _rest(b"one archive", iter([b"another archive"]), pytest.fail)
    assert raised.value.code == "podman.overtaken"
    with pytest.raises(Incomplete):
        _rest(b"one archive", iter([]), pytest.fail)


def test_an_answer_that_is_the_same_file_is_not_read_again() -> None:
    rest = iter([b"one archive, in its first block", b"the second"])
    _rest(b"one archive", rest, pytest.fail)
    assert [*rest] == [b"the second"]


def test_an_answer_is_read_where_nothing_was_taken() -> None:
    taken: list[bytes] = []
    _rest(b"", iter([b"one", b"two"]), taken.append)
    assert taken == [b"one", b"two"]
