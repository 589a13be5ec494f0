"""The rules, one family a file: each has a tuple `RULES`, and a new family is one more line here."""

from cryoscope.examine.secrets.records import Rule
from cryoscope.examine.secrets.rules import (
    age,
    binary,
    cards,
    cloud,
    files,
    headers,
    jwt,
    named,
    pem,
    pgp,
    putty,
    tokens,
    urls,
    wireguard,
)

FAMILIES = (pem, binary, putty, age, pgp, wireguard, jwt, tokens, cloud, urls, headers, files, cards, named)
RULES: tuple[Rule, ...] = (
    *(rule for family in FAMILIES for rule in family.RULES),
    named.VARIABLES,
)
BY_ID: dict[str, Rule] = {rule.id: rule for rule in RULES}

__all__ = ["BY_ID", "RULES"]
