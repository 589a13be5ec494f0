"""Names of images by Docker's rules."""

from __future__ import annotations

import pytest

from cryoscope.images.reference import BadReference, parse

HEX = "a" * 64


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "digest"),
    [
        ("busybox", "docker.io", "library/busybox", "latest", None),
        ("team/web:2", "docker.io", "team/web", "2", None),
        ("docker.io/busybox", "docker.io", "library/busybox", "latest", None),
        ("index.docker.io/team/web", "docker.io", "team/web", "latest", None),
        ("localhost/web", "localhost", "web", "latest", None),
        ("localhost:5000/a/b-c/d__e.f:T_1.x", "localhost:5000", "a/b-c/d__e.f", "T_1.x", None),
        ("oci://reg.example/web:1", "reg.example", "web", "1", None),
        (f"reg.example/web@sha256:{HEX}", "reg.example", "web", None, f"sha256:{HEX}"),
        (f"reg.example/web:1@sha256:{HEX}", "reg.example", "web", "1", f"sha256:{HEX}"),
        ("[::1]:5000/web", "[::1]:5000", "web", "latest", None),
        ("127.0.0.1:5000/web:1", "127.0.0.1:5000", "web", "1", None),
    ],
)
def test_a_name_is_taken_apart(
    text: str, registry: str, repository: str, tag: str | None, digest: str | None
) -> None:
    found = parse(text)
    assert (found.registry, found.repository, found.tag, found.digest) == (registry, repository, tag, digest)
    assert parse(str(found)) == found
    assert found.wanted == (digest or tag)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/web",
        "reg.example/",
        "reg.example/Web",
        "reg.example/a//b",
        "reg.example/a/../b",
        "reg.example/web:",
        "reg.example/web:" + "t" * 129,
        "reg.example/web@sha256:abc",
        f"reg.example/web@sha512:{HEX}",
        "reg.example:99999/web",
        "reg.example:x/web",
        "user@reg.example/web",
        "reg example/web",
        "reg.example/web?x=1",
        "reg.example/" + "a" * 255,
        "-reg.example/web",
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(BadReference) as caught:
        parse(text)
    assert caught.value.code == "image.reference"


def test_dockers_own_registry_answers_elsewhere() -> None:
    assert parse("busybox").api == "registry-1.docker.io"
    assert parse("[::1]:5000/web").host == "::1"
    assert parse("reg.example:5000/web").host == "reg.example"
