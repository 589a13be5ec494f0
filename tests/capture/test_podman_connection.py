"""What a service on a unix socket may answer, or not: each is an error of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cryoscope import limits
from cryoscope.engines import port
from cryoscope.engines.podman import client as asking
from cryoscope.engines.podman.client import Answered, Client
from cryoscope.engines.podman.connection import blocks
from cryoscope.errors import Incomplete

OK = b"HTTP/1.1 200 OK\r\n"
LATE = "a service that says nothing"
Service = Callable[[bytes | str], Client]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Starts a service that gives one answer, whatever it is asked; `heard` of the client is the question."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(tmp_path / "podman.sock"))
    listener.listen()
    threads, over = [], threading.Event()

    def serve(client: Client, answer: bytes | str) -> None:
        connection, _ = listener.accept()
        with connection:
            client.heard = connection.recv(4096)  # type: ignore[attr-defined]
            if isinstance(answer, str):
                over.wait(20)
            else:
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 16):
                    pass

    def start(answer: bytes | str) -> Client:
        client = Client(str(tmp_path / "podman.sock"), shown="/run/podman.sock")
        threads.append(threading.Thread(target=serve, args=(client, answer)))
        threads[-1].start()
        return client

    yield start
    over.set()
    for thread in threads:
        thread.join()
    listener.close()


def answered(body: bytes, *, says: int | None = None, status: bytes = b"200 OK") -> bytes:
    """An answer whose header promises `says` bytes."""
    length = len(body) if says is None else says
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, length, body)


def test_any_name_is_asked_as_one(service: Service) -> None:
    client = service(answered(b"{}"))
    client.get("/containers/ü b%2Fc/json", dict, all="true")
    first = client.heard.split(b"\r\n")[0]  # type: ignore[attr-defined]
    assert first == b"GET /v4.0.0/libpod/containers/%C3%BC%20b%2Fc/json?all=true HTTP/1.1"


@pytest.mark.parametrize(
    "answer",
    [
        answered(b'{"a":', says=90),
        OK + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n',
        OK + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n",
    ],
    ids=["length", "chunked", "no-chunk"],
)
def test_an_answer_that_is_cut(answer: bytes, service: Service) -> None:
    with pytest.raises(Incomplete) as caught:
        service(answer).get("/info", dict)
    assert caught.value.code == "podman.stream-cut"


def test_a_long_answer_that_is_cut_is_given_as_far_as_it_goes(service: Service) -> None:
    got = bytearray()

    def read() -> None:
        with service(answered(b"x" * 10_000, says=20_000)).stream("GET", "/x", {}, timeout=5) as response:
            for block in blocks(response, 4096):
                got.extend(block)

    with pytest.raises(Incomplete):
        read()
    assert got == b"x" * 10_000


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-"])
def test_no_answer_at_all(answer: bytes, service: Service) -> None:
    with pytest.raises(port.EngineError) as caught:
        service(answer).get("/info", dict)
    assert caught.value.code in ("podman.closed", "podman.answer")


def test_silence_is_told(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "ASK", 0.2)
    with pytest.raises(port.EngineHung) as caught:
        service(LATE).get("/info", dict)
    assert caught.value.code == "podman.hung"


def test_a_refusal_in_the_middle_of_an_upload(service: Service) -> None:
    """It answers before it has heard all: what counts is what it said."""
    client = service(answered(b'{"message": "no space left"}', status=b"500 Internal Server Error"))
    body = (bytes(1 << 16) for _ in range(1 << 10))
    with pytest.raises(Answered, match="no space left"):
        client.post("/containers/x/restore", dict, {}, body=body, timeout=5)


def test_an_answer_without_end(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PODMAN_ANSWER", 1 << 16)
    with pytest.raises(port.EngineError) as caught:
        service(answered(b"[" * (1 << 17))).get("/info", dict)
    assert caught.value.code == "podman.answer"


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(port.EngineUnreachable) as caught:
        Client(str(tmp_path / "none.sock"), shown="/run/podman.sock").get("/info", dict)
    assert caught.value.code == "podman.unreachable"
