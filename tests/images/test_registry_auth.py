"""Credentials out of Docker's and Podman's files and their helpers."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from cryoscope.images.auth import AuthError, Credentials, find
from cryoscope.images.reference import parse

WEB = parse("reg.example:5000/team/web:1")


def packed(name: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{name}:{password}".encode()).decode()}


def written(folder: Path, document: object, name: str = "auth.json") -> str:
    path = folder / name
    path.write_text(json.dumps(document))
    return str(path)


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path, for helpers."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return folder


def program(folder: Path, name: str, script: str) -> None:
    path = folder / f"docker-credential-{name}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_the_longest_key_wins(tmp_path: Path) -> None:
    auths = {
        "reg.example:5000": packed("all", "1"),
        "reg.example:5000/team": packed("team", "2"),
        "reg.example:5000/team/other": packed("other", "3"),
    }
    path = written(tmp_path, {"auths": auths})
    assert find([path], WEB) == Credentials("team", "2")
    assert find([path], parse("reg.example:5000/x")) == Credentials("all", "1")
    assert find([path], parse("reg.example/team/web")) is None


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io"])
def test_dockers_own_registry_has_many_names(tmp_path: Path, key: str) -> None:
    path = written(tmp_path, {"auths": {key: packed("ana", "x:y")}})
    assert find([path], parse("busybox")) == Credentials("ana", "x:y")


def test_the_first_file_with_something_counts(tmp_path: Path) -> None:
    first = written(tmp_path, {"auths": {"elsewhere.example": packed("no", "no")}}, "1.json")
    second = written(tmp_path, {"auths": {"https://reg.example:5000/v2/": packed("ana", "s")}}, "2.json")
    assert find([str(tmp_path / "none.json"), first, second], WEB) == Credentials("ana", "s")


def test_a_refresh_token_is_one(tmp_path: Path) -> None:
    auth = packed("<token>", "") | {"identitytoken": "long"}
    path = written(tmp_path, {"auths": {"reg.example:5000": auth}})
    assert find([path], WEB) == Credentials("<token>", token="long")


def test_a_helper_is_asked_for_its_registry(tmp_path: Path, helper: Path) -> None:
    program(helper, "one", """read server; echo '{"Username": "'$server'", "Secret": "s"}'""")
    program(helper, "all", """echo '{"Username": "<token>", "Secret": "t"}'""")
    path = written(tmp_path, {"credHelpers": {"reg.example:5000": "one"}, "credsStore": "all"})
    assert find([path], WEB) == Credentials("reg.example:5000", "s")
    assert find([path], parse("other.example/web")) == Credentials(token="t")


def test_a_helper_that_knows_nothing_leaves_it_to_the_list(tmp_path: Path, helper: Path) -> None:
    program(helper, "none", "echo credentials not found in native keychain; exit 1")
    path = written(tmp_path, {"credsStore": "none", "auths": {"reg.example:5000": packed("ana", "s")}})
    assert find([path], WEB) == Credentials("ana", "s")


@pytest.mark.parametrize("script", ["echo locked; exit 1", "echo no json", "kill $$"])
def test_a_helper_that_fails_is_named(tmp_path: Path, helper: Path, script: str) -> None:
    program(helper, "bad", script)
    with pytest.raises(AuthError, match="docker-credential-bad") as caught:
        find([written(tmp_path, {"credsStore": "bad"})], WEB)
    assert caught.value.code == "registry.auth-helper"


def test_a_helper_that_never_answers_is_left(
    tmp_path: Path, helper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cryoscope.limits.AUTH_HELPER", 0.2)
    program(helper, "slow", "exec sleep 60")
    with pytest.raises(AuthError, match="took longer"):
        find([written(tmp_path, {"credsStore": "slow"})], WEB)


@pytest.mark.parametrize("name", ["../bad", "a/b", "", "a b"])
def test_a_helper_is_no_path(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, {"credHelpers": {"reg.example:5000": name or "."}})
    with pytest.raises(AuthError, match="is no name of a helper"):
        find([path], WEB)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"auths": 1}', '{"auths": {"reg.example:5000": {"auth": "!"}}}']
)
def test_a_file_that_cannot_be_understood_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "auth.json"
    path.write_text(text)
    with pytest.raises(AuthError, match=r"auth\.json") as caught:
        find([str(path)], WEB)
    assert caught.value.code == "registry.auth-file"


def test_a_password_is_never_shown() -> None:
    assert "secret" not in repr(Credentials("ana", "secret", "secret"))
