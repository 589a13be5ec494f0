"""The registry client against a registry that misbehaves: tokens, uploads, redirects, digests."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cryoscope.errors import CryoscopeError
from cryoscope.images.auth import Credentials
from cryoscope.images.copying import Copier
from cryoscope.images.layout import LayoutFolder
from cryoscope.images.ports import LAYER, Descriptor
from cryoscope.images.reference import parse
from cryoscope.images.registry import Registry
from cryoscope.images.registry.parts import image_archive
from far_server import TOKEN, WHO, Far, serving

MIB = 1 << 20
LAYER_BYTES = random.Random(4).randbytes(300_000)
ANA = Credentials("ana", "secret")

Connect = Callable[..., Registry]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cryoscope.images.remote.web.FIRST_WAIT", 0.001)


@pytest.fixture
def far() -> Iterator[Far]:
    with serving() as server:
        server.image(LAYER_BYTES)
        yield server


@pytest.fixture
def connect(far: Far) -> Iterator[Connect]:
    """A client of the server's repository."""
    opened = []

    def client(name: str = ":1", **options: object) -> Registry:
        found = Registry(parse(f"{far.place}/a/b{name}"), plain_http=True, **options)  # type: ignore[arg-type]
        opened.append(found)
        return found

    yield client
    for one in opened:
        one.close()


def layer(data: bytes) -> Descriptor:
    return Descriptor(media_type=LAYER, digest="sha256:" + hashlib.sha256(data).hexdigest(), size=len(data))


def sent(registry: Registry, data: bytes, *, pieces: int = 100_000) -> None:
    with registry.upload() as upload:
        for at in range(0, len(data), pieces):
            upload.write(data[at : at + pieces])
        upload.commit(layer(data).digest)


# --- who one is -----------------------------------------------------------------------------


@pytest.mark.parametrize("who", [None, ANA])
def test_a_token_is_fetched_where_the_registry_says(
    far: Far, connect: Connect, who: Credentials | None
) -> None:
    far.realm = far.url + "/token"
    registry = connect(credentials=who)
    registry.resolve(None)
    assert b"".join(registry.stream(layer(LAYER_BYTES))) == LAYER_BYTES
    tokens = [headers for _, path, headers in far.requests if path.startswith("/token")]
    assert [one.get("authorization") for one in tokens] == [WHO if who else None]
    assert far.requests[-1][2]["authorization"] == f"Bearer {TOKEN}"


def test_a_token_that_expired_is_fetched_anew_in_the_middle_of_a_blob(far: Far, connect: Connect) -> None:
    far.realm = far.url + "/token"
    registry = connect()
    blob = registry.blob(layer(LAYER_BYTES))
    registry._access._header = {"Authorization": "Bearer stale"}
    assert blob.read_at(200_000, 1000) == LAYER_BYTES[200_000:201_000]


def test_wrong_credentials_are_an_error_with_its_cure(far: Far, connect: Connect) -> None:
    far.realm = far.url + "/token"
    with pytest.raises(CryoscopeError, match="gives no token") as caught:
        connect(credentials=Credentials("eve", "wrong")).resolve(None)
    assert caught.value.code == "registry.denied"
    assert "wrong" not in caught.value.message + caught.value.hint


def test_a_password_goes_to_no_other_host_without_tls(far: Far, connect: Connect) -> None:
    with serving() as other:
        far.realm = f"http://localhost:{other.server_port}/token"
        with pytest.raises(CryoscopeError) as caught:
            connect(credentials=ANA).resolve(None)
        assert caught.value.code == "registry.realm"
        assert other.requests == []


def test_a_password_is_given_to_a_registry_that_asks_for_one(far: Far, connect: Connect) -> None:
    far.faults.add("basic")
    connect(credentials=ANA).resolve(None)
    assert far.requests[-1][2]["authorization"] == WHO
    with pytest.raises(CryoscopeError) as caught:
        connect().resolve(None)
    assert caught.value.code == "registry.denied"


def test_a_blob_elsewhere_is_fetched_without_credentials(far: Far, connect: Connect) -> None:
    with serving() as store:
        far.faults.add("basic")
        far.elsewhere = store.url
        store.files["/" + layer(LAYER_BYTES).digest] = LAYER_BYTES
        registry = connect(credentials=ANA)
        assert registry.blob(layer(LAYER_BYTES)).read_at(100_000, 10) == LAYER_BYTES[100_000:100_010]
        assert b"".join(registry.stream(layer(LAYER_BYTES))) == LAYER_BYTES
        assert store.requests
        assert all("authorization" not in headers for _, _, headers in store.requests)


def test_a_registry_that_sends_in_circles_is_left(far: Far, connect: Connect) -> None:
    far.elsewhere = far.url + "/v2/a/b/blobs"
    with pytest.raises(CryoscopeError) as caught:
        connect().blob(layer(LAYER_BYTES))
    assert caught.value.code == "remote.redirects"


# --- pulling --------------------------------------------------------------------------------


def test_a_document_that_is_not_what_its_digest_says_is_refused(far: Far, connect: Connect) -> None:
    digest = far.image(LAYER_BYTES)
    far.manifests[digest] = (far.manifests[digest][0], far.manifests[digest][1] + b" ")
    with pytest.raises(CryoscopeError) as caught:
        connect("@" + digest).resolve(None)
    assert caught.value.code == "registry.digest"


