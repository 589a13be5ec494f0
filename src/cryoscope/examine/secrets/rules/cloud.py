"""Keys of clouds: Amazon, Google service accounts, Azure; Twilio, whose halves stand beside each other."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

from cryoscope.examine.secrets.armor import decoded
from cryoscope.examine.secrets.records import Known, Rule, Verdict
from cryoscope.examine.secrets.words import classes, entropy, made_up

KEY_ID = re.compile(rb"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9])")
SECRET = re.compile(rb"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
NAMED = re.compile(rb"(?i)(?:secret_?(?:access_?)?key|aws_?secret)[\"']?\s*[=:]\s*[\"']?")
TWILIO = re.compile(rb"(?<![A-Za-z0-9])AC[0-9a-f]{32}(?![A-Za-z0-9])")
HEX32 = re.compile(rb"(?i)auth_?token[\"']?[\s\0=:\"']{1,4}(?P<value>[0-9a-f]{32})(?![0-9A-Za-z])")
MEMBER = re.compile(rb'\\*"(?P<name>[a-z_]{4,30})\\*"\s*:\s*\\*"(?P<value>[^"\\]{1,300})')
AZURE = re.compile(rb"(?i)(?P<name>AccountKey|SharedAccessKey)=(?P<value>[A-Za-z0-9+/]{42,86}==?)")
KEY_VALUE = rb"Key=[A-Za-z0-9+/]{42}(?:[A-Za-z0-9+/]{0,44}==?[^\s\"'\0]{0,200})?"
SIGNED = re.compile(rb"[?&;](?P<name>s[a-z]{1,3})=(?P<value>[^&\s\"'<>\0]{1,200})")


def account(key_id: bytes) -> str:
    """The number of the account that an access key of Amazon belongs to: bits 1 to 40 of what it encodes."""
    number = int.from_bytes(base64.b32decode(key_id[4:])[:6], "big")
    return f"{(number & 0x7FFFFFFFFF80) >> 7:012d}"


def judge_amazon(data: bytes, _known: Known) -> Iterator[Verdict]:
    """Secret keys behind the key's id; without one the id alone is a small finding."""
    for found in KEY_ID.finditer(data):
        if made_up(found[0][4:]) or b"EXAMPLE" in found[0]:
            continue
        details = {"key_id": found[0].decode("ascii"), "account": account(found[0])}
        secret = next(_secrets(data[found.end() : found.end() + 256]), None)
        if secret is not None:
            yield Verdict(secret, "high", details, at=found.start())
        else:
            yield Verdict(found[0], "medium", details | {"secret": "not near it"}, found.start(), 20, "low")


def _secrets(data: bytes) -> Iterator[bytes]:
    for found in SECRET.finditer(data):
        if entropy(found[0]) >= 4.0 and classes(found[0]) >= 3 and not made_up(found[0]):
            yield found[0]


def judge_amazon_named(data: bytes, _known: Known) -> Iterator[Verdict]:
    """A secret key behind its name."""
    named = NAMED.search(data)
    secret = next(_secrets(data[named.end() :]), None) if named else None
    if secret is not None:
        yield Verdict(secret, "high")


def judge_google(data: bytes, _known: Known) -> Iterator[Verdict]:
    """A service account's JSON, with whose it is."""
    found = {m["name"]: m["value"] for m in MEMBER.finditer(data)}
    key = re.search(rb"-----BEGIN PRIVATE KEY-----[A-Za-z0-9+/=\\nr\s]{200,4000}", data)
    if key is None or b"private_key_id" not in found or made_up(found[b"private_key_id"]):
        return
    names = (b"client_email", b"project_id", b"private_key_id", b"client_id")
    details = {name.decode(): found[name].decode("utf-8", "replace") for name in names if name in found}
    yield Verdict(key[0], "high", details)


def judge_azure(data: bytes, _known: Known) -> Iterator[Verdict]:
    """The key of a connection string, with the account and the endpoint it is for."""
    key = AZURE.search(data)
    if key is None or made_up(key["value"]) or len(decoded(key["value"])) not in (32, 64):
        return
    details: dict[str, Any] = {}
    for name in (b"AccountName", b"Endpoint", b"SharedAccessKeyName", b"EndpointSuffix"):
        found = re.search(rb"(?i)" + name + rb"=([^;\s\"'\0]{1,200})", data)
        if found:
            details[name.decode()] = found[1].decode("utf-8", "replace")
    yield Verdict(key["value"], "high" if details else "medium", details)


def judge_signature(data: bytes, known: Known) -> Iterator[Verdict]:
    """A shared access signature, with what it allows until when."""
    found = {m["name"]: m["value"] for m in SIGNED.finditer(b"?" + data)}
    if not {b"sig", b"se"} <= found.keys() or made_up(found[b"sig"]):
        return
    names = {b"se": "expires", b"sp": "permissions", b"sv": "version", b"sr": "resource"}
    details = {names[key]: found[key].decode("utf-8", "replace") for key in names if key in found}
    yield Verdict(data, "high", details)


def judge_twilio(data: bytes, _known: Known) -> Iterator[Verdict]:
    """The token that stands near the number of an account."""
    for found in TWILIO.finditer(data):
        token = HEX32.search(data, found.end(), found.end() + 160)
        if token is not None and not made_up(token["value"]):
            yield Verdict(token["value"], "high", {"account": found[0].decode("ascii")}, at=found.start())


RULES = (
    Rule(
        "aws-key",
        "AWS access key",
        "cloud-key",
        "critical",
        (rb"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9])(?s:.){0,256}",),
        judge_amazon,
    ),
    Rule(
        "aws-secret-key",
        "AWS secret access key",
        "cloud-key",
        "critical",
        (NAMED.pattern + rb"[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",),
        judge_amazon_named,
    ),
    Rule(
        "gcp-service-account",
        "Google Cloud service-account key",
        "cloud-key",
        "critical",
        (rb'type\\{0,3}"\s{0,4}:\s{0,4}\\{0,3}"service_account\\{0,3}"(?:[^{}]{300,8000})?',),
        judge_google,
    ),
    Rule(
        "azure-connection-string",
        "Azure connection string",
        "cloud-key",
        "critical",
        (
            rb"(?i)(?:AccountName=[a-z0-9]{3,24};)?Account" + KEY_VALUE,
            rb"(?i)(?:SharedAccessKeyName=[a-z0-9._-]{1,32};)?SharedAccess" + KEY_VALUE,
        ),
        judge_azure,
    ),
    Rule(
        "azure-sas",
        "Azure shared access signature",
        "cloud-key",
        "high",
        (
            rb"sv=20\d\d-\d\d-\d\d&(?:[^\s\"'<>\0]{0,500}sig=[A-Za-z0-9%+/]{43,70}(?:=|%3[Dd])?[^\s\"'<>\0]{0,200})?",
        ),
        judge_signature,
    ),
    Rule(
        "azure-client-secret",
        "Azure client secret",
        "cloud-key",
        "high",
        (rb"(?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,34}(?![A-Za-z0-9_~.-])",),
        lambda data, _known: [] if made_up(data) or entropy(data) < 3.5 else [Verdict(data, "high")],
    ),
    Rule(
        "twilio-token",
        "Twilio auth token",
        "cloud-key",
        "high",
        (rb"(?<![A-Za-z0-9])AC[0-9a-f]{32}(?![A-Za-z0-9])(?s:.){20,200}",),
        judge_twilio,
    ),
)
