"""The order in which evidence comes and goes, and what is left where that is cut short."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cryoscope.checkpoint.archive import BytesSource, FileSource
from cryoscope.errors import UsageError
from cryoscope.evidence import clock, keys
from cryoscope.evidence.blobs import open_blobs
from cryoscope.evidence.catalogue import open_catalogue
from cryoscope.evidence.pieces import Facts, check_name, keys_of
from cryoscope.evidence.ports import BlobMissing, EvidenceError, Filter, NoSuchCase
from cryoscope.evidence.records import KEPT, PRUNED, PRUNING
from cryoscope.evidence.store import ORPHANED, Store

Make = Callable[[], Store]


class Time:
    """A clock that can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> str:
        return clock.later(clock.now(), self.ahead)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def make(tmp_path: Path, time: Time) -> Make:
    signer = keys.signer(str(tmp_path / "signing.pem"))

    def made() -> Store:
        return Store(
            open_catalogue(f"sqlite:///{tmp_path}/catalogue.sqlite"),
            open_blobs(str(tmp_path / "blobs"), home=""),
            signer,
            keys.trust([], own=signer),
            operator="ida",
            host="bench",
            clock=time,
        )

    return made


@pytest.fixture
def store(make: Make) -> Iterator[Store]:
    with make() as found:
        found.new_case("night")
        yield found


@pytest.fixture
def source(data: Path) -> Iterator[FileSource]:
    with FileSource(data / "crio-counter.tar") as found:
        yield found


class Cut(Exception):
    """What a kill is to these tests."""


def cut(monkeypatch: pytest.MonkeyPatch, thing: object, name: str, at: int = 0) -> None:
    """Have the call of that number raise, as if everything ended there."""
    real, calls = getattr(thing, name), [at]

    def called(*arguments: object, **options: object) -> object:
        calls[0] -= 1
        if calls[0] < 0:
            raise Cut
        return real(*arguments, **options)

    monkeypatch.setattr(thing, name, called)


def blobs(store: Store) -> set[str]:
    return {key for key, _ in store.blobs.keys()}  # noqa: SIM118 - a store of blobs is no dict


def test_a_piece_has_its_blobs_and_no_other_is_there(store: Store, source: FileSource) -> None:
    added = store.add("night", source, Facts(name="a.tar"))
    assert blobs(store) == keys_of(added.piece)
    assert store.piece("night", added.piece.sha256) == added.piece
    assert added.entry == store.head("night").number == 2


def test_what_is_read_is_what_was_given(store: Store, source: FileSource) -> None:
    piece = store.add("night", source, Facts(name="a.tar")).piece
    found, original = store.open("night", "a.tar", action="read", reason="because")
    assert found == piece
    assert source.size is not None
    assert original.read_at(0, source.size) == source.read_at(0, source.size)
    assert original.read_at(source.size, 1) == b""
    [*_, last] = store.catalogue.entries("night")
    assert b'"because"' in last.body


