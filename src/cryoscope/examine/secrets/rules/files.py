"""Credentials in files of programs: .netrc (its manual page), shadow(5) and crypt(5), htpasswd, .pgpass."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.examine.secrets.records import Known, Rule, Verdict
from cryoscope.examine.secrets.words import entropy, made_up, placeholder

NETRC = re.compile(
    rb"machine\s{1,4}(?P<host>[A-Za-z0-9.:_-]{1,255})\s{1,8}login\s{1,4}(?P<user>[^\s\0]{1,128})\s{1,8}"
    rb"password\s{1,4}(?P<value>[^\s\0\"']{1,256})"
)
B64 = rb"[./0-9A-Za-z]"
HASHES = (  # name, length of the fixed beginning, expression
    (b"SHA-512 crypt", 5, rb"\$6\$(?:rounds=\d{4,9}\$)?" + B64 + rb"{1,16}\$" + B64 + rb"{86}"),
    (b"SHA-256 crypt", 5, rb"\$5\$(?:rounds=\d{4,9}\$)?" + B64 + rb"{1,16}\$" + B64 + rb"{43}"),
    (b"MD5 crypt", 5, rb"\$1\$" + B64 + rb"{1,8}\$" + B64 + rb"{22}"),
    (b"Apache MD5", 8, rb"\$apr1\$" + B64 + rb"{1,8}\$" + B64 + rb"{22}"),
    (b"bcrypt", 17, rb"\$2[abxy]\$\d\d\$" + B64 + rb"{53}"),
    (b"yescrypt", 7, rb"\$g?y\$" + B64 + rb"{2,8}\$" + B64 + rb"{1,64}\$" + B64 + rb"{43}"),
    (b"scrypt", 5, rb"\$7\$" + B64 + rb"{11,90}\$" + B64 + rb"{43}"),
    (
        b"Argon2",
        8,
        rb"\$argon2(?:id|i|d)\$v=\d+\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]{10,86}\$[A-Za-z0-9+/]{20,86}",
    ),
    (b"Django PBKDF2", 15, rb"pbkdf2_sha256\$\d{4,8}\$[A-Za-z0-9]{8,64}\$[A-Za-z0-9+/]{43}="),
    (
        b"PostgreSQL SCRAM",
        15,
        rb"SCRAM-SHA-256\$\d{4,8}:[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=",
    ),
)
HASH = b"|".join(expression for _, _, expression in HASHES)
LINE = re.compile(rb"(?:(?P<user>[A-Za-z0-9._@-]{1,64}):)?!?(?P<value>" + HASH + rb")")


def judge_netrc(data: bytes, _known: Known) -> Iterator[Verdict]:
    """The password for a machine."""
    found = NETRC.match(data)
    if found is not None and not placeholder(found["value"]) and not found["value"].startswith(b"%"):
        details = {"host": found["host"].decode("ascii"), "user": found["user"].decode("utf-8", "replace")}
        yield Verdict(found["value"], "high", details)


def judge_hash(data: bytes, _known: Known) -> Iterator[Verdict]:
    """A hash of a password, with the user whose it is and the method."""
    found = LINE.fullmatch(data.lstrip(b":!"))
    if found is None or made_up(found["value"][-22:]) or entropy(found["value"]) < 3.5:
        return
    method = next(name for name, _, expression in HASHES if re.fullmatch(expression, found["value"]))
    details = {"method": method.decode("ascii")}
    if found["user"]:
        details["user"] = found["user"].decode("ascii")
    yield Verdict(found["value"], "high" if found["user"] else "medium", details)


RULES = (
    Rule(
        "netrc-password",
        "Password in .netrc",
        "password",
        "high",
        (rb"machine\s{1,4}[A-Za-z0-9.:_-](?:[^\0]{10,700})?",),
        judge_netrc,
    ),
    Rule(
        "password-hash",
        "Hash of a password (shadow, htpasswd)",
        "hash",
        "medium",
        tuple(
            rb"[A-Za-z0-9._@-]{0,64}:?!?"
            + expression[:head]
            + b"(?:"
            + expression[head:]
            + rb"(?![./0-9A-Za-z]))?"
            for _, head, expression in HASHES
        ),
        judge_hash,
    ),
)
