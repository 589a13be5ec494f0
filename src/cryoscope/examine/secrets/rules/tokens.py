"""Tokens that carry a mark of who issued them; one line of `TABLE` each.

Where the format has a checksum it is checked (`checked`): then a match is certain, and one that fails is
almost always an example.  The marks are those that the issuers document for secret scanning.
"""

from __future__ import annotations

import re
import string
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from cryoscope.examine.secrets.armor import decoded_url
from cryoscope.examine.secrets.records import Judge, Known, Rule, Verdict
from cryoscope.examine.secrets.words import entropy, made_up

BASE62 = (string.digits + string.ascii_uppercase + string.ascii_lowercase).encode()
BASE36 = (string.digits + string.ascii_lowercase).encode()
W = rb"[A-Za-z0-9_-]"


def in_base(number: int, alphabet: bytes, width: int) -> bytes:
    """A number in the digits of `alphabet`, filled up to `width`."""
    digits = bytearray()
    while number:
        number, digit = divmod(number, len(alphabet))
        digits.append(alphabet[digit])
    return bytes(reversed(digits)).rjust(width, alphabet[:1])


def crc32_base62(token: bytes) -> bool:
    """GitHub and npm: the last six characters are the CRC-32 of the random ones before, in base 62."""
    body = token.rpartition(b"_")[2]
    return in_base(zlib.crc32(body[:-6]), BASE62, 6) == body[-6:]


def crc32_base36(token: bytes) -> bool:
    """GitLab's routable tokens: the last seven characters are the CRC-32 of all before, in base 36."""
    return in_base(zlib.crc32(token[:-7]), BASE36, 7) == token[-7:]


def crc32_hex(token: bytes) -> bool:
    """Grafana: behind the last underscore stands the CRC-32 of the random part, or of all before it."""
    before, _, total = token.rpartition(b"_")
    return any(b"%08x" % zlib.crc32(part) == total for part in (before.partition(b"_")[2], before))


def macaroon(token: bytes) -> bool:
    """PyPI: a macaroon of version 2 whose location is the index."""
    raw = decoded_url(token.partition(b"-")[2])
    return raw[:3] in (b"\x02\x01\x08", b"\x02\x01\x0d") and raw[3:].startswith((b"pypi.", b"test.pypi."))


class Token(NamedTuple):
    """A line of the table; `public` characters at the beginning are the same in every such token."""

    id: str
    title: str
    expression: bytes
    public: int
    severity: str = "high"
    checked: Callable[[bytes], bool] | None = None
    least: float = 3.0


