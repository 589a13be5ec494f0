"""What every catalogue must do: the tests that SQLite and PostgreSQL share.

A class that derives from this has a fixture `url`: a database of its own for each test.
"""

from __future__ import annotations

import contextlib
import itertools
import uuid
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cryoscope import limits
from cryoscope.errors import CryoscopeError
from cryoscope.evidence.catalogue import open_catalogue, projection
from cryoscope.evidence.catalogue.sql import SqlCatalogue
from cryoscope.evidence.catalogue.tables import METADATA, PIECES, REVISIONS, VERSION
from cryoscope.evidence.ports import AmbiguousPiece, EvidenceError, Filter, NoSuchCase, NoSuchPiece
from cryoscope.evidence.records import PRUNED, PRUNING, Head, Piece, Stored
from tests.evidence.catalogue_samples import (
    add,
    code,
    digest,
    entry,
    execute,
    many,
    moment,
    new,
    piece,
    problems_of_chain,
    sign,
    sign_add,
    signed,
    whole,
)

LONG = "x" * 5000
FULL = piece(
    7,
    captured=moment(3),
    engine="podman",
    container="web",
    container_id="f" * 64,
    pod="web-0",
    namespace="shop",
    node="node-1",
    image="registry.example/shop/web:1@sha256:" + "0" * 64,
    stored=Stored(
        key="data/x", size=5, sha256="1" * 64, forms=["zstd-frames", "age"], recipients=["age1x"], index="i"
    ),
)
"""A piece of which everything is known."""


