"""Servers that mean harm: headers that are no headers, redirects inward, secrets given back."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cryoscope import limits
from cryoscope.errors import CryoscopeError
from cryoscope.images.auth import Credentials
from cryoscope.images.layout import LayoutFolder
from cryoscope.images.ports import Descriptor
from cryoscope.images.reading import told
from cryoscope.images.reference import parse
from cryoscope.images.registry import Registry
from cryoscope.images.registry.parts import image_archive
from cryoscope.images.remote import address
from cryoscope.images.remote.source import http_source
from cryoscope.workflows.image_transfer import pull_archive
from far_server import Far, described, serving

MIB = 1 << 20
Run = Callable[..., "subprocess.CompletedProcess[bytes]"]
Head = tuple[bytes, bytes]
Responder = Callable[[bytes, dict[bytes, bytes]], bytes]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cryoscope.images.remote.web.FIRST_WAIT", 0.001)


@contextlib.contextmanager
def answering(responder: Responder) -> Iterator[str]:
    """A server of bytes as they are; its HOST:PORT."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = listener.accept()[0]
                with connection, contextlib.suppress(OSError):
                    connection.sendall(responder(*_request(connection)))

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _request(connection: socket.socket) -> tuple[bytes, dict[bytes, bytes]]:
    with connection.makefile("rb") as file:
        line, headers = file.readline(), dict[bytes, bytes]()
        while head := file.readline().strip():
            name, _, value = head.partition(b":")
            headers[name.lower()] = value.strip()
        file.read(int(headers.get(b"content-length", b"0")))
    return line.split()[1], headers


def said(status: int, body: bytes = b"", *headers: Head) -> bytes:
    lines = [b"HTTP/1.1 %d it" % status, b"Content-Length: %d" % len(body), b"Connection: close"]
    return b"\r\n".join([*lines, *(b"%s: %s" % head for head in headers), b"", body])


def registry(place: str, *, tag: str = "1", **options: object) -> Registry:
    return Registry(parse(f"{place}/a/b:{tag}"), plain_http=True, **options)  # type: ignore[arg-type]


def pushed(place: str) -> None:
    with registry(place) as client, client.upload() as upload:
        upload.commit("sha256:" + "0" * 64)


def resolved(place: str) -> None:
    with registry(place) as client:
        client.resolve(None)


def listed(place: str) -> list[str]:
    with registry(place) as client:
        return client.tags()


@pytest.mark.parametrize("ask", [resolved, pushed, listed, lambda place: http_source(f"http://{place}/x")])
@pytest.mark.parametrize(
    ("status", "head"),
    [
        (307, (b"Location", b"http://[")),
        (202, (b"Location", b"http://[::1")),
        (401, (b"WWW-Authenticate", b'Bearer realm="http://["')),
        (503, (b"Retry-After", b"\xb2")),
        (200, (b"Link", b'<http://[>; rel="next"')),
        (206, (b"Content-Range", b"bytes 0-\xb2/\xb2")),
    ],
)
def test_a_header_without_meaning_is_an_error_with_a_code(
    ask: Callable[[str], object], status: int, head: Head
) -> None:
    with answering(lambda *_: said(status, b'{"tags": []}', head)) as place:
        with pytest.raises(CryoscopeError) as caught:
            ask(place)
        assert caught.value.code.startswith(("remote.", "registry.", "open."))


@pytest.mark.parametrize("least", [b"\xb2", b"9" * 5000])
def test_a_least_length_that_is_none_is_passed_over(least: bytes) -> None:
    heads = ((b"Location", b"/v2/a/b/x"), (b"OCI-Chunk-Min-Length", least))
    states = iter([202, 201])
    with answering(lambda *_: said(next(states), b"", *heads)) as place:
        pushed(place)


@pytest.mark.parametrize(
    ("status", "head"),
    [
        (401, (b"WWW-Authenticate", b"Bearer " + b"a" * 60_000)),
        (401, (b"WWW-Authenticate", b"Bearer a" + b" " * 60_000)),
        (200, (b"Link", b"<" * 60_000)),
        (200, (b"Link", b"<>;" * 20_000)),
    ],
)
def test_a_long_header_costs_no_time_that_grows_with_its_square(status: int, head: Head) -> None:
    with (
        answering(lambda *_: said(status, b'{"tags": []}', head)) as place,
        contextlib.suppress(CryoscopeError),
    ):
        listed(place)


def test_secrets_that_a_server_gives_back_are_not_shown() -> None:
    def echo(path: bytes, headers: dict[bytes, bytes]) -> bytes:
        if path.startswith(b"/token"):
            return said(401, b"it was " + headers[b"authorization"] + b", the password pass-word")
        realm = b'Bearer realm="http://%s/token"' % headers[b"host"]
        return said(401, b"", (b"WWW-Authenticate", realm))

    with answering(echo) as place, registry(place, credentials=Credentials("ana", "pass-word")) as client:
        with pytest.raises(CryoscopeError) as caught:
            client.resolve(None)
        assert "it was Basic ***, the password ***" in caught.value.message


@pytest.mark.parametrize("to", ["http://127.0.0.1/x", "http://[::1]/x", "http://169.254.169.254/latest"])
def test_a_stranger_sends_nobody_inward(to: str) -> None:
    with pytest.raises(CryoscopeError) as caught:
        address.followed("http://mirror.example/a", to, plain_http=True)
    assert caught.value.code == "remote.inward"
    assert address.followed("http://localhost/a", "http://127.0.0.1/x", plain_http=True)