def test_a_blob_with_one_flipped_bit_is_not_kept(far: Far, connect: Connect, tmp_path: Path) -> None:
    digest = layer(LAYER_BYTES).digest
    far.blobs[digest] = bytes([LAYER_BYTES[0] ^ 1]) + LAYER_BYTES[1:]
    target = LayoutFolder(str(tmp_path / "layout"), make=True)
    with pytest.raises(CryoscopeError) as caught:
        Copier(connect(), target).copy(None, "it")
    assert caught.value.code == "image.digest"
    assert not target.has(layer(LAYER_BYTES))
    assert target.listing().manifests == []
    assert [
        path.name for path in (tmp_path / "layout/blobs/sha256").iterdir() if digest[7:] in path.name
    ] == []


@pytest.mark.parametrize("fault", ["cut", "slam", "later"])
def test_a_stream_that_breaks_goes_on_where_it_was(far: Far, connect: Connect, fault: str) -> None:
    registry = connect()
    far.once += [fault] * 3
    assert b"".join(registry.stream(layer(LAYER_BYTES))) == LAYER_BYTES
    assert far.sent < 2 * len(LAYER_BYTES)


def test_a_stream_goes_on_from_a_registry_without_ranges(far: Far, connect: Connect) -> None:
    far.faults.add("no-ranges")
    far.once.append("cut")
    assert b"".join(connect().stream(layer(LAYER_BYTES))) == LAYER_BYTES


def test_a_stream_without_end_is_stopped(far: Far, connect: Connect) -> None:
    with pytest.raises(CryoscopeError) as caught:
        b"".join(connect().stream(Descriptor(media_type=LAYER, digest=layer(LAYER_BYTES).digest, size=1000)))
    assert caught.value.code == "registry.digest"


def test_tags_come_page_by_page_and_never_without_end(
    far: Far, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tag in ("a", "b", "c", "d"):
        far.image(b"x", tag=tag)
    assert connect().tags() == ["1", "a", "b", "c", "d"]
    far.faults.add("endless-tags")
    far.requests.clear()
    monkeypatch.setattr("cryoscope.limits.REGISTRY_PAGES", 20)
    connect().tags()
    assert len(far.requests) == 20


@pytest.mark.parametrize("text", [b"[]", b"{}", b'{"mediaType": "text/html"}', b"\xff", b"[" * 5000])
def test_what_is_no_image_is_refused(far: Far, connect: Connect, text: bytes) -> None:
    far.manifests["1"] = ("text/html", text)
    with pytest.raises(CryoscopeError) as caught:
        connect().resolve(None)
    assert caught.value.code in ("registry.type", "registry.answer")


def test_a_manifest_without_end_is_refused(far: Far, connect: Connect) -> None:
    far.manifests["1"] = ("application/json", bytes(5 * MIB))
    with pytest.raises(CryoscopeError) as caught:
        connect().resolve(None)
    assert caught.value.code == "remote.too-large"


@pytest.mark.parametrize("digest", ["sha256:../../etc/passwd", "sha512:" + "a" * 64, "", "x"])
def test_a_blob_is_asked_for_by_nothing_but_a_digest(far: Far, connect: Connect, digest: str) -> None:
    document = json.loads(far.manifests["1"][1])
    document["layers"][0]["digest"] = digest
    far.manifests["1"] = (document["mediaType"], json.dumps(document).encode())
    registry = connect()
    with image_archive(registry) as archive:
        name = next(
            name for name in archive.members if name.startswith("blobs/") and name.endswith(digest[7:])
        )
        if name.removeprefix("blobs/").replace("/", ":", 1) == digest:
            with pytest.raises(CryoscopeError):
                archive.read(name)
    assert not any("etc" in path for _, path, _ in far.requests)


# --- pushing --------------------------------------------------------------------------------


def test_a_small_blob_takes_two_requests(far: Far, connect: Connect) -> None:
    sent(connect(), b"small")
    assert far.blobs[layer(b"small").digest] == b"small"
    assert [verb for verb, path, _ in far.requests if "uploads" in path] == ["POST", "PUT"]


@pytest.mark.parametrize(
    "faults", [[], ["half"], ["half", "half", "half"], ["416"], ["later"], ["half", "416"]]
)
def test_a_large_blob_arrives_whole_whatever_happens_on_the_way(
    far: Far, connect: Connect, faults: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cryoscope.limits.REGISTRY_CHUNK", 70_000)
    registry = connect()
    data = LAYER_BYTES[:-1]
    far.once += faults
    sent(registry, data)
    assert far.blobs[layer(data).digest] == data


def test_a_registry_that_takes_nothing_is_given_up(
    far: Far, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cryoscope.limits.REGISTRY_CHUNK", 70_000)
    far.faults.add("416")
    with pytest.raises(CryoscopeError) as caught:
        sent(connect(), LAYER_BYTES)
    assert caught.value.code == "registry.upload"
    assert len(far.asked("PATCH")) < 10


def test_a_wrong_digest_is_the_registrys_to_refuse(far: Far, connect: Connect) -> None:
    with connect().upload() as upload:
        upload.write(b"other")
        with pytest.raises(CryoscopeError, match="DIGEST_INVALID") as caught:
            upload.commit(layer(b"bytes").digest)
    assert caught.value.code == "registry.refused"


def test_an_image_that_was_pushed_is_the_one_that_is_pulled(
    far: Far, connect: Connect, tmp_path: Path
) -> None:
    first = LayoutFolder(str(tmp_path / "first"), make=True)
    copied = Copier(connect(), first).copy(None, "it")
    with serving() as other, Registry(parse(f"{other.place}/a/b:9"), plain_http=True) as registry:
        again = Copier(first, registry).copy("it", "9")
        assert again.target.digest == copied.target.digest
        assert other.manifests["9"] == far.manifests["1"]
        assert other.blobs == far.blobs
        assert Copier(first, registry).copy("it", "9").sent == 0