class CatalogueContract:
    """Cases, pieces, the log; what is refused; what goes on at once; what is damaged."""

    @pytest.fixture
    def catalogue(self, url: str) -> Iterator[SqlCatalogue]:
        opened = open_catalogue(url)
        yield opened
        opened.close()

    # --- cases, pieces, the log ---
    def test_a_new_case_is_listed_and_empty(self, catalogue: SqlCatalogue) -> None:
        for name in ("b", "a"):
            new(catalogue, name)
        assert [case.name for case in catalogue.cases()] == ["a", "b"]
        case = catalogue.case("a")
        assert (case.created, case.operator, case.description) == (moment(1), "alice", "what happened in a")
        assert (case.pieces, case.size, case.head, case.hold) == (0, 0, 1, False)

    def test_a_piece_comes_back_as_it_was_added(self, catalogue: SqlCatalogue) -> None:
        new(catalogue)
        add(catalogue, FULL, piece(1))
        assert catalogue.piece("c", FULL.sha256) == FULL
        assert catalogue.piece("c", piece(1).sha256) == piece(1)
        assert catalogue.pieces(Filter()) == [FULL, piece(1)]
        case = catalogue.case("c")
        assert (case.pieces, case.size, case.head) == (2, 5 + 101, 3)

    def test_a_captured_piece_is_one_like_an_added_one(self, catalogue: SqlCatalogue) -> None:
        new(catalogue)
        catalogue.append("c", sign_add(FULL, "capture"))
        assert catalogue.piece("c", FULL.name) == FULL

    def test_a_piece_is_found_by_its_first_digits_and_by_its_name(self, catalogue: SqlCatalogue) -> None:
        new(catalogue)
        one, other = piece(1, sha256="abcd0" + "0" * 59), piece(2, sha256="abcd1" + "1" * 59)
        add(catalogue, one, other)
        for reference in (one.sha256, "abcd0", "ABCD0000", one.name):
            assert catalogue.piece("c", reference) == one
        for reference in ("abcd2", "abc", "", "nothing", "abcd0" * 20, "%", "_bcd0", LONG):
            with pytest.raises(NoSuchPiece):
                catalogue.piece("c", reference)
        with pytest.raises(AmbiguousPiece):
            catalogue.piece("c", "abcd")
        with pytest.raises(NoSuchCase):
            catalogue.piece("d", one.sha256)

    def test_a_name_means_what_is_there_before_what_was_pruned(self, catalogue: SqlCatalogue) -> None:
        new(catalogue)
        gone, here, third = (piece(number, name="web.tar") for number in (1, 2, 3))
        add(catalogue, gone, here)
        assert code(lambda: catalogue.piece("c", "web.tar")) == "case.piece-ambiguous"
        for action in ("prune", "pruned"):
            catalogue.append("c", sign(action, gone.sha256))
        assert catalogue.piece("c", "web.tar") == here
        assert catalogue.piece("c", gone.sha256).state == PRUNED
        add(catalogue, third)
        assert code(lambda: catalogue.piece("c", "web.tar")) == "case.piece-ambiguous"

    def test_each_field_of_a_filter_chooses(self, catalogue: SqlCatalogue) -> None:
        new(catalogue)
        new(catalogue, "d")
        other = piece(9, "d", engine="docker", container="db", pod="db-0", namespace="x", node="n", image="i")
        add(catalogue, FULL, other)
        catalogue.append("d", sign("prune", other.sha256))
        for name in ("case", "sha256", "state", "engine", "container", "pod", "namespace", "node", "image"):
            assert catalogue.pieces(Filter(**{name: getattr(FULL, name)})) == [FULL], name
            assert catalogue.pieces(Filter(**{name: "' OR 1=1 --\0"})) == [], name
        assert catalogue.pieces(Filter(case="c", engine="docker")) == []

    def test_pieces_come_newest_first_between_times_and_not_too_many(self, catalogue: SqlCatalogue) -> None:
        new(catalogue)
        add(catalogue, *map(piece, (3, 1, 5, 2, 4)))
        add(catalogue, piece(6, added=moment(5)))

        def numbers(**wanted: Any) -> list[int]:
            return [found.size - 1000 for found in catalogue.pieces(Filter(**wanted))]

        assert numbers() == [6, 5, 4, 3, 2, 1]
        assert numbers(added_from=moment(2), added_to=moment(4)) == [4, 3, 2]
        assert numbers(limit=2) == [6, 5]
        assert numbers(limit=0) == []

    def test_holds_of_a_piece_and_of_its_case_count(self, catalogue: SqlCatalogue) -> None:
        new(catalogue)
        new(catalogue, "d")
        add(catalogue, piece(1), piece(2), piece(3, "d"))
        catalogue.append("c", sign("hold", piece(1).sha256))
        catalogue.append("c", sign("hold", piece(1).sha256))
        catalogue.append("d", sign("hold"))
        held = catalogue.pieces(Filter(held=True))
        assert [(found.sha256, found.holds) for found in held] == [
            (piece(3, "d").sha256, 0),
            (piece(1).sha256, 2),
        ]
        assert catalogue.pieces(Filter(held=False)) == [piece(2)]
        catalogue.append("c", sign("release", piece(1).sha256))
        assert catalogue.piece("c", piece(1).sha256).holds == 1
        catalogue.append("d", sign("release"))
        assert catalogue.case("d").hold is False

    def test_the_log_comes_whole_in_order_or_behind_an_entry(self, catalogue: SqlCatalogue) -> None:
        new(catalogue)
        for _ in range(249):
            catalogue.append("c", sign("note"))
        entries = list(catalogue.entries("c"))
        assert [projection.read(one).number for one in entries] == [*range(1, 251)]
        assert problems_of_chain(entries) == []
        assert list(catalogue.entries("c", after=240)) == entries[240:]
        assert list(catalogue.entries("unknown")) == []

    def test_the_head_is_the_newest_entry(self, catalogue: SqlCatalogue) -> None:
        new(catalogue)
        catalogue.append("c", sign("note"))
        last = list(catalogue.entries("c"))[-1]
        assert catalogue.head("c") == Head(case="c", number=2, time=moment(2), hash=last.hash)
        with pytest.raises(NoSuchCase):
            catalogue.head("d")

    # --- what is refused, and leaves nothing ---
    def test_what_makes_no_sense_is_refused_and_not_in_the_log(self, catalogue: SqlCatalogue) -> None:
        new(catalogue)
        add(catalogue, piece(1), piece(2), piece(3))
        one, two, three, unknown = (piece(number).sha256 for number in (1, 2, 3, 4))
        catalogue.append("c", sign("prune", two))
        for action in ("prune", "pruned"):
            catalogue.append("c", sign(action, three))
        before = list(catalogue.entries("c"))
        builtins = msgspec.to_builtins(piece(5))
        for expected, refused in {
            "case.exists": [sign("new")],
            "case.piece-exists": [sign_add(piece(1)), sign_add(piece(2))],
            "case.piece-unknown": [
                sign(action, unknown) for action in ("hold", "release", "prune", "pruned", "read", "note")
            ]
            + [sign("prune"), sign("pruned")],
            "case.not-held": [sign("release"), sign("release", one)],
            "case.piece-kept": [sign("pruned", one)],
            "case.piece-pruned": [
                sign("hold", two),
                sign("prune", two),
                sign("prune", three),
                sign("pruned", three),
            ],
            "custody.entry": [
                sign("explode"),
                sign("add"),
                sign("add", one, details={"piece": "no"}),
                sign("add", one, details={"piece": builtins}),
                sign("add", "..", details={"piece": builtins | {"sha256": ".."}}),
                sign_add(piece(5, size=-1)),
                sign_add(piece(5, size=1 << 63)),
                sign("note", details={"text": "x" * limits.CUSTODY_ENTRY}),
            ],
            "custody.chain": [
                sign("note", number=99),
                sign("note", previous="1" * 64),
                sign("note", case="d"),
                lambda head: msgspec.structs.replace(signed(entry(head, "note")), hash="2" * 64),
            ],
        }.items():
            for attempt in refused:
                assert code(lambda attempt=attempt: catalogue.append("c", attempt)) == expected
        assert list(catalogue.entries("c")) == before
        whole(catalogue, "c")

    def test_a_case_that_is_not_there_takes_no_entry(self, catalogue: SqlCatalogue) -> None:
        assert code(lambda: catalogue.append("c", sign("note"))) == "case.unknown"
        assert code(lambda: catalogue.append("c" * 201, sign("new"))) == "case.name"
        assert code(lambda: catalogue.append("c", sign("new", details={"description": 5}))) == "custody.entry"
        assert catalogue.cases() == []
        assert list(catalogue.entries("c")) == []

    def test_a_hold_wins_even_when_pruning_was_planned_before_it(self, catalogue: SqlCatalogue) -> None:
        new(catalogue)
        add(catalogue, piece(1))
        for target in (piece(1).sha256, None):
            catalogue.append("c", sign("hold", target))
            assert code(lambda: catalogue.append("c", sign("prune", piece(1).sha256))) == "case.held"
            catalogue.append("c", sign("release", target))
        catalogue.append("c", sign("prune", piece(1).sha256))
        assert catalogue.piece("c", piece(1).sha256).state == PRUNING

    def test_what_was_pruned_may_be_added_again(self, catalogue: SqlCatalogue) -> None:
        new(catalogue)
        add(catalogue, piece(1), piece(2))
        for action in ("prune", "pruned"):
            catalogue.append("c", sign(action, piece(1).sha256))
            assert (catalogue.case("c").pieces, catalogue.case("c").size) == (1, 102)
        again = piece(3, sha256=piece(1).sha256)
        add(catalogue, again)
        assert catalogue.piece("c", again.sha256) == again
        assert (catalogue.case("c").pieces, catalogue.case("c").size) == (2, 205)
        whole(catalogue, "c")

    def test_a_signer_that_fails_leaves_nothing_and_no_lock(self, catalogue: SqlCatalogue) -> None:
        new(catalogue)

        def fails(head: Head) -> Any:
            raise EvidenceError("the key is gone")

        assert code(lambda: catalogue.append("c", fails)) == "evidence.failed"
        catalogue.append("c", sign("note"))
        assert whole(catalogue, "c") == 2

    def test_texts_of_strangers_are_kept_as_far_as_a_column_goes(self, catalogue: SqlCatalogue) -> None:
        new(catalogue)
        for number, hostile in enumerate(
            (
                "a\0b",
                LONG,
                "\u202egpj.exe",
                "'; DROP TABLE evidence_pieces; --",
                "\U0001f600" * 600,
                "%s %(x)s :y",
            )
        ):
            texts = dict.fromkeys(("name", "container", "pod", "namespace", "node", "image"), hostile)
            added = piece(number, **texts, stored=Stored(key=hostile, size=1, sha256="1" * 64))
            add(catalogue, added)
            found = catalogue.pieces(Filter(container=hostile, pod=hostile, case="c"))
            assert [one.sha256 for one in found] == [added.sha256]
            assert found[0].container == projection.text(hostile)
            assert found[0].stored == added.stored
            assert catalogue.piece("c", hostile) == found[0]
        whole(catalogue, "c")

    # --- a log, replayed ---
    @settings(max_examples=25, suppress_health_check=[*HealthCheck])
    @given(st.data())
    def test_rows_are_what_the_log_amounts_to(self, catalogue: SqlCatalogue, data: st.DataObject) -> None:
        case = uuid.uuid4().hex
        new(catalogue, case)
        steps = st.tuples(
            st.sampled_from(["add", "capture", "hold", "release", "prune", "pruned", "read", "note"]),
            st.one_of(st.none(), st.integers(0, 3)),
        )
        for action, number in data.draw(st.lists(steps, max_size=25)):
            one = None if number is None else piece(number, case)
            adds = action in ("add", "capture") and one is not None
            with contextlib.suppress(CryoscopeError):  # what is refused must leave no trace, which comes next
                catalogue.append(case, sign_add(one, action) if adds else sign(action, one and one.sha256))
        whole(catalogue, case)
        kept = [found for found in catalogue.pieces(Filter(case=case)) if found.state == "kept"]
        now = catalogue.case(case)
        assert (now.pieces, now.size) == (len(kept), sum(found.stored.size for found in kept))

    def test_edited_rows_are_named(self, catalogue: SqlCatalogue) -> None:
        new(catalogue)
        add(catalogue, *map(piece, range(1, 6)))
        sha = [piece(number).sha256 for number in range(6)]
        execute(catalogue, "UPDATE evidence_pieces SET size = 1, container = 'x' WHERE sha256 = :s", s=sha[1])
        execute(catalogue, "DELETE FROM evidence_pieces WHERE sha256 = :s", s=sha[2])
        execute(catalogue, "UPDATE evidence_pieces SET sha256 = :n WHERE sha256 = :s", n="0" * 64, s=sha[3])
        execute(catalogue, "UPDATE evidence_cases SET description = 'nothing'")
        found = projection.differences(catalogue.snapshot("c"), projection.replay(catalogue.entries("c")))
        assert {problem.code for problem in found} == {"custody.catalogue"}
        said = {problem.piece: problem.what for problem in found}
        assert said == {
            None: "the log says otherwise of description",
            sha[1]: "the log says otherwise of size, container",
            sha[2]: "the log has it, the catalogue does not",
            sha[3]: "the log has it, the catalogue does not",
            "0" * 64: "the log knows nothing of it",
        }

    def test_a_damaged_row_is_an_error_that_names_it(self, catalogue: SqlCatalogue) -> None:
        new(catalogue)
        add(catalogue, piece(1))
        for wrong in ("{", "{}", '"x"', '{"key": 1, "size": 1, "sha256": ""}'):
            execute(catalogue, "UPDATE evidence_pieces SET stored = :x", x=wrong)
            with pytest.raises(EvidenceError, match=piece(1).sha256) as caught:
                catalogue.pieces(Filter())
            assert caught.value.code == "evidence.catalogue-damaged"
        execute(catalogue, "UPDATE evidence_entries SET body = :x WHERE number = 2", x=b"\xff{")
        assert code(lambda: catalogue.head("c")) == "custody.entry"
        assert code(lambda: catalogue.append("c", sign("note"))) == "custody.entry"

    def test_an_entry_that_was_made_long_is_not_read_whole(self, catalogue: SqlCatalogue) -> None:
        new(catalogue)
        execute(catalogue, "UPDATE evidence_entries SET body = :x", x=b" " * (3 * limits.CUSTODY_ENTRY))
        assert [len(one.body) for one in catalogue.entries("c")] == [limits.CUSTODY_ENTRY + 1]

    # --- tables ---
    def test_the_migrations_make_the_tables_that_the_code_knows(self, catalogue: SqlCatalogue) -> None:
        def ours(thing: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
            return name != VERSION

        with catalogue._database.reading() as connection:
            context = MigrationContext.configure(
                connection, opts={"include_object": ours, "compare_type": True}
            )
            assert compare_metadata(context, METADATA) == []
        assert [column.name for column in PIECES.c][1:] == [*Piece.__struct_fields__][: len(PIECES.c) - 1]

    def test_the_tables_of_a_later_release_are_left_alone(self, url: str, catalogue: SqlCatalogue) -> None:
        execute(catalogue, f"UPDATE {VERSION} SET version_num = 'r9999'")
        assert code(lambda: open_catalogue(url)) == "evidence.catalogue-newer"
        execute(catalogue, f"UPDATE {VERSION} SET version_num = :v", v=REVISIONS[-1])
        open_catalogue(url).close()

    # --- several at once ---
    def test_processes_that_open_a_new_catalogue_at_once_all_succeed(self, url: str) -> None:
        assert len(many("opening", url, 6)) == 6
        catalogue = open_catalogue(url)
        assert len(catalogue.cases()) == 6
        catalogue.close()

    def test_of_processes_that_make_one_case_one_does(self, url: str, catalogue: SqlCatalogue) -> None:
        said = sorted(word for words in many("making", url, "c", 5) for word in words)
        assert said == ["case.exists"] * 4 + ["made"]
        assert whole(catalogue, "c") == 1

    def test_two_processes_on_one_case_lose_nothing(self, url: str, catalogue: SqlCatalogue) -> None:
        new(catalogue)
        said = many("appending", url, "c", 2, 200)
        assert sorted(number for numbers in said for number in numbers) == [*range(2, 402)]
        assert whole(catalogue, "c") == 401
        assert catalogue.case("c").pieces == len(catalogue.pieces(Filter(case="c"))) == 400

    def test_what_was_appended_outlives_a_kill_and_nothing_is_half(
        self, url: str, catalogue: SqlCatalogue
    ) -> None:
        self.killed(url, catalogue, 15)

    @pytest.mark.long
    def test_a_hundred_kills_lose_nothing(self, url: str, catalogue: SqlCatalogue) -> None:
        self.killed(url, catalogue, 100)

    def killed(self, url: str, catalogue: SqlCatalogue, kills: int) -> None:
        new(catalogue)
        said = many("killing", url, "c", kills, digest(kills))
        assert len(said) == kills
        for numbers, following in itertools.pairwise(said):
            # What began afterwards found what the killed one had been told is kept, and one more at most.
            assert numbers == [*range(numbers[0], numbers[-1] + 1)]
            assert following[0] - numbers[-1] in (0, 1)
        assert whole(catalogue, "c") - said[-1][-1] in (0, 1)
        assert said[-1][-1] > kills
