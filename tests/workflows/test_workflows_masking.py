"""One rule of masking: what tells of a secret is hidden, and no pattern runs away on any text."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoscope.workflows.masking import MASK, Masker, Revealing
from forked import run_all

HIDDEN = {
    "DB_PASSWORD=hunter2 next": f"DB_PASSWORD={MASK} next",
    'export API_KEY="hunter2 two"; x': f"export API_KEY={MASK}; x",
    "--token=hunter2": f"--token={MASK}",
    "secret='hunter2' ok": f"secret={MASK} ok",
    'TOKEN=hunter2"hunter2"hunter2 ok': f"TOKEN={MASK} ok",
    'password="hunter2 and no end': f"password={MASK}",
    "postgres://user:hunter2@db/x": f"postgres://user:{MASK}@db/x",
    "jdbc:mysql://user:hunter2@db": f"jdbc:mysql://user:{MASK}@db",
    '{"name": "API_KEY", "value": "hunter2"}': f'{{"name": "API_KEY", "value": "{MASK}"}}',
    '{"name":"TOKEN","value":"a\\"hunter2","b":1}': f'{{"name":"TOKEN","value":"{MASK}","b":1}}',
    r"{\"password\":\"hunter2\",\"a\":\"b\"}": rf"{{\"password\":\"{MASK}\",\"a\":\"b\"}}",
    '{"db_password": "hunter2", "k": "v"}': f'{{"db_password": "{MASK}", "k": "v"}}',
    "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END X": f"-----BEGIN PRIVATE KEY-----{MASK}-----END X",
    "-----BEGIN PRIVATE KEY-----\nhunter2" + "x" * 99_999: f"-----BEGIN PRIVATE KEY-----{MASK}",
}

SHOWN = (
    "PATH=/usr/bin:/bin",
    "TOKEN_FILE=/run/secrets/token",
    "http://host:8080/a@b",
    "lowerdir=/a:/b,upperdir=/c",
    '{"name": "PORT", "value": "80"}',
    "a secret word",
    "x==y",
)


@pytest.mark.parametrize("text", HIDDEN)
def test_what_tells_is_hidden(text: str) -> None:
    masker = Masker()
    assert masker.text(text) == HIDDEN[text]
    assert masker.count == 1
    assert masker.text(HIDDEN[text]).replace(MASK, "") == HIDDEN[text].replace(MASK, "")
    assert Revealing().text(text) == text


@pytest.mark.parametrize("text", SHOWN)
def test_what_does_not_is_shown(text: str) -> None:
    assert Masker().text(text) == text


def test_arguments_and_trees() -> None:
    masker = Masker()
    assert masker.arguments(["x", "--password", "p", "--token-file", "f"])[2::2] == [MASK, "f"]
    assert masker.tree({"passwords": ["a", "b"], "args": ["--token", "t"], "n": 1}) == {
        "passwords": [MASK, MASK],
        "args": ["--token", MASK],
        "n": 1,
    }
    deep: object = "x"
    for _ in range(5000):
        deep = {"a": deep}
    assert "too deeply" in json.dumps(masker.tree(deep))


GUARD = 30
"""Seconds until a run counts as hanging."""

PIECES = (
    ".", "-a", "a", "password", "\\", '"', "'", "=", ":", "://", "a://b:", "@", '"name":"', '"value":"', " ",
    "-----BEGIN PRIVATE KEY-----", "-----END", '"password":"', "--token", "token=", "token='",
    'token="', '\\\\"',
)  # fmt: skip


def masked_within_the_guard(text: str) -> None:
    """A pattern that runs away on 60 kB would take minutes; the guard ends it and fails the test."""

    def ends(_signal: int, _frame: object) -> None:
        raise AssertionError(f"a pattern runs away on {text[:80]!r}…")

    before = signal.signal(signal.SIGALRM, ends)
    signal.alarm(GUARD)
    try:
        masker = Masker()
        masker.text(text)
        masker.value(text, text)
        masker.arguments([text, text])
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("piece", PIECES)
def test_no_pattern_runs_away(piece: str) -> None:
    for end in ("", "!", '"', "=x"):
        masked_within_the_guard(piece * (60_000 // len(piece)) + end)


@given(st.lists(st.sampled_from(PIECES), min_size=2, max_size=4))
def test_no_pattern_runs_away_on_mixed_text(pieces: list[str]) -> None:
    masked_within_the_guard("".join(pieces) * 1000)


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    Masker().text(text)
    Masker().value(text, text)


MARKERS = (b"MARKER-env-password-c0ffee", b"DOCKER_SECRET_77", b"CTRD_SECRET_99", b"RANDOM_1432")
COMMANDS = ("ps", "env", "inspect", "log", "show", "files", "sockets", "maps", "mounts", "ls", "info")


def test_no_secret_of_the_corpus_is_shown_unless_asked_for(data: Path) -> None:
    """In table and JSON of every command; with --reveal it is there, so the test sees it."""
    targets = ["crio-counter.tar", "containerd-counter.tar", "docker-looper", "containerd-looper.tar"]
    more = {"inspect": ["--all"]}
    asked = [[c, *more.get(c, []), "-f", f, *targets] for c in COMMANDS for f in ("json", "jsonl")]
    asked += [[c, *more.get(c, []), *targets] for c in COMMANDS]
    for ran in run_all(asked, cwd=data):
        for marker in MARKERS:
            assert marker not in ran.out + ran.err, (marker, ran)
    reveals = [["inspect", "--all", "--reveal", *targets], ["env", "--reveal", *targets]]
    inspected, environment = run_all(reveals, cwd=data)
    assert all(marker in inspected.out for marker in MARKERS[:3])
    assert MARKERS[0] in environment.out
    assert b"masked" not in inspected.err + environment.err
