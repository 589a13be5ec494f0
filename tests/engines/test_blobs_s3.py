"""Blobs in a real S3 server: streamed, written once, whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cryoscope.errors import ArchiveError, UsageError
from cryoscope.evidence.blobs import open_blobs, s3_client
from cryoscope.evidence.blobs.s3 import S3Blobs, s3_source
from cryoscope.evidence.ports import BlobExists, BlobMissing, Blobs, EvidenceError
from tests.s3 import S3Server, s3_server

__all__ = ["s3_server"]
pytestmark = pytest.mark.xdist_group("s3")
KEY = "pieces/ab/abcdef.bin"
BIG = 40 << 20
"""More than one part, so that an upload is in parts."""


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server.bucket()


@pytest.fixture
def blobs(s3_server: S3Server, bucket: str) -> Blobs:
    return open_blobs(f"s3://{bucket}/some/where", home="", endpoint=s3_server.endpoint)


def put(blobs: Blobs, key: str, data: bytes) -> None:
    with blobs.upload() as upload:
        upload.write(data)
        upload.commit(key)


def read(blobs: Blobs, key: str) -> bytes:
    source = blobs.source(key)
    try:
        return source.read_at(0, source.size or 0)
    finally:
        source.close()


def objects(server: S3Server, bucket: str) -> list[str]:
    import obstore

    return sorted(found["path"] for page in obstore.list(server.store(bucket)) for found in page)


def parts_under_way(server: S3Server, bucket: str) -> int:
    return server.ask("GET", bucket, "uploads=").count(b"<UploadId>")


def pseudo(size: int) -> bytes:
    return hashlib.shake_256(b"seed").digest(1 << 20) * (size >> 20)


def test_small_and_empty_blobs_are_read_as_they_were_written(blobs: Blobs) -> None:
    put(blobs, KEY, b"hello world")
    put(blobs, "empty", b"")
    source = blobs.source(KEY)
    assert (source.size, source.read_at(6, 3), source.read_at(9, 99)) == (11, b"wor", b"ld")
    source.close()
    assert (read(blobs, "empty"), blobs.size("empty"), blobs.size(KEY)) == (b"", 0, 11)
    assert list(blobs.keys()) == [("empty", 0), (KEY, 11)]
    assert list(blobs.keys("pieces/a")) == list(blobs.keys("pieces/")) == list(blobs.keys(KEY)) == [(KEY, 11)]
    assert list(blobs.keys("none/")) == []


def test_a_large_blob_goes_in_parts_and_is_one_object(blobs: Blobs, s3_server: S3Server, bucket: str) -> None:
    data = pseudo(BIG)
    with blobs.upload() as upload:
        for start in range(0, BIG, 3_000_000):
            upload.write(memoryview(data)[start : start + 3_000_000])
        assert blobs.size(KEY) is None
        assert list(blobs.keys()) == []
        upload.commit(KEY)
    assert hashlib.sha256(read(blobs, KEY)).digest() == hashlib.sha256(data).digest()
    stored = objects(s3_server, bucket)
    assert [path.split("/")[2] for path in stored] == ["blobs", "data"]
    import obstore

    assert obstore.head(s3_server.store(bucket), stored[1])["e_tag"].strip('"').endswith("-3")


def test_a_blob_is_written_once(blobs: Blobs, s3_server: S3Server, bucket: str) -> None:
    put(blobs, KEY, b"first")
    for data in (b"second", pseudo(BIG)):
        with pytest.raises(BlobExists):
            put(blobs, KEY, data)
    assert read(blobs, KEY) == b"first"
    assert len(objects(s3_server, bucket)) == 2


def test_of_clients_that_commit_one_key_at_once_one_wins(s3_server: S3Server, bucket: str) -> None:
    stores = [S3Blobs(f"s3://{bucket}", endpoint=s3_server.endpoint) for _ in range(6)]
    start = threading.Barrier(len(stores))
    won: list[int] = []

    def race(number: int) -> None:
        with stores[number].upload() as upload:
            upload.write(bytes([number]) * 1000)
            start.wait()
            with contextlib.suppress(BlobExists):
                upload.commit(KEY)
                won.append(number)

    racers = [threading.Thread(target=race, args=(number,)) for number in range(len(stores))]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len(won) == 1
    assert read(stores[0], KEY) == bytes(won) * 1000
    assert len(objects(s3_server, bucket)) == 2


def test_without_a_commit_nothing_stays(blobs: Blobs, s3_server: S3Server, bucket: str) -> None:
    with blobs.upload() as upload:
        upload.write(b"small")
    with contextlib.suppress(ZeroDivisionError), blobs.upload() as upload:
        upload.write(pseudo(BIG))
        raise ZeroDivisionError
    assert objects(s3_server, bucket) == []
    assert parts_under_way(s3_server, bucket) == 0


def test_what_was_deleted_is_gone_with_its_bytes(blobs: Blobs, s3_server: S3Server, bucket: str) -> None:
    put(blobs, KEY, b"data")
    blobs.delete(KEY)
    blobs.delete(KEY)
    assert blobs.size(KEY) is None
    with pytest.raises(BlobMissing):
        blobs.source(KEY)
    assert objects(s3_server, bucket) == []
    put(blobs, KEY, b"anew")
    assert read(blobs, KEY) == b"anew"


def test_a_delete_that_was_killed_is_finished_by_the_next_one(
    blobs: Blobs, s3_server: S3Server, bucket: str
) -> None:
    import obstore

    put(blobs, KEY, b"data")
    data = next(path for path in objects(s3_server, bucket) if "/data/" in path)
    obstore.delete(s3_server.store(bucket), data)  # as far as the killed one came
    assert blobs.size(KEY) is None
    with pytest.raises(BlobMissing):
        blobs.source(KEY)
    blobs.delete(KEY)
    assert objects(s3_server, bucket) == []


def killed(server: S3Server, url: str, step: str, size: int) -> None:
    """Write a blob in a process that kills itself at `step`."""
    program = f"""
