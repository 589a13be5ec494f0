"""Values behind telling names: `DB_PASSWORD=...`, `"api_key": "..."`, `token: ...`.

The rule with the least to go on: source code assigns, compares and documents such names all the time.
So a value must look like no word, no code and no placeholder, and must be random enough for its length.
A variable of an environment is no code, and needs less.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.examine.secrets.records import Known, Rule, Verdict
from cryoscope.examine.secrets.words import classes, entropy, made_up, placeholder

NAMES = (
    rb"pass(?:word|wd|phrase)|pwd|secret(?:[_-]?(?:access[_-]?)?key)?|token|api[_-]?key|access[_-]?key|auth[_-]?key"
    rb"|private[_-]?key|encryption[_-]?key|signing[_-]?key|credentials?|client[_-]?secret"
)
TELLING = re.compile(rb"(?i)(?:%s|pass)(?:[_-]?\d{1,2})?$" % NAMES)
"""A name tells by its end: PASSWORD_FILE, TOKEN_TTL and SECRET_NAME say where it is or how long it lives."""
PAIR = re.compile(
    rb"(?i)(?P<name>[A-Za-z0-9_.-]{0,40}(?:%s)(?:[_-]?\d{1,2})?)"
    rb"(?P<mark>\\{0,3}[\"']?[ \t]{0,2}(?:=>|:=|=|:)[ \t]{0,2})"
    rb"(?P<quote>\\{0,3}[\"'])?(?P<value>[!-~]{6,256})" % NAMES
)
HEAD = rb"(?i)[A-Za-z0-9_.-]{0,40}(?:%s)(?:[_-]?\d{1,2})?\\{0,3}[\"']?[ \t]{0,2}(?:=>|:=|=|:)" % NAMES
VARIABLE = re.compile(rb"(?P<name>[A-Za-z_][A-Za-z0-9_.-]{0,100})=(?P<value>.{4,4096})", re.DOTALL)
ENDS = re.compile(rb"[\"'\\;,&<>`|(){}\[\]]")
CODE = re.compile(
    rb"^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)+$|^[a-z]+(?:[A-Z][a-z]+)*$|^[a-z_]+$|^[A-Z_]+$|::|->|==|^/|^https?:"
    rb"|^0x[0-9a-f]{1,16}$|^\d+$|^[A-Z][a-z]+(?:[A-Z][a-z]+)*\d?$|^[%&*@!?:=/]"
)
"""Identifiers, attributes, paths, numbers and addresses."""
HARMLESS = re.compile(rb"(?i)csrf|^(?:old)?pwd$|public|_id$|partition|next|page|cancel")


def judge(data: bytes, _known: Known) -> Iterator[Verdict]:
    """The value behind a name, in text of any kind."""
    found = PAIR.match(data)
    if found is None or HARMLESS.search(found["name"]):
        return
    value = _value(found)
    if not likely(value):
        return
    strict = bool(found["quote"]) or (found["mark"] == b"=" and found["name"].isupper())
    random = entropy(value) >= 3.3 and len(value) >= 12 and classes(value) >= 3
    yield Verdict(value, "medium" if strict or random else "low", {"name": found["name"].decode("ascii")})


def _value(found: re.Match[bytes]) -> bytes:
    """Up to the closing quotation mark, or to what ends a word."""
    value: bytes = found["value"]
    if found["quote"]:
        return value.partition(found["quote"])[0]
    end = ENDS.search(value)
    return value[: end.start()] if end else value


def likely(value: bytes) -> bool:
    """Whether a value is a password or a key rather than a word or code."""
    if not 8 <= len(value) <= 250 or placeholder(value) or made_up(value) or CODE.search(value):
        return False
    digits = sum(48 <= byte <= 57 for byte in value)
    letters = sum(chr(byte).isalpha() for byte in value)
    return digits >= 1 and letters >= 2 and entropy(value) >= 2.5


def judge_variable(data: bytes, _known: Known) -> Iterator[Verdict]:
    """A variable of an environment: its name tells, its value is no placeholder."""
    found = VARIABLE.fullmatch(data)
    if found is None or not TELLING.search(found["name"]) or HARMLESS.search(found["name"]):
        return
    value = found["value"]
    if placeholder(value) or value.startswith(b"/") or value.isdigit():
        return
    sure = "high" if likely(value) else "medium"
    yield Verdict(value, sure, {"name": found["name"].decode("ascii", "replace")})


RULES = (
    Rule(
        "named-secret",
        "Value with a telling name",
        "password",
        "medium",
        (HEAD + rb"(?:[ \t]{0,2}\\{0,3}[\"']?[!-~]{6,256})?",),
        judge,
        generic=True,
    ),
)
VARIABLES = Rule(
    "environment-secret",
    "Variable with a telling name",
    "password",
    "high",
    (),
    judge_variable,
    generic=True,
)
"""Asked of environments alone, so it has no pattern."""
