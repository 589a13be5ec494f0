"""What each rule finds and what it does not."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable

import pytest
from made_up import HEX, b64url, checksummed, jwt, some

from cryoscope.examine.secrets import BY_ID, RULES, Known, Verdict
from cryoscope.examine.secrets.rules import cloud, tokens
from cryoscope.examine.secrets.rules.cards import TESTS, issuer, luhn
from cryoscope.examine.secrets.rules.tokens import BASE36, in_base

Make = Callable[[], str]


def judged(rule: str, data: bytes, known: Known | None = None) -> list[Verdict]:
    """What a rule says of what its patterns match in bytes."""
    found = [m[0] for p in BY_ID[rule].patterns for m in re.finditer(p, data, re.DOTALL | re.MULTILINE)]
    return [verdict for match in found for verdict in BY_ID[rule].judge(match, known or Known())]


MAKE: dict[str, Make] = {
    "github-token": lambda: checksummed("gh" + "p_"),
    "github-app-token": lambda: "gh" + "s_" + some(36),
    "github-fine-grained-token": lambda: "github" + "_pat_" + some(22) + "_" + some(59),
    "gitlab-routable-token": lambda: routable("gl" + "pat-" + some(40) + ".1" + "k"),
    "gitlab-token": lambda: "gl" + "pat-" + some(20),
    "slack-token": lambda: (
        "xo" + "xb-" + some(12, "0123456789") + "-" + some(12, "0123456789") + "-" + some(24)
    ),
    "slack-app-token": lambda: (
        "xa" + "pp-1-A" + some(10, "ABC123") + "-" + some(13, "0123456789") + "-" + some(64, HEX)
    ),
    "slack-webhook": lambda: (
        "https://hooks" + ".slack.com/services/T" + some(9, "AB12") + "/B" + some(9, "CD34") + "/" + some(24)
    ),
    "stripe-key": lambda: "sk_" + "live_" + some(24),
    "stripe-test-key": lambda: "rk_" + "test_" + some(24),
    "stripe-webhook-secret": lambda: "whs" + "ec_" + some(32),
    "sendgrid-key": lambda: "S" + "G." + some(22) + "." + some(43),
    "npm-token": lambda: checksummed("np" + "m_"),
    "pypi-token": lambda: "py" + "pi-" + b64url(b"\x02\x01\x08pypi." + b"org" + some(90).encode()),
    "rubygems-key": lambda: "ruby" + "gems_" + some(48, HEX),
    "docker-token": lambda: "dckr" + "_pat_" + some(27),
    "vault-token": lambda: "hv" + "s." + some(90),
    "terraform-token": lambda: some(14) + ".atlas" + "v1." + some(67),
    "digitalocean-token": lambda: "do" + "p_v1_" + some(64, HEX),
    "openai-key": lambda: "sk-" + "proj-" + some(58) + "T3Blbk" + "FJ" + some(58),
    "anthropic-key": lambda: "sk-" + "ant-api03-" + some(93) + "AA",
    "huggingface-token": lambda: "h" + "f_" + some(34, "abcdefghijkLMNOPQRSTUVwxyz"),
    "google-api-key": lambda: "AI" + "za" + some(35),
    "google-oauth-token": lambda: "ya" + "29." + some(120),
    "google-oauth-secret": lambda: "GOC" + "SPX-" + some(28),
    "telegram-token": lambda: "5" + some(9, "0123456789") + ":A" + "A" + some(33),
    "shopify-token": lambda: "shp" + "at_" + some(32, HEX),
    "newrelic-key": lambda: "NR" + "AK-" + some(27, "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"),
    "grafana-token": lambda: grafana(some(32)),
    "doppler-token": lambda: "dp." + "pt." + some(43),
    "linear-key": lambda: "lin" + "_api_" + some(40),
    "postman-key": lambda: "PM" + "AK-" + some(24, HEX) + "-" + some(34, HEX),
    "atlassian-token": lambda: "ATA" + "TT3xFf" + some(180),
    "databricks-token": lambda: "da" + "pi" + some(32, HEX),
    "pulumi-token": lambda: "pu" + "l-" + some(40, HEX),
    "tailscale-key": lambda: "ts" + "key-auth-" + some(12) + "-" + some(32),
    "sentry-token": lambda: "sn" + "tryu_" + some(64, HEX),
    "crates-token": lambda: "ci" + "o" + some(32),
}
"""A made-up token of each line of the table."""


def routable(text: str) -> str:
    return text + in_base(zlib.crc32(text.encode()), BASE36, 7).decode()


def grafana(body: str) -> str:
    return f"gl{'sa_'}{body}_{zlib.crc32(body.encode()):08x}"


def test_every_token_has_an_example() -> None:
    assert list(MAKE) == [token.id for token in tokens.TABLE]


@pytest.mark.parametrize("rule", MAKE)
def test_a_token(rule: str) -> None:
    text = MAKE[rule]().encode()
    for before, behind in ((b"", b""), (b"T=", b"\0"), (b'"', b'"'), (b" ", b"\n")):
        (found,) = judged(rule, before + text + behind)
        assert found.value == text
        assert found.confidence in ("high", "certain")
    assert judged(rule, b"x" + text) == [] or rule == "slack-webhook"
    assert judged(rule, b"=" + text[:8] + b"x" * (len(text) - 8)) == []


@pytest.mark.parametrize("rule", ["github-token", "npm-token", "grafana-token", "gitlab-routable-token"])
def test_a_token_whose_checksum_fails_is_hardly_one(rule: str) -> None:
    text = MAKE[rule]().encode()
    swapped = text[:10] + bytes([text[11], text[10]]) + text[12:]
    assert [v.confidence for v in judged(rule, text)] == ["certain"]
    assert all(v.confidence == "low" for v in judged(rule, swapped)) or swapped == text


ACCOUNT = {"namespace": "team-a", "pod": {"name": "web-0"}, "serviceaccount": {"name": "deployer"}}


def test_a_jwt_says_what_it_says() -> None:
    claims = {"iss": "https://issuer", "sub": "me", "aud": ["a", "b"], "exp": 1700000000, "iat": 1600000000}
    text = b"token: " + jwt(claims) + b"\n"
    (found,) = judged("jwt", text, Known(1800000000))
    assert found.details == {
        "alg": "RS256",
        "kid": "k1",
        "iss": "https://issuer",
        "sub": "me",
        "aud": "a, b",
        "iat": "2020-09-13T12:26:40Z",
        "exp": "2023-11-14T22:13:20Z",
        "expired": True,
    }
    assert found.severity == "low"
    assert judged("jwt", text, Known(1650000000))[0].details["expired"] is False
    assert judged("kubernetes-token", text) == []


def test_a_service_account() -> None:
    text = jwt({"iss": "https://kubernetes.default.svc", "sub": "x", "kubernetes.io": ACCOUNT})
    (found,) = judged("kubernetes-token", b" " + text + b" ")
    assert (found.details["namespace"], found.details["pod"]) == ("team-a", "web-0")
    assert found.details["service_account"] == "deployer"
    assert judged("jwt", text) == []


@pytest.mark.parametrize(
    "claims", [[], "text", {"exp": 10**30}, {"exp": True}, {"aud": {"a": 1}}, {"iss": None}]
)
def test_odd_claims(claims: object) -> None:
    judged("jwt", jwt(claims))


def test_amazon() -> None:
    key, secret = "AK" + "IA" + some(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), some(36) + "/+9a"
    text = f"AWS_ACCESS_KEY_ID={key}\0AWS_SECRET_ACCESS_KEY={secret}\0".encode()
    (found,) = judged("aws-key", text)
    assert found.value == secret.encode()
    assert found.details["account"] == cloud.account(key.encode())
    assert judged("aws-secret-key", text)[0].value == secret.encode()
    (alone,) = judged("aws-key", key.encode() + b"\0" * 300)
    assert (alone.confidence, alone.severity) == ("medium", "low")
    assert judged("aws-key", b"AK" + b"IAIOSFODNN7EXAMPLE" + text[40:]) == []


def test_azure() -> None:
    key = base64.b64encode(some(64).encode()).decode()
    text = (
        f"DefaultEndpointsProtocol=https;AccountName=store1;AccountKey={key};EndpointSuffix=core.windows.net"
    )
    (found,) = judged("azure-connection-string", text.encode())
    assert found.value == key.encode()
    assert found.details == {"AccountName": "store1", "EndpointSuffix": "core.windows.net"}
    signature = "sv=2022-11-02&ss=b&srt=sco&sp=rwdl&se=2030-01-01T00:00:00Z&sig=" + some(43) + "%3D"
    (signed,) = judged("azure-sas", b"https://store1.blob.core.windows.net/?" + signature.encode())
    assert signed.details["permissions"] == "rwdl"


def test_google_and_twilio() -> None:
    body = some(800).replace("0", "1")
    account = (
        '{"type": "service_account", "project_id": "p1", "private_key_id": "' + some(40, HEX) + '", '
        '"private_key": "-----BEGIN ' + "PRIVATE KEY-----\\n" + body + '\\n", "client_email": "a@p1.iam"}'
    )
    (found,) = judged("gcp-service-account", account.encode())
    assert (found.details["project_id"], found.details["client_email"]) == ("p1", "a@p1.iam")
    twilio = f"TWILIO_SID=A{'C' + some(32, HEX)}\0TWILIO_AUTH_TOKEN={some(32, HEX)}\0".encode()
    assert len(judged("twilio-token", twilio)) == 1


URLS = {
    "postgres://app:Xk29fjsl@db.internal:5432/orders": ("Xk29fjsl", "app", "db.internal:5432"),
    "redis://:p8Kd92mmx@cache/0": ("p8Kd92mmx", "", "cache"),
    "mongodb+srv://u1:a%40b7Qz1@cluster0.mongo.test/db": ("a@b7Qz1", "u1", "cluster0.mongo.test"),
    "https://bot:8fj3kd92@git.corp.test/x.git": ("8fj3kd92", "bot", "git.corp.test"),
    "amqp://svc:Qq81ndLs@mq:5672//": ("Qq81ndLs", "svc", "mq:5672"),
}
NO_URLS = (
    "https://user:password@host/",
    "postgres://user:pass@localhost/db",
    "http://example.com:8080/@x",
    "https://user:${PASSWORD}@git.corp.test",
    "mysql://root:<password>@db/x",
    "http://user:s9dj28@example.com/",
    "https://%s:%s@host1/",
    "file://a:b1k2j3@c/d",
)


@pytest.mark.parametrize("url", URLS)
def test_a_password_in_a_url(url: str) -> None:
    (found,) = judged("url-password", b"X=" + url.encode() + b"\0")
    password, user, host = URLS[url]
    assert (found.value, found.details["user"], found.details["host"]) == (password.encode(), user, host)


@pytest.mark.parametrize("url", NO_URLS)
def test_no_password_in_a_url(url: str) -> None:
    assert judged("url-password", b" " + url.encode() + b" ") == []


OTHERS = {
    "jdbc-password": ("jdbc:mysql://db1:3306/x?user=app&password=Kd82mLq1", "Kd82mLq1"),
    "connection-string-password": (
        "Server=db1;Database=x;User Id=sa;Password=Zz91kLm2;Encrypt=yes",
        "Zz91kLm2",
    ),
    "http-authorization": ("Authorization: Bearer a8Kd02mLq1zXp4", "a8Kd02mLq1zXp4"),
    "http-api-key": ("X-Api-Key: a8Kd02mLq1zXp4", "a8Kd02mLq1zXp4"),
    "netrc-password": ("machine git.corp.test login bot password k8Jd72ls", "k8Jd72ls"),
    "registry-password": (
        '{"auths":{"reg.corp.test":{"auth":"' + base64.b64encode(b"bot:k8Jd72ls").decode() + '"}}}',
        "k8Jd72ls",
    ),
    "named-secret": ("DB_PASSWORD=k8Jd72ls", "k8Jd72ls"),
}


@pytest.mark.parametrize("rule", OTHERS)
def test_what_stands_behind_names(rule: str) -> None:
    text, value = OTHERS[rule]
    assert [v.value.decode() for v in judged(rule, b"\0" + text.encode() + b"\0")] == [value]


def test_basic() -> None:
    text = b"Authorization: Basic " + base64.b64encode(b"me:k8Jd72ls") + b"\r\n"
    (found,) = judged("http-authorization", text)
    assert (found.value, found.details["user"]) == (b"k8Jd72ls", "me")


def test_wireguard() -> None:
    raw = bytearray(some(32).encode())
    raw[0] &= 248
    raw[31] = raw[31] & 127 | 64
    text = b"[Interface]\nPrivateKey = " + base64.b64encode(raw) + b"\nAddress = 10.0.0.1/24\n"
    assert [v.confidence for v in judged("wireguard-key", text)] == ["high"]


HASHES = {
    "SHA-512 crypt": "$6$" + some(16) + "$" + some(86),
    "SHA-256 crypt": "$5$rounds=5000$" + some(16) + "$" + some(43),
    "MD5 crypt": "$1$" + some(8) + "$" + some(22),
    "Apache MD5": "$apr1$" + some(8) + "$" + some(22),
    "bcrypt": "$2y$10$" + some(53),
    "yescrypt": "$y$j9T$" + some(22) + "$" + some(43),
    "Argon2": "$argon2id$v=19$m=65536,t=3,p=4$" + some(22) + "$" + some(43),
    "Django PBKDF2": "pbkdf2_sha256$600000$" + some(22) + "$" + some(43) + "=",
}


@pytest.mark.parametrize("method", HASHES)
def test_hashes(method: str) -> None:
    text = HASHES[method]
    (found,) = judged("password-hash", f"root:{text}:19000:0:99999:7:::\n".encode())
    assert (found.value.decode(), found.details) == (text, {"method": method, "user": "root"})


def number(prefix: str, length: int) -> str:
    digits = prefix + some(length - len(prefix) - 1, "123456789")
    return next(digits + last for last in "0123456789" if luhn((digits + last).encode()))


def test_cards() -> None:
    visa = number("4929", 16)
    assert issuer(visa.encode()) == "Visa"
    parts = [visa[at : at + 4] for at in range(0, 16, 4)]
    for text, sure in ((visa, "medium"), (" ".join(parts), "high"), ("-".join(parts), "high")):
        (found,) = judged("card-number", b'"' + text.encode() + b'"')
        assert (found.value.decode(), found.confidence) == (visa, sure)
        assert found.details == {"issuer": "Visa", "last_four": visa[-4:]}
    for text in ("1" + visa, visa + "0", "0." + visa, "a" + visa, visa[:-1] + str((int(visa[-1]) + 1) % 10)):
        assert judged("card-number", b" " + text.encode() + b" ") == []
    assert judged("card-number", b" %s-%s %s %s " % tuple(part.encode() for part in parts)) == []
    for test in TESTS:
        assert all(v.confidence == "low" for v in judged("card-number", b" " + test + b" "))


NO_SECRETS = (
    b"password = getpass.getpass()",
    b"token = self.token",
    b'password="password"',
    b"api_key: your-api-key-here1",
    b"secret: ${SECRET1}",
    b"PASSWORD=********1",
    b"token=xxxxxxxxxxxxxxxx1",
    b"passwd: files systemd",
    b"token_type=bearer2tokens",
    b"password=%s1 user=%s",
    b"SECRET_NAME=abc12345x",
    b"tokenizer: bert-base-cased-2",
    b"password:0x7fffffff",
    b"key = 12345678901234567890",
    b"token=/run/secrets/a1b2c3d4",
    b"self.password = password1 if x else None",
)


@pytest.mark.parametrize("text", NO_SECRETS)
def test_code_and_placeholders_are_no_secrets(text: bytes) -> None:
    assert judged("named-secret", b"\0" + text + b"\0") == []


def test_rules_are_described() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert re.fullmatch(r"[a-z0-9-]+", rule.id)
        assert rule.title