def test_where_nobody_is_one_asks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("cryoscope.images.remote.web.time.sleep", waits.append)
    with pytest.raises(CryoscopeError) as caught:
        http_source("http://127.0.0.1:1/x")
    assert (caught.value.code, waits) == ("remote.unreachable", [])


def test_what_is_in_brackets_is_an_address() -> None:
    with pytest.raises(CryoscopeError) as caught:
        parse("[.:.]/x")
    assert caught.value.code == "image.reference"
    assert parse("[::1]:5000/x").host == "::1"


# --- sizes and digests that lie -------------------------------------------------------------


def lying(far: Far, **changed: object) -> str:
    """An image whose layer is described otherwise; its name."""
    far.image(b"x" * 1000)
    kind, data = far.manifests["1"]
    document = json.loads(data)
    document["layers"][0] |= changed
    far.manifests["lie"] = kind, json.dumps(document).encode()
    return f"{far.place}/a/b:lie"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"size": -5}, "image.document"),
        ({"size": 1 << 70}, "image.document"),
        ({"size": 10**15}, "registry.digest"),
        ({"size": 5}, "registry.digest"),
        ({"digest": "sha256:./../../away"}, "image.digest"),
    ],
)
def test_a_layer_that_lies_leaves_nothing(changed: dict[str, object], code: str, tmp_path: Path) -> None:
    (tmp_path / "it..").mkdir()
    with serving() as far:
        with pytest.raises(CryoscopeError) as caught:
            pull_archive(lying(far, **changed), str(tmp_path / "it"))
        assert caught.value.code == code
    assert [path.name for path in tmp_path.iterdir()] == ["it.."]


# --- layouts of strangers -------------------------------------------------------------------


def linked(tmp_path: Path, far: Far) -> Path:
    """A layout whose layer is a link to a file of the user."""
    far.image(b"x" * 1000)
    layout = tmp_path / "layout"
    blobs = layout / "blobs/sha256"
    blobs.mkdir(parents=True)
    (layout / "oci-layout").write_text("{}")
    kind, data = far.manifests["1"]
    digest = next(name for name in far.manifests if name.startswith("sha256:"))
    (blobs / digest[7:]).write_bytes(data)
    listed = {"mediaType": kind, "digest": digest, "size": len(data)}
    (layout / "index.json").write_text(json.dumps({"manifests": [listed]}))
    for name, blob in far.blobs.items():
        (tmp_path / "own").write_bytes(blob)
        if blob == b"{}":
            (blobs / name[7:]).write_bytes(blob)
        else:
            (blobs / name[7:]).symlink_to(tmp_path / "own")
    return layout


def test_a_link_out_of_a_layout_is_not_followed(tmp_path: Path) -> None:
    with serving() as far:
        layout = LayoutFolder(str(linked(tmp_path, far)))
    layer: Descriptor = told(layout, None).layers[0]
    assert not layout.has(layer)
    with pytest.raises(CryoscopeError) as caught:
        layout.blob(layer)
    assert caught.value.code == "image.layout-link"


def test_blobs_are_not_written_through_a_link(tmp_path: Path) -> None:
    with serving() as far:
        folder = linked(tmp_path, far)
    (folder / "blobs/sha256").rename(tmp_path / "elsewhere")
    (folder / "blobs/sha256").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CryoscopeError) as caught, LayoutFolder(str(folder)).upload():
        pass
    assert caught.value.code == "image.layout-link"


def test_a_pipe_in_a_layout_is_not_waited_for(tmp_path: Path) -> None:
    with serving() as far:
        folder = linked(tmp_path, far)
    (folder / "index.json").unlink()
    os.mkfifo(folder / "index.json")
    with pytest.raises(CryoscopeError) as caught:
        LayoutFolder(str(folder)).listing()
    assert caught.value.code == "image.blob-missing"


# --- images with very many parts ------------------------------------------------------------


def test_a_thousand_layers_share_the_memory_of_one() -> None:
    with serving() as far:
        far.image(random.Random(1).randbytes(MIB))
        kind, data = far.manifests["1"]
        document = json.loads(data)
        kinds = document["layers"][0]["mediaType"]
        document["layers"] = [described(kinds, random.Random(n).randbytes(MIB), far) for n in range(40)]
        far.manifests["many"] = kind, json.dumps(document).encode()
        with image_archive(registry(f"{far.place}", tag="many")) as archive:
            for layer in document["layers"]:
                name = "blobs/" + layer["digest"].replace(":", "/")
                with archive.open(name) as file:
                    while file.read(100_000):
                        pass
            held = list(archive._contents._sources.values())  # type: ignore[attr-defined]
            assert len(held) == 40
            assert sum(len(block) for one in held for block in one._blocks.values()) <= limits.REMOTE_CACHE
            assert sum(one._workers for one in held) <= 2 * limits.REMOTE_REQUESTS + len(held)


@pytest.mark.parametrize(
    "arguments",
    [
        ["build", "/no/where", "here/it", "-o", "layout"],
        ["push", "/no/where", "localhost:1/it"],
        ["inspect", "/no/where"],
        ["list", "./no/where"],
    ],
)
def test_what_is_not_there_is_named(arguments: list[str], cryoscope: Run) -> None:
    done = cryoscope("image", *arguments)
    assert done.returncode in (1, 2)
    assert b"no/where" in done.stderr
    assert b"does not exist" in done.stderr
