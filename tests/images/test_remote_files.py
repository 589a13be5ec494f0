"""Files behind an address: read by range, refused where there are none, never of two versions."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoscope.checkpoint.archive.readahead import ReadAhead
from cryoscope.errors import CryoscopeError
from cryoscope.images.remote.source import http_source
from enlarged import MIB, enlarged
from far_server import Far, serving

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]
DATA = random.Random(2).randbytes(1_000_003)


@pytest.fixture
def far() -> Iterator[Far]:
    with serving() as server:
        server.files["/it.tar"] = DATA
        yield server


def read(far: Far) -> bytes:
    """Some bytes of the file, by a source of their own."""
    source = http_source(far.url + "/it.tar")
    try:
        return source.read_at(500_000, 100_000)
    finally:
        source.close()


def test_any_range_is_what_lies_there() -> None:
    with serving() as far:
        far.files["/it.tar"] = DATA
        ahead = ReadAhead(http_source(far.url + "/it.tar"))

        @given(st.integers(0, len(DATA) + 5), st.integers(0, 300_000))
        def holds(offset: int, length: int) -> None:
            assert ahead.read_at(offset, length) == DATA[offset : offset + length]

        holds()
        ahead.close()


def test_an_empty_file_is_empty(far: Far) -> None:
    far.files["/none"] = b""
    source = http_source(far.url + "/none")
    assert (source.size, source.read_at(0, 10)) == (0, b"")
    source.close()


def test_a_fingerprint_needs_a_version_that_is_sure(far: Far) -> None:
    prints = []
    for tag in ('"one"', '"one"', '"two"', 'W/"one"', None):
        far.etag = tag
        source = http_source(far.url + "/it.tar")
        prints.append(source.fingerprint())
        source.close()
    assert prints[0] is not None
    assert prints[0] == prints[1] != prints[2]
    assert prints[3:] == [None, None]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("no-ranges", "open.no-ranges"),
        ("other-range", "remote.answer"),
        ("too-much", "remote.too-large"),
        ("packed", "remote.answer"),
        ("later", "remote.busy"),
        ("slam", "remote.unreachable"),
    ],
)
def test_what_a_server_does_wrong_has_a_code(
    far: Far, fault: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cryoscope.images.remote.web.FIRST_WAIT", 0.001)
    far.faults.add(fault)
    with pytest.raises(CryoscopeError) as caught:
        read(far)
    assert caught.value.code == code


@pytest.mark.parametrize("fault", ["changes", "grows"])
def test_a_file_that_changes_while_it_is_read_is_an_error(far: Far, fault: str) -> None:
    source = http_source(far.url + "/it.tar")
    assert source.read_at(200_000, 10) == DATA[200_000:200_010]
    far.faults.add(fault)
    with pytest.raises(CryoscopeError, match="was changed while it was read") as caught:
        source.read_at(400_000, 10)
    assert caught.value.code == "open.remote-changed"
    source.close()


@pytest.mark.parametrize("fault", ["later", "slam", "cut"])
def test_what_goes_wrong_once_is_tried_again(far: Far, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cryoscope.images.remote.web.FIRST_WAIT", 0.001)
    source = http_source(far.url + "/it.tar")
    far.once.append(fault)
    assert source.read_at(300_000, 50_000) == DATA[300_000:350_000]
    source.close()


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://server.example/it.tar", "open.plain-http"),
        ("https://ana:secret@server.example/it.tar", "open.url"),
        ("ftp://server.example/it.tar", "open.url"),
        ("https:///it.tar", "open.url"),
        ("https://server.example:x/it.tar", "open.url"),
    ],
)
def test_an_address_that_must_not_be_asked_is_refused(url: str, code: str) -> None:
    with pytest.raises(CryoscopeError) as caught:
        http_source(url)
    assert caught.value.code == code
    assert "secret" not in str(caught.value)


def test_a_signature_in_an_address_is_not_shown(far: Far) -> None:
    with pytest.raises(CryoscopeError) as caught:
        http_source(far.url + "/nothing.tar?X-Signature=abcdef")
    assert caught.value.code == "remote.missing"
    assert "abcdef" not in str(caught.value)


# --- with the command -----------------------------------------------------------------------


def test_a_checkpoint_far_away_says_what_it_says_here(far: Far, data: Path, cryoscope: Run) -> None:
    archive = data / "crio-counter.tar"
    far.files["/crio.tar"] = archive.read_bytes()
    for command in (["inspect", "--all"], ["search", "MARKER"], ["fs", "ls"]):
        there = cryoscope(*command, far.url + "/crio.tar", "--format", "json")
        here = cryoscope(*command, archive, "--format", "json")
        assert there.returncode == here.returncode, there.stderr
        told = json.dumps(json.loads(there.stdout)).replace(far.url + "/crio.tar", str(archive))
        assert json.loads(told) == json.loads(here.stdout)


def test_of_a_large_tar_a_hundredth_is_enough(far: Far, data: Path, cryoscope: Run, tmp_path: Path) -> None:
    archive = enlarged(data / "crio-counter.tar", tmp_path / "big.tar", 64 * MIB)
    far.files["/big.tar"] = archive.read_bytes()
    done = cryoscope("inspect", far.url + "/big.tar", "--no-cache")
    assert done.returncode == 0, done.stderr
    assert 0 < far.sent < 64 * MIB // 100


def test_what_is_compressed_is_streamed_only_on_request(
    far: Far, data: Path, cryoscope: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = gzip.compress((data / "crio-counter.tar").read_bytes() + random.Random(3).randbytes(17 << 20), 1)
    far.files["/it.tar.gz"] = packed
    refused = cryoscope("ps", far.url + "/it.tar.gz")
    assert refused.returncode == 4
    assert f"{len(packed)} bytes" in refused.stderr.decode()
    assert far.sent < 200_000
    assert cryoscope("ps", far.url + "/it.tar.gz", "--stream").returncode in (0, 3)


def test_a_server_without_ranges_is_streamed_only_on_request(far: Far, data: Path, cryoscope: Run) -> None:
    content = (data / "podman-looper-crun.tar.gz").read_bytes()
    far.files["/it.tar.gz"] = content
    far.faults.add("no-ranges")
    refused = cryoscope("ps", far.url + "/it.tar.gz", "--format", "json")
    assert refused.returncode == 4
    assert json.loads(refused.stdout)["damaged"][0]["code"] == "open.no-ranges"
    assert f"of its {len(content)} bytes" in refused.stderr.decode()
    done = cryoscope("ps", far.url + "/it.tar.gz", "--stream", "--format", "json")
    here = cryoscope("ps", data / "podman-looper-crun.tar.gz", "--format", "json")
    assert (
        json.loads(done.stdout)["archives"][0]["processes"]
        == json.loads(here.stdout)["archives"][0]["processes"]
    )


def test_a_certificate_that_nobody_signed_is_refused_and_its_own_authority_trusted(
    data: Path, cryoscope: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = str(tmp_path / "chain.pem"), str(tmp_path / "key.pem")
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=here"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", pair[1], "-out", pair[0]]
    subprocess.run(["openssl", *request.split(), *names], check=True, capture_output=True)
    with serving(certificate=pair) as far:
        far.files["/crio.tar"] = (data / "crio-counter.tar").read_bytes()
        refused = cryoscope("ps", far.url + "/crio.tar", "--format", "json")
        assert refused.returncode == 1
        assert json.loads(refused.stdout)["damaged"][0]["code"] == "remote.tls"
        monkeypatch.setenv("SSL_CERT_FILE", pair[0])
        assert cryoscope("ps", far.url + "/crio.tar").returncode == 0
