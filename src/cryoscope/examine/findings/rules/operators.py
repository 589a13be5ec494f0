"""Operators: what a condition may ask of one value, one a row of `OPERATORS`."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any, NamedTuple

from cryoscope import limits
from cryoscope.errors import UsageError
from cryoscope.examine.findings.known.endpoints import Address, address_of, endpoint
from cryoscope.examine.findings.rules.expression import Budget, Expression
from cryoscope.examine.findings.rules.fields import NUMBER, TEXT, TRUTH

Test = Callable[[Any, Budget], bool]
"""Whether one value passes; what it costs is taken from the budget."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Operator(NamedTuple):
    """An operator: which kinds of fields it is for, which values it takes, one or several, and its test."""

    kinds: tuple[str, ...]
    takes: str
    many: bool
    make: Callable[[list[Any]], Test]
    about: str


def _equal(wanted: list[Any]) -> Test:
    known = frozenset(wanted)
    return lambda value, _: value in known


def _starts(wanted: list[Any]) -> Test:
    parts = tuple(wanted)
    return lambda value, _: value.startswith(parts)


def _ends(wanted: list[Any]) -> Test:
    parts = tuple(wanted)
    return lambda value, _: value.endswith(parts)


def _contains(wanted: list[Any]) -> Test:
    return lambda value, _: any(part in value for part in wanted)


def _matches(wanted: list[Any]) -> Test:
    expressions = [Expression(text) for text in wanted]
    return lambda value, budget: any(one.found_in(value[: limits.RULE_TEXT], budget) for one in expressions)


def _cidr(wanted: list[Any]) -> Test:
    networks = [_network(text) for text in wanted]

    def inside(value: str, _: Budget) -> bool:
        address = address_in(value)
        return address is not None and any(address in network for network in networks)

    return inside


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise UsageError(
            f"{text} is no network: {error}", hint="such as 10.0.0.0/8", code="rules.value"
        ) from None


def address_in(text: str) -> Address | None:
    """The address of `10.0.0.1`, `10.0.0.1:80`, `[::1]:80` or `10.0.0.1/24`; None where there is none."""
    text = text.partition("/")[0]
    alone, both = address_of(text), endpoint(text)
    return both[0] if alone is None and both is not None else alone


def _more(wanted: list[Any]) -> Test:
    return lambda value, _: value > wanted[0]


def _less(wanted: list[Any]) -> Test:
    return lambda value, _: value < wanted[0]


ANY = (TEXT, NUMBER, TRUTH)

OPERATORS: dict[str, Operator] = {
    "eq": Operator(ANY, "as the field", False, _equal, "it is this"),
    "in": Operator(ANY, "as the field", True, _equal, "it is one of these"),
    "startswith": Operator((TEXT,), TEXT, True, _starts, "it begins with this, or one of these"),
    "endswith": Operator((TEXT,), TEXT, True, _ends, "it ends with this, or one of these"),
    "contains": Operator((TEXT,), TEXT, True, _contains, "this, or one of these, is in it"),
    "matches": Operator((TEXT,), TEXT, True, _matches, "this regular expression, or one of these, is in it"),
    "cidr": Operator((TEXT,), TEXT, True, _cidr, "it is an address in this network, or in one of these"),
    "gt": Operator((NUMBER,), NUMBER, False, _more, "it is greater"),
    "lt": Operator((NUMBER,), NUMBER, False, _less, "it is less"),
}
"""All but `exists`, which asks whether there is a value."""
