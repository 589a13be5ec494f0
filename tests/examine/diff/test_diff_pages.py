"""Pages that differ are found exactly, whatever else the page maps say, in archives of every form."""

from __future__ import annotations

import itertools

import pytest
from diff_samples import BASE, PLACES, PRESENT, checkpoint, compared, packed, process, tree
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.examine.diff import Wanted, compare
from cryoscope.examine.diff.changed import Asked
from cryoscope.examine.diff.records import MemoryDifference, Pages
from cryoscope.examine.search import literal
from tests.checkpoint.built_samples import PAGE, core, image, made, mm, pagemap, tar, vma

SIZE = 24
PARENT, LAZY = 1, 2
CONTENTS = [bytes([n]) * PAGE for n in (0, 1, 2)] + [b"\x01" * (PAGE - 1) + b"\x02"]

contents = st.dictionaries(st.integers(0, SIZE - 1), st.sampled_from(CONTENTS), max_size=SIZE)


def memory_of(old: Checkpoint, new: Checkpoint) -> MemoryDifference:
    found = compare(old, new).diff.memory
    assert found is not None
    return found


def expected(old: dict[int, bytes], new: dict[int, bytes]) -> tuple[Pages, set[int]]:
    """The counts, and which pages changed; what was not dumped was never touched."""
    both = old.keys() | new.keys()
    zero = bytes(PAGE)
    changed = {number for number in both if old.get(number, zero) != new.get(number, zero)}
    return Pages(equal=len(both) - len(changed), changed=len(changed), zero=SIZE - len(both)), changed