def test_who_reads_is_written_down_before_the_bytes_are_asked_for(
    store: Store, source: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add("night", source, Facts(name="a.tar"))
    cut(monkeypatch, store.catalogue, "append")
    cut(monkeypatch, store.blobs, "source")
    with pytest.raises(Cut):
        store.open("night", "a.tar", action="read")
    monkeypatch.undo()
    before = store.head("night").number
    cut(monkeypatch, store.blobs, "source")
    with pytest.raises(Cut):
        store.open("night", "a.tar", action="read")
    assert store.head("night").number == before + 1


def test_an_add_that_ends_before_its_entry_left_nothing_that_counts_and_it_goes_after_a_day(
    store: Store, source: FileSource, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut(monkeypatch, store.catalogue, "append")
    with pytest.raises(Cut):
        store.add("night", source, Facts(name="a.tar"))
    monkeypatch.undo()
    assert store.pieces(Filter()) == []
    left = blobs(store)
    assert len(left) == 2
    assert store.sweep().orphans == []
    kept = store.add("night", source, Facts(name="a.tar"))
    assert kept.new
    time.ahead = ORPHANED + 60
    assert set(store.sweep().orphans) == left
    assert blobs(store) == keys_of(kept.piece)


def test_a_blob_that_was_swept_before_its_entry_is_no_evidence(
    store: Store, source: FileSource, time: Time, monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    """Whoever was suspended for longer than a day between the blob and its entry."""
    real = store.catalogue.append

    def late(*arguments: object) -> object:
        time.ahead = ORPHANED + 60
        with make() as other:
            assert other.sweep().orphans
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(store.catalogue, "append", late)
    with pytest.raises(EvidenceError) as raised:
        store.add("night", source, Facts(name="a.tar"))
    assert raised.value.code == "evidence.swept"
    assert store.pieces(Filter()) == []


@pytest.mark.parametrize("step", ["delete", "append"])
def test_a_prune_that_ends_half_way_is_finished_later(
    store: Store, source: FileSource, step: str, monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    piece = store.add("night", source, Facts(name="a.tar")).piece
    cut(monkeypatch, *((store.blobs, "delete") if step == "delete" else (store.catalogue, "append", 1)))
    with pytest.raises(Cut):
        store.prune(piece, "too old")
    monkeypatch.undo()
    assert store.piece("night", piece.sha256).state == PRUNING
    with pytest.raises(EvidenceError) as raised:
        store.open("night", piece.sha256, action="read")
    assert raised.value.code == "case.piece-pruned"
    with make() as other:
        assert other.finish() == [f"night/{piece.sha256}"]
        assert other.finish() == []
    assert store.piece("night", piece.sha256).state == PRUNED
    assert store.blobs.size(piece.stored.key) is None
    assert blobs(store) == keys_of(piece) - {piece.stored.key}


def test_two_who_prune_the_same_agree(store: Store, source: FileSource, make: Make) -> None:
    piece = store.add("night", source, Facts(name="a.tar")).piece
    with make() as other:
        other.prune(piece, "too old")
    store.prune(piece, "too old")
    assert [entry.body.count(b'"pruned"') for entry in store.catalogue.entries("night")][-1] == 1
    assert store.head("night").number == 4


def test_a_prune_that_another_ended_before_it_was_added_again_is_no_error(
    store: Store, source: FileSource, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    piece = store.add("night", source, Facts(name="a.tar")).piece
    real = store.blobs.delete

    def slow(key: str) -> None:
        real(key)
        with make() as other:
            if other.finish():
                other.add("night", source, Facts(name="a.tar"))

    monkeypatch.setattr(store.blobs, "delete", slow)
    store.prune(piece, "too old")
    [again] = store.pieces(Filter())
    assert (again.state, store.blobs.size(again.stored.key)) == (KEPT, again.stored.size)


def test_a_hold_that_came_after_the_plan_wins(store: Store, source: FileSource) -> None:
    piece = store.add("night", source, Facts(name="a.tar")).piece
    store.hold("night", reference=piece.sha256)
    with pytest.raises(EvidenceError) as raised:
        store.prune(piece, "too old")
    assert raised.value.code == "case.held"
    assert store.blobs.size(piece.stored.key) == piece.stored.size
    store.release("night", reference=piece.sha256)
    store.hold("night")
    with pytest.raises(EvidenceError):
        store.prune(piece, "too old")


def test_whoever_adds_what_another_process_has_just_added_leaves_no_blob(
    store: Store, source: FileSource, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_there", lambda *_: None)  # it looked a moment before the other was done
    with make() as other:
        first = other.add("night", source, Facts(name="a.tar"))
    second = store.add("night", source, Facts(name="b.tar"))
    assert (second.new, second.piece) == (False, first.piece)
    assert blobs(store) == keys_of(first.piece)


def test_a_file_that_is_not_the_expected_one_is_not_kept(store: Store, source: FileSource) -> None:
    with pytest.raises(EvidenceError) as raised:
        store.add("night", source, Facts(name="a.tar"), expect="0" * 64)
    assert raised.value.code == "evidence.changed"
    assert blobs(store) == set()


def test_a_case_that_is_not_there_is_known_before_anything_is_read(store: Store) -> None:
    with pytest.raises(NoSuchCase):
        store.add("day", BytesSource(b"", "x"), Facts(name="x"))


def test_a_blob_that_somebody_took_away_is_missing(store: Store, source: FileSource) -> None:
    piece = store.add("night", source, Facts(name="a.tar")).piece
    store.blobs.delete(piece.stored.key)
    with pytest.raises(BlobMissing):
        store.open("night", piece.sha256, action="read")


@pytest.mark.parametrize("name", ["night", "2026-11", "a.b", "A_b-C.9"])
def test_a_name_that_a_case_can_have(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a..b", "a/b", "../x", ".x", "x.", "a b", "ä", "x" * 65, "a\n"]
)
def test_a_name_that_no_case_can_have(name: str) -> None:
    with pytest.raises(UsageError):
        check_name(name)
