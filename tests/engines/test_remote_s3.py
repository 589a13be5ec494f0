"""A checkpoint in a real S3 server, looked into where it lies."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from enlarged import MIB, enlarged, framed
from tests.s3 import S3Server, s3_server

__all__ = ["s3_server"]
pytestmark = pytest.mark.xdist_group("s3")

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


class Counting:
    """A way to a server that counts what comes back."""

    def __init__(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        self._to = parts.hostname or "", parts.port or 80
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.received = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as ends:
            while True:
                near = ends.enter_context(self._listener.accept()[0])
                far = ends.enter_context(socket.create_connection(self._to))
                threading.Thread(target=self._pass, args=(near, far), daemon=True).start()
                threading.Thread(target=self._pass, args=(far, near, True), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket, counted: bool = False) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(1 << 16):
                self.received += len(data) * counted
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # ends the wait for the next one
        self._thread.join()
        self._listener.close()


@pytest.fixture
def counting(s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counting]:
    """The way to the server, in the settings."""
    way = Counting(s3_server.endpoint)
    settings = tmp_path / "settings.toml"
    settings.write_text(f'[store]\nendpoint = "{way.endpoint}"\nregion = "{s3_server.region}"\n')
    monkeypatch.setenv("CRYOSCOPE_SETTINGS", str(settings))
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    yield way
    way.close()


def kept(server: S3Server, archive: Path) -> str:
    """An object with the archive's bytes; its address."""
    import obstore

    bucket = server.bucket()
    with open(archive, "rb") as file:
        obstore.put(server.store(bucket), "it.tar", file)  # type: ignore[arg-type]
    return f"s3://{bucket}/it.tar"


def examined(archive: Path, server: S3Server, counting: Counting, cryoscope: Run) -> int:
    """Bytes that the inspection of an archive in S3 took; it says what it says here."""
    address = kept(server, archive)
    there = cryoscope("inspect", address, "--no-cache", "--format", "json")
    assert there.returncode == 0, there.stderr
    took = counting.received
    here = cryoscope("inspect", archive, "--format", "json")
    told = json.dumps(json.loads(there.stdout)).replace(address, str(archive))
    assert json.loads(told) == json.loads(here.stdout)
    return took


def test_of_a_checkpoint_in_s3_less_than_a_hundredth_travels(
    s3_server: S3Server, counting: Counting, cryoscope: Run, data: Path, tmp_path: Path
) -> None:
    archive = enlarged(data / "crio-counter.tar", tmp_path / "it.tar", 64 * MIB)
    assert 0 < examined(archive, s3_server, counting, cryoscope) < 64 * MIB // 100


def test_a_compressed_checkpoint_in_s3_is_read_if_it_is_small(
    s3_server: S3Server, counting: Counting, cryoscope: Run, data: Path
) -> None:
    archive = data / "podman-looper-crun.tar.gz"
    assert examined(archive, s3_server, counting, cryoscope) > archive.stat().st_size


def test_what_is_not_in_s3_is_an_error_with_its_cure(
    s3_server: S3Server, counting: Counting, cryoscope: Run
) -> None:
    for address in (f"s3://{s3_server.bucket()}/it.tar", "s3://no-such-bucket/it.tar", "s3://b", "s3://"):
        done = cryoscope("ps", address)
        assert done.returncode in (1, 2)
        assert done.stderr.startswith(f"cryoscope: {address}: ".encode())
        assert b"Traceback" not in done.stderr
        assert b"internal error" not in done.stderr


@pytest.mark.long
@pytest.mark.parametrize("frames", [False, True], ids=["plain", "frames"])
def test_of_a_gibibyte_in_s3_less_than_a_hundredth_travels(
    s3_server: S3Server, counting: Counting, cryoscope: Run, data: Path, tmp_path: Path, frames: bool
) -> None:
    archive = enlarged(data / "crio-counter.tar", tmp_path / "it.tar", 1024 * MIB)
    if frames:
        archive = framed(archive, tmp_path / "it.tar.zst")
    assert 0 < examined(archive, s3_server, counting, cryoscope) < 1024 * MIB // 100
