"""Credentials in HTTP headers (RFC 9110, 11; RFC 6750; RFC 7617), in requests and in programs' tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.examine.secrets.armor import decoded, decoded_url
from cryoscope.examine.secrets.records import Known, Rule, Verdict
from cryoscope.examine.secrets.words import classes, entropy, made_up, placeholder

AUTHORIZATION = re.compile(
    rb"(?i)authorization[\"']?\s{0,2}[:=,]?\s{0,2}[\"']?(?P<scheme>bearer|basic|token|apikey|splunk)[ \t]+"
    rb"(?P<value>[A-Za-z0-9._~+/=-]{8,4096})"
)
KEY_HEADER = re.compile(
    rb"(?i)(?P<name>x-vault-token|x-api-key|private-token|job-token|x-auth-token|x-gitlab-token|x-consul-token"
    rb"|x-amz-security-token|api-key|apikey|x-access-token)[\"']?:[ \t]{0,4}"
    rb"[\"']?(?P<value>[A-Za-z0-9._~+/=-]{8,4096})"
)
REGISTRY = (
    rb'[A-Za-z0-9./:_-]{0,200}\\{0,3}["{\s:]{0,60}\\{0,3}"auth\\{0,3}"\s{0,4}:\s{0,4}\\{0,3}"[A-Za-z0-9+/_-]{8}'
    rb"(?:[A-Za-z0-9+/_-]{0,8000}={0,2})?"
)


def judge(data: bytes, _known: Known) -> Iterator[Verdict]:
    """What stands behind `Authorization:`."""
    found = AUTHORIZATION.match(data)
    if found is None:
        return
    if found["scheme"].lower() == b"basic":
        yield from basic(found["value"])
    elif likely(found["value"]):
        yield Verdict(found["value"], "high", {"scheme": found["scheme"].decode("ascii").lower()})


def basic(value: bytes) -> Iterator[Verdict]:
    """User and password in base64."""
    user, colon, password = decoded(value).partition(b":")
    if colon and _printable(user + password) and len(password) >= 3 and not placeholder(password):
        yield Verdict(password, "high", {"scheme": "basic", "user": user.decode("utf-8", "replace")[:100]})


def _printable(data: bytes) -> bool:
    try:
        return data.decode("utf-8").isprintable()
    except UnicodeDecodeError:
        return False


def likely(value: bytes) -> bool:
    """Whether a value looks random enough for a token."""
    plain = value.rstrip(b"=")
    random = entropy(plain) >= 3.0 and (classes(plain) >= 2 or len(plain) >= 32)
    return len(plain) >= 12 and random and not made_up(plain) and not placeholder(plain) and has_digit(plain)


def has_digit(value: bytes) -> bool:
    """Whether there is a digit: words have none."""
    return any(48 <= byte <= 57 for byte in value)


def judge_key(data: bytes, _known: Known) -> Iterator[Verdict]:
    """What stands behind a header made for a key."""
    found = KEY_HEADER.match(data)
    if found is not None and likely(found["value"]):
        yield Verdict(found["value"], "high", {"header": found["name"].decode("ascii").lower()})


def judge_registry(data: bytes, _known: Known) -> Iterator[Verdict]:
    """`"auth": "..."` of Docker's config.json and .dockerconfigjson: user and password in base64."""
    found = re.search(rb'auth\\*"\s*:\s*\\*"(?P<value>[A-Za-z0-9+/_-]{8,8000}={0,2})', data)
    if found is None:
        return
    user, colon, password = decoded_url(found["value"]).partition(b":")
    if colon and user and _printable(user + password) and len(password) >= 3 and not placeholder(password):
        registry = re.match(rb'(?P<name>[A-Za-z0-9./:_-]{3,200})\\*"\s*:\s*\{', data)
        details = {"user": user.decode("utf-8", "replace")[:100]}
        named = {"registry": registry["name"].decode("ascii")} if registry else {}
        yield Verdict(password, "high", details | named)


RULES = (
    Rule(
        "http-authorization",
        "HTTP Authorization header",
        "token",
        "high",
        (AUTHORIZATION.pattern,),
        judge,
        True,
    ),
    Rule("http-api-key", "HTTP header with a key", "token", "high", (KEY_HEADER.pattern,), judge_key, True),
    Rule(
        "registry-password",
        "Password for a registry (Docker config.json)",
        "password",
        "high",
        (REGISTRY,),
        judge_registry,
    ),
)