import os, signal
from cryoscope.evidence.blobs import open_blobs, s3
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
blobs = open_blobs({url!r}, home="", endpoint={server.endpoint!r})
with blobs.upload() as upload:
    upload.write(b"x" * {size})
    {step}
    upload.commit({KEY!r})
"""
    environment = {**os.environ, **server.environment}
    ended = subprocess.run([sys.executable, "-c", program], check=False, env=environment)
    assert ended.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("step", "size", "there"),
    [
        ("die()", BIG, False),
        ("upload._claim = die", BIG, False),
        ("upload._claim = die", 1000, False),
        ("claim = upload._claim; upload._claim = lambda *told: die(claim(*told))", 1000, True),
    ],
)
def test_a_kill_leaves_a_whole_blob_or_none_and_sweeping_takes_the_rest(
    s3_server: S3Server, bucket: str, step: str, size: int, there: bool
) -> None:
    url = f"s3://{bucket}/p"
    killed(s3_server, url, step, size)
    assert S3Blobs(url, endpoint=s3_server.endpoint).sweep(0) == []  # it may be alive
    blobs = S3Blobs(url, endpoint=s3_server.endpoint, lease=0)
    assert blobs.size(KEY) == (size if there else None)
    assert blobs.sweep(3600) == []
    assert len(blobs.sweep(0)) == 1
    assert len(objects(s3_server, bucket)) == (2 if there else 0)
    assert blobs.size(KEY) == (size if there else None)
    assert blobs.sweep(0) == []


def test_an_upload_that_goes_on_is_not_swept(s3_server: S3Server, bucket: str) -> None:
    url = f"s3://{bucket}/p"
    blobs = S3Blobs(url, endpoint=s3_server.endpoint, lease=30)
    with blobs.upload() as upload:
        upload.write(pseudo(BIG))
        assert any("/incoming/" in path for path in objects(s3_server, bucket))
        assert blobs.sweep(0) == []
        upload.commit(KEY)
    assert blobs.size(KEY) == BIG


def test_an_upload_that_was_taken_for_dead_is_not_said_to_be_kept(s3_server: S3Server, bucket: str) -> None:
    blobs = S3Blobs(f"s3://{bucket}/p", endpoint=s3_server.endpoint, lease=3600)
    hasty = S3Blobs(f"s3://{bucket}/p", endpoint=s3_server.endpoint, lease=0)
    with blobs.upload() as upload:
        upload.write(b"data")
        claim = upload._claim  # type: ignore[attr-defined]

        def late(key: str, name: str, size: int) -> None:
            assert hasty.sweep(0) == [name]
            claim(key, name, size)

        upload._claim = late  # type: ignore[attr-defined]
        with pytest.raises(Exception, match="taken for dead") as told:
            upload.commit(KEY)
    assert told.value.code == "evidence.s3-swept"  # type: ignore[attr-defined]
    assert blobs.size(KEY) is None
    assert objects(s3_server, bucket) == []


def test_an_object_that_is_replaced_while_it_is_read_is_an_error(s3_server: S3Server, bucket: str) -> None:
    import obstore

    store = s3_server.store(bucket)
    obstore.put(store, "x/y.tar", b"a" * 100)
    source = s3_source(f"s3://{bucket}/x/y.tar", s3_server.endpoint)
    before = source.fingerprint()
    assert (source.size, source.read_at(98, 10), source.read_at(100, 1)) == (100, b"aa", b"")
    obstore.put(store, "x/y.tar", b"b" * 100)
    with pytest.raises(ArchiveError) as told:
        source.read_at(0, 10)
    assert told.value.code == "archive.changed"
    assert s3_source(f"s3://{bucket}/x/y.tar", s3_server.endpoint).fingerprint() != before


def test_a_pointer_that_was_altered_is_told(blobs: Blobs, s3_server: S3Server, bucket: str) -> None:
    import obstore

    put(blobs, KEY, b"data")
    pointer = next(path for path in objects(s3_server, bucket) if "/blobs/" in path)
    for text in (b"cryoscope-blob/1 data/../../x 4\n", b"", b"x" * 100_000):
        obstore.put(s3_server.store(bucket), pointer, text)
        with pytest.raises(EvidenceError) as told:
            blobs.source(KEY)
        assert told.value.code == "evidence.s3-pointer"


@pytest.mark.parametrize("url", ["s3://", "s3://UPPER/x", "s3://bucket/../x", "s3://bucket//x", "s3://a b/x"])
def test_an_address_that_names_no_place_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as told:
        open_blobs(url, home="")
    assert told.value.code == "evidence.blobs-url"


def test_wrong_keys_are_told_with_a_cure(
    s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    blobs = open_blobs(f"s3://{bucket}", home="", endpoint=s3_server.endpoint)
    with pytest.raises(EvidenceError) as told:
        put(blobs, KEY, b"data")
    assert (told.value.code, "AWS_" in told.value.hint) == ("evidence.s3-denied", True)
    assert "wrong" not in told.value.message


def test_keys_come_from_the_file_that_other_clients_use(
    s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in s3_server.environment:
        monkeypatch.delenv(name)
    file = tmp_path / "credentials"
    file.write_text(
        f"[lab]\naws_access_key_id = {s3_server.access}\naws_secret_access_key={s3_server.secret}\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "lab")
    blobs = open_blobs(f"s3://{bucket}", home="", endpoint=s3_server.endpoint)
    put(blobs, KEY, b"data")
    assert read(blobs, KEY) == b"data"


def test_plain_http_to_another_machine_is_refused(bucket: str) -> None:
    blobs = open_blobs(f"s3://{bucket}", home="", endpoint="http://192.0.2.1:9")
    with pytest.raises(EvidenceError) as told:
        blobs.size(KEY)
    assert (told.value.code, "https" in told.value.hint) == ("evidence.s3-plain-http", True)


class Line:
    """A line to a server that is cut for good after so many bytes, and to nobody before it is called."""

    def __init__(self, endpoint: str, most: int) -> None:
        host, port = endpoint.removeprefix("http://").split(":")
        self._server, self._left = (host, int(port)), most
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._sockets = [self._listening]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while self._left > 0:
                near, _ = self._listening.accept()
                far = socket.create_connection(self._server)
                self._sockets += near, far
                for pair in ((near, far), (far, near)):
                    self._threads.append(threading.Thread(target=self._pass, args=pair))
                    self._threads[-1].start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while self._left > 0 and (block := source.recv(1 << 16)):
                self._left -= len(block)
                target.sendall(block)
        for each in (source, target, *([self._listening] if self._left <= 0 else [])):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._left = 0
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()


def test_a_line_that_is_cut_is_an_error_and_leaves_nothing_that_counts(
    s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_client, "RETRIES", 1)
    line = Line(s3_server.endpoint, 30 << 20)
    try:
        blobs = S3Blobs(f"s3://{bucket}", endpoint=line.endpoint)
        with pytest.raises(EvidenceError) as told:
            put(blobs, KEY, pseudo(BIG * 2))
    finally:
        line.close()
    assert told.value.code.startswith("evidence.s3")
    straight = S3Blobs(f"s3://{bucket}", endpoint=s3_server.endpoint, lease=0)
    assert (straight.size(KEY), list(straight.keys())) == (None, [])
    assert len(straight.sweep(0)) == 1
    assert objects(s3_server, bucket) == []
    put(straight, KEY, b"anew")


class Careless(BaseHTTPRequestHandler):
    """An S3 server of old: it takes every object, whatever the condition."""

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("ETag", '"x"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_DELETE = do_PUT  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


def test_a_server_that_replaces_what_it_was_asked_not_to_is_refused(bucket: str) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Careless)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        blobs = open_blobs(f"s3://{bucket}", home="", endpoint=f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(EvidenceError) as told:
            put(blobs, KEY, b"data")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert told.value.code == "evidence.s3-conditional"


@pytest.mark.long
def test_a_gibibyte_goes_and_comes_in_little_memory(s3_server: S3Server, bucket: str) -> None:
    write = """
block = bytes(1 << 20)
with blobs.upload() as upload:
    for _ in range(1024):
        upload.write(block)
    upload.commit("big")
"""
    read = """
source = blobs.source("big")
assert sum(len(source.read_at(offset, 1 << 20)) for offset in range(0, 1 << 30, 1 << 20)) == 1 << 30
"""
    for program in (write, read):
        assert memory_of(s3_server, bucket, program) < 150


def memory_of(server: S3Server, bucket: str, program: str) -> int:
    """MiB that a process had at most that does something with `blobs` (ru_maxrss has its parent's in it)."""
    whole = f"""
from cryoscope.evidence.blobs import open_blobs
blobs = open_blobs("s3://{bucket}", home="", endpoint={server.endpoint!r})
{program}
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""
    environment = {**os.environ, **server.environment}
    said = subprocess.run([sys.executable, "-c", whole], check=True, env=environment, stdout=subprocess.PIPE)
    return int(said.stdout) >> 10
