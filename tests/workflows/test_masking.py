"""The one rule by which secrets are masked: what is, what is not, and texts made to take for ever."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cryoscope.checkpoint.container import Container
from cryoscope.checkpoint.container.container import SpecProcess
from cryoscope.checkpoint.process import Process, Variable
from cryoscope.workflows.masking import MASK, Masker, Revealing

SECRET_NAMES = [
    "DB_PASSWORD",
    "MYSQL_ROOT_PASSWORD",
    "PGPASSWORD",
    "password",
    "DBPASS",
    "db-passwd",
    "PWD_HASH_SECRET",
    "GITHUB_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "API_KEY",
    "apikey",
    "x-api-key",
    "TS_AUTHKEY",
    "OAUTH",
    "REGISTRY_AUTH",
    "SENTRY_DSN",
    "AZURE_STORAGE_CONNECTION_STRING",
    "FROM_SECRET",
    "example.com/token",
    "my secret",
    "DB_PWD",
]
READABLE_NAMES = [
    "PATH",
    "HOSTNAME",
    "HOME",
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_PORT_443_TCP",
    "KUBERNETES_SERVICE_PORT_HTTPS",
    "SHLVL",
    "container",
    "APP_ENV",
    "TERM",
    "AUTHOR",
    "GIT_AUTHOR_NAME",
    "XAUTHORITY",
    "SSH_AUTH_SOCK",
    "PASSENGER_COUNT",
    "TOKEN_FILE",
    "PASSWORD_FILE",
    "PASSWORD_PATH",
    "TOKEN_TTL",
    "SECRET_NAME",
    "KEYBOARD",
    "MONKEY",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_names_that_tell(name: str) -> None:
    masker = Masker()
    assert masker.value(name, "hunter2") == MASK
    assert masker.count == 1


@pytest.mark.parametrize("name", READABLE_NAMES)
def test_names_that_do_not(name: str) -> None:
    masker = Masker()
    assert masker.value(name, "some value") == "some value"
    assert masker.count == 0


@pytest.mark.parametrize("name", ["PWD", "OLDPWD"])
def test_the_directories_of_a_shell(name: str) -> None:
    assert Masker().value(name, "/var/lib") == "/var/lib"
    assert Masker().text(f"cd /; {name}=/var/lib make") == f"cd /; {name}=/var/lib make"
    # and in the connection string of a database it is a password
    assert Masker().text(f"Server=db;UID=sa;{name}=hunter2") == f"Server=db;UID=sa;{name}={MASK}"


def escaped(value: Any) -> str:
    return json.dumps(json.dumps(value))[1:-1]


@pytest.mark.parametrize(
    "text",
    [
        "DB_PASSWORD=hunter2",
        "--password=hunter2",
        "--env=DB_PASSWORD=hunter2",
        "export API_KEY=hunter2; run",
        "TOKEN='hunter2 hunter2'",
        'TOKEN="hunter2 hunter2',
        'TOKEN=abc"hunter2"',
        "URL=https://example.com/?token=hunter2&page=1",
        "https://example.com/?token=hunter2&page=1",
        "postgres://user:hunter2@db/app",
        "postgres://user:p@hunter2@db/app",
        "DATABASE_URL=redis://:hunter2@db:6379",
        '{"password": "hunter2"}',
        '{"password":"a\\"hunter2"}',
        '{"name": "API_KEY", "value": "hunter2"}',
        '{"Name": "API_KEY", "Value": "hunter2"}',
        '["A=B","DB_PASSWORD=hunter2"]',
        escaped({"password": "hunter2"}),
        escaped({"name": "API_KEY", "value": "hunter2"}),
        escaped({"password": 'a"hunter2'}),
        json.dumps({"annotation": json.dumps({"env": [{"name": "DB_PASSWORD", "value": "hunter2"}]})}),
        json.dumps({"annotation": json.dumps({"password": "hunter2"})}),
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n" + "x" * 20_000 + "hunter2\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nhunter2",
    ],
)
def test_texts_with_a_secret(text: str) -> None:
    masker = Masker()
    masked = masker.text(text)
    assert "hunter2" not in masked
    assert MASK in masked
    assert masker.count == 1
    assert Masker().text(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "PATH=/usr/bin:/bin HOSTNAME=web-0 KUBERNETES_PORT=tcp://10.96.0.1:443 run",
        "http://user@example.com:8080/path?x=1",
        "tcp://10.96.0.1:443",
        "echo user:pass@host",
        "redis-server 127.0.0.1:6379",
        "--password-file=/run/secrets/db",
        '{"name": "PATH", "value": "/bin"}',
        '{"tokens_file": "x"}',
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "the password is in the vault",
        "a = b; if password == other:",
        "",
    ],
)
def test_texts_without_one(text: str) -> None:
    masker = Masker()
    assert masker.text(text) == text
    assert masker.count == 0


def test_what_stands_around_a_secret_stays() -> None:
    """So that the document is the same document, and the neighbours can be read."""
    masked = Masker().text('{"env":["A=B","TOKEN=x","C=D"],"password":"p","next":"q"}')
    assert json.loads(masked) == {"env": ["A=B", f"TOKEN={MASK}", "C=D"], "password": MASK, "next": "q"}
    assert Masker().text("A=1 TOKEN=x B=2; C=3 | D") == f"A=1 TOKEN={MASK} B=2; C=3 | D"


@pytest.mark.parametrize(
    ("arguments", "masked"),
    [
        (["mysql", "--password", "hunter2", "db"], ["mysql", "--password", MASK, "db"]),
        (["x", "--token", "--other", "y"], ["x", "--token", "--other", "y"]),
        (["x", "-token", "y"], ["x", "-token", MASK]),
        (["x", "--password-file", "/run/x"], ["x", "--password-file", "/run/x"]),
        (["sh", "-c", "TOKEN=x run"], ["sh", "-c", f"TOKEN={MASK} run"]),
        (["podman", "run", "-e", "DB_PASSWORD=x"], ["podman", "run", "-e", f"DB_PASSWORD={MASK}"]),
        (["x", "password", "y"], ["x", "password", "y"]),
        ([], []),
    ],
)
def test_arguments(arguments: list[str], masked: list[str]) -> None:
    assert Masker().arguments(arguments) == masked


def process() -> Process:
    env = [Variable("TOKEN", "x", value_base64="eA=="), Variable("PWD", "/"), Variable("FLAG")]
    return Process(1, 0, 1, 1, "a", "alive", ["a", "--token=x"], cmdline_base64=["YQ==", "x"], env=env)


def test_a_process() -> None:
    """The base64 beside a masked text would tell it all the same."""
    masker = Masker()
    masked = masker.process(process())
    assert (masked.cmdline, masked.cmdline_base64) == (["a", f"--token={MASK}"], None)
    assert masked.env == [Variable("TOKEN", MASK), Variable("PWD", "/"), Variable("FLAG")]
    assert masker.count == 2
    assert Masker().process(masked) == masked


def test_a_container() -> None:
    container = Container(
        engine="podman",
        engine_evidence="",
        process=SpecProcess(args=["a", "--token", "x"], env=["DB_PASSWORD=x", "PATH=/bin", "ODD"]),
        labels={"app": "web", "api-key": "x"},
        annotations={"example.com/token": "x", "plain": '{"password": "x"}'},
        facts={"CreateCommand": ["podman", "-e", "TOKEN=x"], "secrets": ["x"], "deep": [{"api_key": "x"}]},
    )
    masked = Masker().container(container)
    assert masked.process is not None
    assert masked.process.args == ["a", "--token", MASK]
    assert masked.process.env == [f"DB_PASSWORD={MASK}", "PATH=/bin", "ODD"]
    assert masked.labels == {"app": "web", "api-key": MASK}
    assert masked.annotations == {"example.com/token": MASK, "plain": f'{{"password": "{MASK}"}}'}
    assert masked.facts == {
        "CreateCommand": ["podman", "-e", f"TOKEN={MASK}"],
        "secrets": [MASK],
        "deep": [{"api_key": MASK}],
    }
    assert Masker().container(masked) == masked
    assert Revealing().container(container) == container
    assert Revealing().process(process()) == process()


WORDS = 'password TOKEN = " \\" \\ \' : , :// @ / name value -- { } PWD a x ; & é _ . -----END'
PARTS = st.sampled_from([*WORDS.split(" "), " ", "\n", "\0", MASK, "-----BEGIN PRIVATE KEY-----"])
texts = st.lists(PARTS, max_size=30).map("".join) | st.text(max_size=60)


@given(texts)
@example('PASSWORD=""x')
@example('"password":"\\')
@settings(max_examples=1500, deadline=None)
def test_masking_twice_is_masking_once(text: str) -> None:
    first, second = Masker(), Masker()
    masked = first.text(text)
    assert second.text(masked) == masked
    assert (masked == text) or first.count


@given(st.text(max_size=12), texts)
@settings(deadline=None)
def test_values_and_arguments_never_raise(name: str, text: str) -> None:
    masker = Masker()
    assert masker.value(name, masker.value(name, text)) == Masker().value(name, text)
    assert len(masker.arguments([name, text, "--" + name, text])) == 4
    assert masker.tree({name: [text, {name: text}], "n": 1}).keys() == {name, "n"}


NASTY = [
    "'a' * n",
    "'_' * n",
    "'token' * (n // 5)",
    "'token' * (n // 5) + '!'",
    "'-' * n",
    "'\\\\' * n",
    "'PASSWORD=' + '\\\\' * n",
    "'\"' * n",
    "'\\\\\"' * (n // 2)",
    "'\"password\":' * (n // 11)",
    "'\"password\"' + ' ' * n",
    "'\"password\": \"' + '\\\\' * n",
    '\'"name":"token",\' * (n // 15)',
    "'PASSWORD=\"' * (n // 10)",
    "'PASSWORD=' * (n // 9)",
    "'PASSWORD=a' + '\"b' * (n // 2)",
    "'a://' * (n // 4)",
    "'ab://:' * (n // 6)",
    "'ab://x:' + 'y' * n",
    "'ab://x:@' * (n // 8)",
    "'-----BEGIN PRIVATE KEY-----' * (n // 27)",
    "'-----BEGIN ' * (n // 11) + 'PRIVATE KEY'",
    "'=' * n",
    '("PASSWORD=\'" * (n // 10))',
]


@pytest.mark.parametrize("expression", NASTY)
def test_a_megabyte_of_anything_takes_linear_time(expression: str) -> None:
    """A pattern that backtracks would take hours for this; the bound is that of a hung process."""
    program = (
        "from cryoscope.workflows.masking import Masker\n"
        f"n = 1_000_000\ntext = {expression}\nassert len(text) > n // 2\nmasker = Masker()\n"
        "masker.text(text)\nmasker.value(text, 'x')\nmasker.arguments([text, '--' + text, 'x'])\n"
    )
    subprocess.run([sys.executable, "-c", program], timeout=60, check=True)
