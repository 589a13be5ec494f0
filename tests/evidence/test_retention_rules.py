"""What may go: the oldest first, never what is held, and never without a rule that says so."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoscope.errors import UsageError
from cryoscope.evidence.records import PRUNED, PRUNING, Piece, Stored
from cryoscope.evidence.retention import Rule, bytes_of, plan, rule, seconds

NOW = "2026-11-22T12:00:00.000000Z"


def piece(number: int, **more: Any) -> Piece:
    """A piece of 10 bytes that was added on a day of October, the higher its number the later."""
    digest = f"{number:064x}"
    stored = Stored(key=f"k/{number}", size=more.pop("size", 10), sha256=digest)
    facts = {
        "case": "c",
        "name": f"{number}.tar",
        "size": 100,
        "format": "tar",
        "added": f"2026-10-{1 + number // 24:02}T{number % 24:02}:00:00.000000Z",
        "operator": "me",
        "manifest": digest,
    }
    return Piece(**(facts | more), sha256=digest, stored=stored)


def gone(pieces: list[Piece], *rules: Rule, held: tuple[str, ...] = ()) -> list[int]:
    return [int(each.piece.sha256, 16) for each in plan(pieces, rules, NOW, held=held)]


def test_nothing_goes_without_a_rule() -> None:
    assert gone([piece(1), piece(2)]) == []


def test_by_count_the_oldest_go_first_in_whatever_order_they_come() -> None:
    pieces = [piece(number) for number in range(10)]
    random.Random(1).shuffle(pieces)
    assert gone(pieces, rule(count=7)) == [0, 1, 2]
    assert gone(pieces, rule(count=10)) == []


def test_by_age_what_is_older_goes_and_what_is_as_old_stays() -> None:
    pieces = [piece(0), piece(24), piece(48)]
    assert gone(pieces, rule(age="50.5d")) == [0, 24]
    assert gone(pieces, rule(age=f"{52 * 24 + 12}h")) == []
    assert gone(pieces, rule(age=f"{52 * 24 + 11}h")) == [0]


def test_by_size_the_oldest_go_until_the_rest_fits() -> None:
    pieces = [piece(1, size=50), piece(2, size=10), piece(3, size=30)]
    assert gone(pieces, rule(size="90")) == []
    assert gone(pieces, rule(size="89")) == [1]
    assert gone(pieces, rule(size="39")) == [1, 2]
    assert gone(pieces, rule(size="29")) == [1, 2, 3]


def test_what_is_held_neither_goes_nor_counts() -> None:
    pieces = [piece(1, holds=1), piece(2), piece(3, case="held"), piece(4)]
    assert gone(pieces, rule(count=1), held=("held",)) == [2]
    assert gone(pieces, rule(age="1s"), held=("held",)) == [2, 4]
    assert gone(pieces, rule(size="10"), held=("held",)) == [2]


def test_what_is_gone_already_is_not_counted() -> None:
    pieces = [piece(1), piece(2, state=PRUNED), piece(3, state=PRUNING), piece(4)]
    assert gone(pieces, rule(count=1)) == [1]


@pytest.mark.parametrize(
    ("per", "expected"),
    [
        ("all", [0, 1, 2, 3, 4]),
        ("case", [0, 1, 2, 3]),
        ("namespace", [0, 1, 3, 4]),
        ("pod", [0, 1, 4]),
        ("container", [0, 1]),
    ],
)
def test_each_unit_has_its_own_count(per: str, expected: list[int]) -> None:
    pieces = [
        piece(0, case="a", namespace="n", pod="p", container="x"),
        piece(1, case="a", namespace="n", pod="p", container="y"),
        piece(2, case="a", namespace="m", pod="p", container="x"),
        piece(3, case="b", namespace="n", pod="q", container="x"),
        piece(4, case="a", namespace="n", pod="p", container="y"),
        piece(5, case="b", namespace="n", pod="p", container="x"),
    ]
    assert gone(pieces, rule(per=per, count=1)) == expected


def test_what_is_of_no_known_container_is_of_no_rule_for_containers() -> None:
    pieces = [piece(1), piece(2), piece(3, container="x"), piece(4, container="x")]
    for per in ("container", "pod", "namespace"):
        assert set(gone(pieces, rule(per=per, count=1))) <= {3}


def test_containers_of_one_name_on_two_nodes_are_two() -> None:
    pieces = [piece(number, node=f"n{number % 2}", container="web") for number in range(4)]
    assert gone(pieces, rule(per="container", count=1)) == [0, 1]


def test_each_rule_is_over_what_those_before_it_left() -> None:
    pieces = [piece(number, container=f"c{number % 2}") for number in range(6)]
    assert gone(pieces, rule(per="container", count=2), rule(count=3)) == [0, 1, 2]


def test_why_names_the_rule() -> None:
    pieces = [piece(1, pod="p"), piece(2, pod="p")]
    for bound, why in (
        (rule(per="pod", count=1), "count: more than 1 per pod"),
        (rule(age="1w"), "age: older than 1w"),
        (rule(size="1KiB", count=1), "count: more than 1"),
        (rule(size="15"), "size: more than 15 bytes"),
    ):
        assert plan(pieces, [bound], NOW)[0].why == why


@given(
    st.lists(
        st.tuples(st.integers(0, 600), st.integers(0, 50), st.booleans(), st.sampled_from("xy")), max_size=40
    ),
    st.integers(1, 6),
    st.integers(0, 200),
)
def test_of_any_pieces_the_rest_fits_and_nothing_went_that_had_not_to(
    drawn: list[tuple[int, int, bool, str]], count: int, size: int
) -> None:
    pieces = [
        piece(number, size=bytes_, holds=int(held), container=container)
        for number, bytes_, held, container in {each[0]: each for each in drawn}.values()
    ]
    bound = Rule(per="container", count=count, size=size)
    doomed = {each.piece.sha256 for each in plan(pieces, [bound], NOW)}
    for container in "xy":
        free = sorted((p for p in pieces if p.container == container and not p.holds), key=lambda p: p.added)
        went = [p for p in free if p.sha256 in doomed]
        rest = free[len(went) :]
        assert went == free[: len(went)]
        assert len(rest) <= count
        assert sum(p.stored.size for p in rest) <= size
        if went:
            more = [went[-1], *rest]
            assert len(more) > count or sum(p.stored.size for p in more) > size
    assert not doomed & {p.sha256 for p in pieces if p.holds}


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("4096", 4096),
        ("20GiB", 20 << 30),
        ("20gib", 20 << 30),
        ("1.5 TiB", 3 << 39),
        ("1K", 1024),
        ("5MB", 5_000_000),
        ("7B", 7),
        ("2PiB", 2 << 50),
    ],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize(
    ("text", "age"),
    [("90d", 90 * 86400), ("12h", 43200), ("30M", 1800), ("2w", 1209600), ("1y", 31536000), ("5s", 5)],
)
def test_ages_are_read(text: str, age: float) -> None:
    assert seconds(text) == age


@pytest.mark.parametrize(
    "text", ["", "GiB", "-1", "1e9", "20 Gigs", "1.2.3", "\u0661\u0662", "9" * 16, "20GiB\n;", "0x10"]
)
def test_what_is_no_size_is_told(text: str) -> None:
    with pytest.raises(UsageError) as told:
        bytes_of(text)
    assert (told.value.code, "GiB" in told.value.hint) == ("retention.size", True)


@pytest.mark.parametrize("text", ["", "d", "90", "-1d", "90 fortnights", "1month", "nan", "infd"])
def test_what_is_no_age_is_told(text: str) -> None:
    with pytest.raises(UsageError) as told:
        seconds(text)
    assert (told.value.code, "90d" in told.value.hint) == ("retention.age", True)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [({"per": "node", "count": 1}, "per"), ({"count": -1}, "count"), ({}, "no-bound"), ({"age": "x"}, "age")],
)
def test_a_rule_that_makes_no_sense_is_told(wrong: dict[str, Any], code: str) -> None:
    with pytest.raises(UsageError) as told:
        rule(**wrong)
    assert told.value.code == f"retention.{code}"


def test_rules_without_end_are_refused() -> None:
    with pytest.raises(UsageError) as told:
        gone([piece(1)], *[rule(count=1)] * 101)
    assert told.value.code == "retention.rules"


def test_an_age_before_all_time_dooms_nothing() -> None:
    assert gone([piece(1)], rule(age="999999999y")) == []
