"""Pruning a real store: told before, done on request, in the log, and never what is held."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cryoscope.checkpoint.archive import BytesSource, TarWriter
from cryoscope.errors import Refused, UsageError
from cryoscope.evidence.pieces import Facts
from cryoscope.evidence.ports import Filter
from cryoscope.evidence.records import KEPT, PRUNED
from cryoscope.evidence.retention import Rule
from cryoscope.evidence.store import Store
from cryoscope.settings import Retention, settings
from cryoscope.workflows.budget import check, free_at
from cryoscope.workflows.documents import encode
from cryoscope.workflows.prune import PrunePart, prune, prune_store, rules_of
from cryoscope.workflows.store import store_for

TWO = Rule(count=2)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user with a store and settings of their own."""
    monkeypatch.setenv("CRYOSCOPE_HOME", str(tmp_path / "store"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("CRYOSCOPE_SETTINGS", str(tmp_path / "settings.toml"))
    set_to(tmp_path, "")
    yield tmp_path
    settings.cache_clear()


def set_to(home: Path, text: str) -> None:
    (home / "settings.toml").write_text(text)
    settings.cache_clear()


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with store_for("add") as found:
        found.new_case("one")
        found.new_case("two")
        yield found


def add(store: Store, case: str, *names: str, container: str = "web") -> None:
    for name in names:
        facts = Facts(name=name, container=container)
        packed = io.BytesIO()
        with TarWriter(packed) as writer:
            writer.add("pages-1.img", name.encode() * 1000)
        store.add(case, BytesSource(packed.getvalue(), name), facts, frames=False)


def kept(store: Store, case: str | None = None) -> list[str]:
    return sorted(piece.name for piece in store.pieces(Filter(case=case, state=KEPT)))


def part(answer: object) -> PrunePart:
    [found] = answer.document.archives  # type: ignore[attr-defined]
    return found  # type: ignore[no-any-return]


def test_a_dry_run_tells_and_changes_nothing(store: Store) -> None:
    add(store, "one", "a", "b", "c")
    head = store.head("one")
    answer = prune(store, [TWO])
    [gone] = part(answer).gone
    assert (gone.name, gone.done, gone.why, part(answer).kept) == ("a", False, "count: more than 2", 2)
    assert kept(store) == ["a", "b", "c"]
    assert store.head("one") == head


def test_what_goes_is_gone_and_the_log_says_why(store: Store) -> None:
    add(store, "one", "a", "b")
    add(store, "two", "c", "d")
    blobs = {piece.name: piece.stored.key for piece in store.pieces(Filter())}
    answer = prune(store, [TWO], dry_run=False, reason="spring")
    assert [(each.name, each.done) for each in part(answer).gone] == [("a", True), ("b", True)]
    assert part(answer).freed == sum(each.size for each in part(answer).gone)
    assert kept(store) == ["c", "d"]
    assert [store.blobs.size(blobs[name]) is None for name in "abcd"] == [True, True, False, False]
    assert {piece.name for piece in store.pieces(Filter(state=PRUNED))} == {"a", "b"}
    log = [each.body for each in store.catalogue.entries("one")][-4:]
    assert [b'"prune"' in each or b'"pruned"' in each for each in log] == [True] * 4
    assert b"count: more than 2" in log[0]
    assert b"spring" in log[0]
    assert part(prune(store, [TWO], dry_run=False)).gone == []


def test_one_case_is_pruned_as_if_there_were_no_other(store: Store) -> None:
    add(store, "one", "a", "b", "c")
    add(store, "two", "d", "e", "f")
    prune(store, [TWO], case="two", dry_run=False)
    assert (kept(store, "one"), kept(store, "two")) == (["a", "b", "c"], ["e", "f"])


def test_what_is_held_stays(store: Store) -> None:
    add(store, "one", "a", "b")
    add(store, "two", "c", "d", "e")
    store.hold("one", reason="court")
    store.hold("two", reference="c", reason="court")
    prune(store, [Rule(count=1)], dry_run=False)
    assert kept(store) == ["a", "b", "c", "e"]


def test_a_hold_that_comes_in_between_wins(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add(store, "one", "a", "b", "c")
    plain = store.prune

    def late(piece: object, why: str, *, reason: str = "") -> None:
        with store_for("hold", "one") as other:
            other.hold("one", reason="court")
        plain(piece, why, reason=reason)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "prune", late)
    answer = prune(store, [TWO], dry_run=False)
    assert (answer.exit_code, part(answer).kept, part(answer).freed) == (0, 3, 0)
    assert [(each.done, "hold" in str(each.left)) for each in part(answer).gone] == [(False, True)]
    assert kept(store) == ["a", "b", "c"]


def test_pruning_also_finishes_what_a_kill_left(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add(store, "one", "a", "b", "c")
    with monkeypatch.context() as patch:
        patch.setattr(store.blobs, "delete", lambda _key: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            prune(store, [TWO], dry_run=False)
    prune(store, [TWO], dry_run=False)
    assert [piece.name for piece in store.pieces(Filter(state=PRUNED))] == ["a"]
    assert kept(store) == ["b", "c"]


def test_rules_come_from_the_settings_unless_given(home: Path, store: Store) -> None:
    add(store, "one", "a", "b", "c")
    with pytest.raises(UsageError) as told:
        prune_store()
    assert told.value.code == "retention.no-rules"
    set_to(home, '[[retention]]\nper = "container"\ncount = 1\n\n[[retention]]\nage = "90d"\n')
    assert rules_of([]) == [Rule(per="container", count=1), Rule(age=90 * 86400)]
    assert [each.name for each in part(prune_store()).gone] == ["a", "b"]
    assert [each.name for each in part(prune_store([Retention(count=2)], case="one")).gone] == ["a"]
    prune_store(dry_run=False)
    assert kept(store) == ["c"]


def test_whom_no_role_lets_prune_prunes_nothing(home: Path, store: Store) -> None:
    add(store, "one", "a")
    set_to(home, '[roles.reader]\nusers = ["*"]\nmay = ["read"]\n')
    with pytest.raises(Refused) as told:
        prune_store([Retention(age="1s")], dry_run=False)
    assert told.value.code == "role.refused"
    assert kept(store) == ["a"]


def test_the_document_says_what_went(store: Store) -> None:
    add(store, "one", "a", "b", "c")
    text = encode(prune(store, [TWO]).document)
    assert b'"schema": "cryoscope.prune/1"' in text
    assert b'"dry_run": true' in text


def test_a_store_beyond_its_budget_takes_no_more(home: Path, store: Store) -> None:
    add(store, "one", "a", "b")
    there = sum(case.size for case in store.cases())
    assert there >= 2000
    set_to(home, f'[budget]\nstore = "{there + 500}"\n')
    check(store, 500, settings())
    with pytest.raises(Refused) as told:
        check(store, 501, settings())
    assert (told.value.code, told.value.exit_code, "prune" in told.value.hint) == ("budget.store", 4, True)
    prune(store, [Rule(count=1)], dry_run=False)
    check(store, 501, settings())


def test_what_must_stay_free_stays_free(home: Path, store: Store) -> None:
    free = free_at(str(home))
    assert free is not None
    set_to(home, '[budget]\nfree = "1B"\n')
    check(store, 1, settings())
    check(str(home / "not" / "there" / "yet"), 1, settings())
    set_to(home, '[budget]\nfree = "100PiB"\n')
    for place in (store, str(home), str(home / "not" / "there" / "yet"), ""):
        with pytest.raises(Refused) as told:
            check(place, 1, settings())
        assert told.value.code == "budget.disk"


def test_without_a_budget_everything_goes(home: Path, store: Store) -> None:
    check(store, 1 << 60, settings())
    check(os.fspath(home), 1 << 60, settings())


def test_a_budget_that_makes_no_sense_is_told(home: Path, store: Store) -> None:
    set_to(home, '[budget]\nstore = "much"\n')
    with pytest.raises(UsageError) as told:
        check(store, 1, settings())
    assert told.value.code == "retention.size"