TABLE = (
    Token("github-token", "GitHub token", rb"gh[po]_[A-Za-z0-9]{36}", 4, "critical", crc32_base62),
    Token("github-app-token", "GitHub app token", rb"gh[usr]_[A-Za-z0-9]{36,76}", 4, "high"),
    Token(
        "github-fine-grained-token",
        "GitHub fine-grained token",
        rb"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
        11,
        "critical",
    ),
    Token(
        "gitlab-routable-token",
        "GitLab token",
        rb"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat|ffct)-"
        + W
        + rb"{27}(?:"
        + W
        + rb"{0,273}\.[0-9a-z]{9})",
        6,
        "critical",
        crc32_base36,
    ),
    Token(
        "gitlab-token",
        "GitLab token",
        rb"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat|ffct)-" + W + rb"{20,64}",
        6,
        "critical",
    ),
    Token("slack-token", "Slack token", rb"xox[abeoprs]-(?:[A-Za-z0-9]{1,14}-){1,4}[A-Za-z0-9]{10,146}", 5),
    Token("slack-app-token", "Slack app token", rb"xapp-\d-[A-Z0-9]{9,13}-\d{10,14}-[a-f0-9]{64}", 5),
    Token(
        "slack-webhook",
        "Slack webhook",
        rb"https://hooks\.slack\.com/services/T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}/[A-Za-z0-9]{24}",
        33,
    ),
    Token("stripe-key", "Stripe key", rb"[sr]k_live_[A-Za-z0-9]{24,247}", 8, "critical"),
    Token("stripe-test-key", "Stripe test key", rb"[sr]k_test_[A-Za-z0-9]{24,247}", 8, "low"),
    Token("stripe-webhook-secret", "Stripe webhook secret", rb"whsec_[A-Za-z0-9+/]{32,64}", 6),
    Token("sendgrid-key", "SendGrid key", rb"SG\." + W + rb"{22}\." + W + rb"{43}", 3),
    Token("npm-token", "npm token", rb"npm_[A-Za-z0-9]{36}", 4, "critical", crc32_base62),
    Token("pypi-token", "PyPI token", rb"pypi-AgE[A-Za-z0-9_-]{50,400}", 5, "critical", macaroon),
    Token("rubygems-key", "RubyGems key", rb"rubygems_[a-f0-9]{48}", 9),
    Token("docker-token", "Docker Hub token", rb"dckr_[op]at_" + W + rb"{27,40}", 9, "critical"),
    Token("vault-token", "Vault token", rb"hv[bsr]\." + W + rb"{24,300}", 4, "critical"),
    Token(
        "terraform-token", "Terraform token", rb"[A-Za-z0-9]{14}\.atlasv1\." + W + rb"{60,70}", 0, "critical"
    ),
    Token("digitalocean-token", "DigitalOcean token", rb"do[opr]_v1_[a-f0-9]{64}", 7, "critical"),
    Token(
        "openai-key", "OpenAI key", rb"sk-" + W + rb"{20}(?:" + W + rb"{0,80}T3BlbkFJ" + W + rb"{20,100})", 3
    ),
    Token("anthropic-key", "Anthropic key", rb"sk-ant-[a-z]{3,6}\d\d-" + W + rb"{80,120}", 7),
    Token("huggingface-token", "Hugging Face token", rb"hf_[A-Za-z]{34}", 3),
    Token("google-api-key", "Google API key", rb"AIza" + W + rb"{35}", 4),
    Token("google-oauth-token", "Google access token", rb"ya29\." + W + rb"{30,1000}", 5),
    Token("google-oauth-secret", "Google OAuth client secret", rb"GOCSPX-" + W + rb"{28}", 7),
    Token("telegram-token", "Telegram bot token", rb"\d{8,10}:AA" + W + rb"{33}", 0),
    Token("shopify-token", "Shopify token", rb"shp(?:at|ca|pa|ss)_[a-f0-9]{32}", 6),
    Token("newrelic-key", "New Relic key", rb"NRAK-[A-Z0-9]{27}", 5),
    Token("grafana-token", "Grafana token", rb"glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}", 5, "high", crc32_hex),
    Token("doppler-token", "Doppler token", rb"dp\.(?:pt|ct|sa|st|scim|audit)\.[A-Za-z0-9.]{40,64}", 6),
    Token("linear-key", "Linear key", rb"lin_api_[A-Za-z0-9]{40}", 8),
    Token("postman-key", "Postman key", rb"PMAK-[a-f0-9]{24}-[a-f0-9]{34}", 5),
    Token("atlassian-token", "Atlassian token", rb"ATATT3xFf[A-Za-z0-9+/=_-]{100,250}", 9),
    Token("databricks-token", "Databricks token", rb"dapi[a-f0-9]{32}(?:-\d)?", 4),
    Token("pulumi-token", "Pulumi token", rb"pul-[a-f0-9]{40}", 4),
    Token("tailscale-key", "Tailscale key", rb"tskey-[a-z]{3,8}-[A-Za-z0-9]{9,20}-[A-Za-z0-9]{20,64}", 6),
    Token("sentry-token", "Sentry token", rb"sntry[su]_[A-Za-z0-9+/=_-]{60,500}", 7),
    Token("crates-token", "crates.io token", rb"cio[A-Za-z0-9]{32}", 3, "high", None, 4.0),
)


def judge_of(token: Token) -> Judge:
    """The judge of a line of the table."""
    whole = re.compile(token.expression)

    def judge(data: bytes, _known: Known) -> Iterator[Verdict]:
        body = data[token.public :]
        words = body.isalpha() and (body.islower() or body.isupper())
        if whole.fullmatch(data) is None or made_up(body) or entropy(body) < token.least or words:
            return
        if token.checked is None:
            yield Verdict(data, "high", public=token.public)
        elif token.checked(data):
            yield Verdict(data, "certain", {"checksum": "fits"}, public=token.public)
        else:
            yield Verdict(data, "low", {"checksum": "does not fit"}, public=token.public)

    return judge


def _rule(token: Token) -> Rule:
    """What is in a group at the end of the expression must be there, too; the fast engine does without."""
    before, after = rb"(?<![A-Za-z0-9_-])", rb"(?![A-Za-z0-9_-])"
    head = token.expression.removesuffix(b")") + after + b")?" if token.expression.endswith(b")") else b""
    pattern = before + (head or token.expression + after)
    return Rule(token.id, token.title, "token", token.severity, (pattern,), judge_of(token))


RULES = tuple(map(_rule, TABLE))
