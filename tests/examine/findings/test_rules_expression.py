"""Expressions find what `re` finds, at a cost that no expression and no text can blow up."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoscope import limits
from cryoscope.errors import UsageError
from cryoscope.examine.findings.rules.expression import FLAGS, Budget, Expression, OutOfBudgetError

ATOMS = [
    "a", "b", "é", "É", r"\.", ".", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", "[ab]", "[^a]", "[a-c_]",
    r"[^\d\n]", r"[\w-]", "^", "$", r"\b", r"\B", r"\A", r"\Z", "K", "(?i:aK)", "(?-i:a)",
]  # fmt: skip
REPEATS = ["", "", "*", "+", "?", "*?", "{2}", "{1,3}", "{,2}", "{2,}?"]

LEAVES = st.sampled_from(ATOMS)


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    repeated = st.tuples(inner, st.sampled_from(REPEATS)).map(lambda two: f"(?:{two[0]}){two[1]}")
    return st.one_of(
        repeated,
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda ways: f"({'|'.join(ways)})"),
    )


EXPRESSIONS = st.recursive(LEAVES, _grown, max_leaves=8)
TEXTS = st.text(alphabet="abcéÉ_ K1.\n", min_size=1, max_size=12)
"""Not empty: before Python 3.14 `\\B` does not match there."""


@given(
    expression=EXPRESSIONS,
    prefix=st.sampled_from(["", "(?i)"]),
    texts=st.lists(TEXTS, min_size=1, max_size=6),
)
def test_it_finds_what_re_finds(expression: str, prefix: str, texts: list[str]) -> None:
    ours, theirs = Expression(prefix + expression), re.compile(prefix + expression, FLAGS)
    for text in texts:
        assert ours.found_in(text, Budget()) == bool(theirs.search(text)), (expression, text)


@given(expression=EXPRESSIONS, text=TEXTS)
def test_forgetting_states_changes_nothing(expression: str, text: str) -> None:
    ours = Expression(expression)
    first = ours.found_in(text, Budget())
    ours._known = limits.RULE_STATES
    assert ours.found_in(text, Budget()) == first
    ours._known = limits.RULE_STATES - 1
    assert ours.found_in(text + text, Budget()) == bool(re.search(expression, text + text, FLAGS))


EVIL = [
    "(a+)+$",
    "(a|a)*b",
    "(a|aa)+$",
    "(.*)*x",
    "(.*a){12}",
    "^(([a-z])+.)+[A-Z]([a-z])+$",
    "(a?){30}a{30}b",
]


@pytest.mark.parametrize("expression", EVIL)
def test_what_blows_up_elsewhere_costs_one_walk(expression: str) -> None:
    """The work is counted, not timed: a few instructions for each character at most."""
    budget, text = Budget(), "a" * 50_000 + "!"
    assert not Expression(expression).found_in(text, budget) or expression == "(.*a){12}"
    assert limits.RULE_WORK - budget.left < len(text)


def test_the_worst_there_is_runs_out_of_budget() -> None:
    """An automaton with 2^400 states: each character of a text without order is a state not seen before."""
    number, digits = 1, []
    for _ in range(limits.RULE_TEXT):
        number = number * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        digits.append("ab"[number >> 63])
    with pytest.raises(OutOfBudgetError):
        Expression("(a|b)*a(a|b){400}c").found_in("".join(digits), Budget(2_000_000))


REFUSED = {
    r"(a)\1": "a back reference",
    r"(?P<n>a)(?P=n)": "a back reference",
    "(?=a)": "look-ahead",
    "(?!a)b": "look-ahead",
    "(?<=a)b": "look-behind",
    "(?<!a)b": "look-behind",
    "(a)?(?(1)b|c)": "a condition on a group",
    "(?>a+)b": "an atomic group",
    "a++b": "a possessive repetition",
    "(?a:é)": "flags besides",
    "(?a)é": "flags besides",
    "(": "no regular expression",
    "[z-a]": "no regular expression",
    "(?:a{1000}){1000}": "more than 2000 steps",
    "((?:){65535}){65535}": "more than 2000 steps",
    "(a?){0,3000}": "more than 2000 steps",
    "(" * 499 + ")" * 499: "nested too deeply",
    "a" * 1001: "longer than 1000",
}


@pytest.mark.parametrize("expression", REFUSED)
def test_what_needs_backtracking_or_too_much_is_refused(expression: str) -> None:
    with pytest.raises(UsageError, match=re.escape(REFUSED[expression])) as caught:
        Expression(expression)
    assert caught.value.code == "rules.expression"
    assert len(caught.value.message) < 200


def test_a_comment_mode_is_taken() -> None:
    assert Expression("(?x) a  b # and no more").found_in("xxabxx", Budget())
    assert not Expression("(?x) a  b").found_in("a b", Budget())
