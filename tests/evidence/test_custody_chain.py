"""A custody log is a chain: what is taken out, put in, swapped, altered or put back is found."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st

from cryoscope.errors import UsageError
from cryoscope.evidence import clock, custody, keys
from cryoscope.evidence.records import Draft, Entry, Head, Problem, SignedEntry, canonical

SIGNER = keys.KeySigner(ed25519.Ed25519PrivateKey.generate())
TRUST = keys.trust([], own=SIGNER)
START = "2026-01-01T00:00:00.000000Z"
NOW = "2026-06-01T00:00:00.000000Z"


def log(length: int, case: str = "night", start: str = START) -> list[SignedEntry]:
    found: list[SignedEntry] = []
    head = Head(case=case)
    for number in range(length):
        draft = Draft(action="note", operator="ida", host="bench", reason=f"entry {number}")
        time = clock.later(start, number)
        signed = custody.sign_next(draft, case, SIGNER, lambda time=time: time)(head)
        found.append(signed)
        entry = custody.read_entry(signed.body)
        assert entry is not None
        head = custody.head_of(signed, entry)
    return found


def head(entries: list[SignedEntry]) -> Head:
    entry = custody.read_entry(entries[-1].body)
    assert entry is not None
    return custody.head_of(entries[-1], entry)


def witness(entries: list[SignedEntry]) -> custody.Witness:
    return custody.read_witness(custody.witness(head(entries), SIGNER))


def found(entries: list[SignedEntry], **options: object) -> list[tuple[str, str]]:
    problems: list[Problem] = custody.check(entries, TRUST, **{"now": NOW} | options)  # type: ignore[arg-type]
    return [(problem.code, problem.where) for problem in problems]


def resigned(entry: SignedEntry, **changes: object) -> SignedEntry:
    read = custody.read_entry(entry.body)
    assert read is not None
    return custody.signed(msgspec.structs.replace(read, **changes), SIGNER)


def test_a_whole_log_holds_with_any_witness_of_it() -> None:
    entries = log(5)
    assert found(entries) == []
    for length in range(1, 6):
        assert found(entries, expect=witness(entries[:length])) == []
    assert found([]) == []


@pytest.mark.parametrize(
    ("gone", "told"),
    [
        ([1], [("custody.missing", "log entry 1")]),
        ([3], [("custody.missing", "log entry 3")]),
        ([2, 3, 4], [("custody.missing", "log entries 2 to 4")]),
        ([2, 5], [("custody.missing", "log entry 2"), ("custody.missing", "log entry 5")]),
    ],
)
def test_entries_taken_out_are_named(gone: list[int], told: list[tuple[str, str]]) -> None:
    entries = [one for number, one in enumerate(log(7), 1) if number not in gone]
    assert found(entries) == told


def test_an_end_taken_away_is_found_with_the_witness_only() -> None:
    entries = log(5)
    assert found(entries[:3]) == []
    assert found(entries[:3], expect=witness(entries)) == [("custody.rolled-back", "the witness")]
    assert found([], expect=witness(entries)) == [("custody.rolled-back", "the witness")]


def test_another_log_of_the_same_length_is_a_fork() -> None:
    other = log(5, start="2026-02-01T00:00:00.000000Z")
    assert found(other, expect=witness(log(4))) == [("custody.forked", "the witness")]
    assert found(other, expect=witness(log(4, case="day"))) == [("custody.forked", "the witness")]


@given(st.permutations(range(6)))
def test_entries_in_another_order_are_found(order: list[int]) -> None:
    entries = log(6)
    codes = {code for code, _ in found([entries[place] for place in order])}
    assert codes == (set() if order == sorted(order) else {"custody.order"})


def test_an_entry_twice_is_found() -> None:
    entries = log(3)
    assert found([*entries, entries[1]]) == [("custody.order", "log entry 2")]


@given(st.integers(0, 3), st.integers(0, 10_000), st.integers(0, 7))
def test_any_flipped_bit_of_an_entry_is_found_and_placed(number: int, place: int, bit: int) -> None:
    entries = log(4)
    body = bytearray(entries[number].body)
    body[place % len(body)] ^= 1 << bit
    entries[number] = msgspec.structs.replace(entries[number], body=bytes(body))
    told = found(entries)
    assert {code for code, _ in told} & {"custody.chain", "custody.signature"}
    # A number that was altered is where the entry says it is, and missing where it was.
    assert f"log entry {number + 1}" in {where for _, where in told}


def test_an_entry_altered_and_signed_with_the_key_breaks_the_chain() -> None:
    entries = log(4)
    entries[1] = resigned(entries[1], reason="another")
    assert found(entries) == [("custody.chain", "log entry 3")]
    assert found(entries[:2], expect=witness(log(4)[:2])) == [("custody.forked", "the witness")]


def test_an_unknown_signer_is_told_once_a_stretch() -> None:
    assert [
        (problem.code, problem.where)
        for problem in custody.check(log(4), keys.KeyTrust({}), now=NOW, case="night")
    ] == [("custody.signer-unknown", "log entries 1 to 4")]


def test_times_that_are_to_come_or_go_back_are_found() -> None:
    entries = log(3)
    assert found(entries, now=START) == []  # within what clocks may differ
    ahead = log(2, start="2026-06-02T00:00:00.000000Z")
    assert [code for code, _ in found(ahead)] == ["custody.future", "custody.future"]
    back = resigned(entries[2], time="2025-01-01T00:00:00.000000Z")
    assert found([*entries[:2], back]) == [("custody.order", "log entry 3")]
    senseless = resigned(entries[2], time="yesterday")
    assert found([*entries[:2], senseless]) == [("custody.order", "log entry 3")]


def test_a_clock_that_went_back_does_not_take_the_log_with_it() -> None:
    entries = log(2)
    early = "2020-01-01T00:00:00.000000Z"
    sign = custody.sign_next(
        Draft(action="note", operator="ida", host="bench"), "night", SIGNER, lambda: early
    )
    entry = custody.read_entry(sign(head(entries)).body)
    assert entry is not None
    assert entry.time == head(entries).time
    assert entry.details == {"clock": early}


def test_an_entry_of_another_case_is_found() -> None:
    entries = log(3)
    foreign = resigned(entries[2], case="day")
    assert found([*entries[:2], foreign]) == [("custody.chain", "log entry 3")]


def test_hostile_numbers_cost_nothing() -> None:
    entries = log(2)
    for number in (10**15, 0, -7):
        entry = resigned(entries[1], number=number)
        assert found([entries[0], entry])
    nonsense = [SignedEntry(body=b"\xff", hash="", key_id="", signature="") for _ in range(3000)]
    assert len(custody.check(nonsense, TRUST, now=NOW)) == 1000


def test_an_entry_written_in_another_way_is_none() -> None:
    body = log(1)[0].body
    assert custody.read_entry(body) is not None
    for other in (body + b" ", body.replace(b'"case"', b' "case"'), b'{"x":1,' + body[1:], b"[]", b"\xff"):
        assert custody.read_entry(other) is None


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64), st.integers(0, 10**6))
def test_a_witness_is_one_line_and_comes_back(case: str, number: int) -> None:
    seen = Head(case=case, number=number, time=START, hash=hashlib.sha256(b"").hexdigest())
    line = custody.witness(seen, SIGNER)
    assert len(line.splitlines()) == 1
    assert line.isascii()
    read = custody.read_witness(f"  {line}\n")
    assert (read.case, read.number, read.hash, read.key_id) == (case, number, seen.hash, SIGNER.key_id)


def test_an_altered_witness_is_told_from_an_altered_log() -> None:
    entries = log(3)
    line = custody.witness(head(entries), SIGNER)
    forged = custody.read_witness(line.replace("number=3", "number=2"))
    assert ("custody.signature", "the witness") in found(entries, expect=forged)
    unknown = custody.check(entries, TRUST, expect=msgspec.structs.replace(forged, key_id="f" * 64), now=NOW)
    assert "custody.signer-unknown" in {problem.code for problem in unknown}
    for text in ("", "cryoscope-head/1", line[:-1], line.replace("/1", "/2"), "x" * 100_000):
        with pytest.raises(UsageError) as caught:
            custody.read_witness(text)
        assert caught.value.code == "custody.witness"


def test_times_are_written_one_way() -> None:
    assert clock.valid(clock.now())
    assert clock.later(START, 1.5) == "2026-01-01T00:00:01.500000Z"
    assert clock.later("9999-12-31T23:59:59.000000Z", 99) == "9999-12-31T23:59:59.999999Z"
    for text in ("", "2026-01-01", START[:-1], "2026-13-01T00:00:00.000000Z", START + "\n"):
        assert not clock.valid(text)


def test_the_entry_of_a_log_is_canonical() -> None:
    entry = Entry(
        case="n", number=1, time=START, action="new", operator="\u00f8", host="h", previous=custody.FIRST
    )
    assert (
        canonical(entry)
        == (
            '{"action":"new","case":"n","host":"h","number":1,"operator":"\u00f8","previous":"'
            + "0" * 64
            + '","time":"2026-01-01T00:00:00.000000Z"}'
        ).encode()
    )