def changed_pages(found: MemoryDifference) -> set[int]:
    runs = [run for one in found.processes for vma in one.mappings for run in vma.runs]
    assert all(run.change == "changed" for run in runs)
    return {(run.address - BASE) // PAGE + n for run in runs for n in range(run.pages)}


@settings(max_examples=60)
@given(contents, contents)
def test_pages_that_changed_are_found_exactly(old: dict[int, bytes], new: dict[int, bytes]) -> None:
    counts, changed = expected(old, new)
    files = [process(pages=pages, mapped=SIZE) for pages in (old, new)]
    found = memory_of(checkpoint(files[0]), checkpoint(files[1]))
    assert found.total == counts
    assert changed_pages(found) == changed


@settings(max_examples=30)
@given(contents, contents, st.integers(0, 3))
def test_the_form_of_an_archive_makes_no_difference(
    old: dict[int, bytes], new: dict[int, bytes], which: int
) -> None:
    counts, changed = expected(old, new)
    forms = []
    for files, gz in zip(
        (process(pages=old, mapped=SIZE), process(pages=new, mapped=SIZE)),
        (which & 1, which & 2),
        strict=True,
    ):
        inside = {"inventory.img": image("INVENTORY", {"img_version": 2}), "pstree.img": tree((1, 0))} | files
        forms.append(packed(files) if gz else tar({f"checkpoint/{n}": d for n, d in inside.items()}))
    found = compared(*forms).diff.memory
    assert found is not None
    assert found.total == counts
    assert changed_pages(found) == changed


@settings(max_examples=20)
@given(st.sets(st.integers(0, 1279), max_size=6), st.integers(1, 3))
def test_changes_in_memory_of_many_blocks(planted: set[int], gap: int) -> None:
    """More than a job's worth of pages, in runs, one byte changed in some of them."""
    numbers = [n for n in range(1280) if n % 300 >= gap]
    old = {n: n.to_bytes(4, "little") * (PAGE // 4) for n in numbers}
    new = {n: data[:-1] + b"!" if n in planted else data for n, data in old.items()}
    found = memory_of(
        checkpoint(process(pages=old, mapped=1280)), checkpoint(process(pages=new, mapped=1280))
    )
    assert changed_pages(found) == planted & old.keys()
    assert found.total.equal == len(numbers) - len(planted & old.keys())


def shared(pages: dict[int, bytes], number: int) -> dict[str, bytes]:
    """A process and its child that map one shared object."""
    where = vma(BASE, BASE + SIZE * PAGE, status=0x101, flags=0x21, shmid=number)
    own = {
        "pagemap-1.img": pagemap(),
        "pagemap-2.img": pagemap(pages_id=2),
        "pages-2.img": b"",
        "pages-1.img": b"",
    }
    rows = [(n * PAGE, 1, PRESENT) for n in sorted(pages)]
    return own | {
        "core-1.img": core(),
        "core-2.img": core(),
        "mm-1.img": mm([where], **PLACES),
        "mm-2.img": mm([where], **(PLACES | {"mm_start_brk": 5})),
        f"pagemap-shmem-{number}.img": pagemap(*rows, pages_id=9),
        "pages-9.img": b"".join(pages[n] for n in sorted(pages)),
    }


def test_a_shared_object_is_compared_once_whatever_its_number() -> None:
    old, new = {0: CONTENTS[1], 1: CONTENTS[2], 5: CONTENTS[1]}, {0: CONTENTS[1], 1: CONTENTS[3]}
    family = ((1, 0), (2, 1))
    found = memory_of(checkpoint(shared(old, 70), *family), checkpoint(shared(new, 81), *family))
    (one,) = found.objects
    assert (one.object_before, one.object, one.pids) == (70, 81, [1, 2])
    assert one.pages == Pages(equal=1, changed=2, zero=3) == found.total
    assert [(run.address, run.pages) for run in one.runs] == [(PAGE, 1), (5 * PAGE, 1)]


FILE = 0x41
"""Status of a private mapping of a file."""


def test_pages_of_a_file_are_new_when_they_are_written_to_and_unknown_is_never_equal() -> None:
    place = [vma(BASE, BASE + 4 * PAGE, status=FILE, shmid=7)]
    clean = process(vmas=place, pages={0: CONTENTS[1]})
    dirty = process(vmas=place, pages={0: CONTENTS[1], 2: CONTENTS[2]})
    total = memory_of(checkpoint(clean), checkpoint(dirty)).total
    assert total == Pages(equal=1, new=1, file=2)
    assert memory_of(checkpoint(dirty), checkpoint(clean)).total == Pages(equal=1, gone=1, file=2)


@pytest.mark.parametrize("flags", [PARENT, LAZY])
def test_pages_that_are_missing_are_unknown(flags: int) -> None:
    """The parent of an incremental dump is not there; a lazy page stayed on its host."""
    old = process(pages={0: CONTENTS[1], 1: CONTENTS[1]})
    new = old | {
        "pagemap-1.img": pagemap((BASE, 1, PRESENT), (BASE + PAGE, 1, flags)),
        "pages-1.img": CONTENTS[1],
    }
    for a, b in itertools.permutations((old, new)):
        found = memory_of(checkpoint(a), checkpoint(b))
        assert found.total == Pages(equal=1, zero=6, unknown=1)
    assert memory_of(checkpoint(new), checkpoint(new)).total.unknown == 1


def test_the_pages_of_a_parent_are_followed() -> None:
    full = process(pages={0: CONTENTS[1], 1: CONTENTS[1], 2: CONTENTS[2]})
    child = full | {
        "pagemap-1.img": pagemap((BASE, 1, PARENT), (BASE + PAGE, 1, PRESENT), (BASE + 2 * PAGE, 1, PARENT)),
        "pages-1.img": CONTENTS[3],
    }
    both = {f"checkpoint/{name}": data for name, data in child.items()} | {
        f"pre/{name}": data for name, data in full.items() if name.startswith("page")
    }
    new = made(both | {"checkpoint/pstree.img": tree((1, 0))}, {"checkpoint/parent": "../pre"})
    total = memory_of(checkpoint(full), new).total
    assert total == Pages(equal=2, changed=1, zero=5)


def test_a_page_map_that_is_lost_or_cut_says_nothing_about_the_pages() -> None:
    whole = process(pages={0: CONTENTS[1], 3: CONTENTS[2]})
    lost = {name: data for name, data in whole.items() if name != "pagemap-1.img"}
    assert memory_of(checkpoint(whole), checkpoint(lost)).total == Pages(unknown=8)
    cut = whole | {"pagemap-1.img": whole["pagemap-1.img"][:-3]}
    total = memory_of(checkpoint(whole), checkpoint(cut)).total
    assert total == Pages(equal=1, unknown=7)
    short = whole | {"pages-1.img": CONTENTS[1]}
    found = compare(checkpoint(whole), checkpoint(short))
    assert found.diff.memory is not None
    assert found.diff.memory.total == Pages(equal=1, zero=6, unknown=1)
    assert [d.code for d in found.new_damaged] == ["memory.truncated"]
    assert found.old_damaged == []


def test_mappings_that_came_and_went() -> None:
    old = process(vmas=[vma(BASE, BASE + 2 * PAGE)], pages={0: CONTENTS[1], 1: CONTENTS[1]})
    moved = [vma(BASE + PAGE, BASE + 4 * PAGE, prot=5)]
    new = process(vmas=moved, pages={1: CONTENTS[1], 3: CONTENTS[2]})
    found = memory_of(checkpoint(old), checkpoint(new))
    assert found.total == Pages(equal=1, gone=1, new=1)
    runs = [(run.change, run.address) for vma_ in found.processes[0].mappings for run in vma_.runs]
    assert runs == [("gone", BASE), ("new", BASE + 3 * PAGE)]


def test_the_lines_that_differ_are_dumped_and_nothing_else() -> None:
    old = {0: bytes(PAGE), 1: b"a" * PAGE}
    new = {0: bytes(PAGE), 1: b"a" * 40 + b"SECRET-7" + b"a" * (PAGE - 48)}
    pair = checkpoint(process(pages=old)), checkpoint(process(pages=new))
    found = compare(*pair, Wanted(dump=Asked())).diff.bytes
    (line,) = found
    assert (line.address, line.size, line.pid) == (BASE + PAGE + 32, 16, 1)
    assert bytes.fromhex(line.new or "") == b"a" * 8 + b"SECRET-7"
    assert bytes.fromhex(line.old or "") == b"a" * 16
    assert compare(*pair, Wanted(dump=Asked(start=BASE, end=BASE + PAGE))).diff.bytes == []


def test_only_changed_and_new_pages_are_searched() -> None:
    word = b"needle".ljust(PAGE, b".")
    old = process(pages={0: word, 1: b"x" * PAGE, 2: word})
    new = process(pages={0: word, 1: word, 2: b"y" * 9 + word[9:], 5: word})
    child = process(2, places={"mm_start_code": 77}, pages={4: word})
    pair = checkpoint(old), checkpoint(new | child, (1, 0), (2, 1))
    hits = compare(*pair, Wanted(patterns=literal("needle"))).diff.hits
    places = {(owner.pid, (owner.address - BASE) // PAGE) for hit in hits for owner in hit.processes}
    assert places == {(1, 1), (1, 5), (2, 4)}
