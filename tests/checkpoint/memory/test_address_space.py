"""Reading memory by address: across pages and mappings, what is missing and why, hostile page maps."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from built_samples import PAGE, Fields, image, made, one_process, pagemap, vma
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.memory import AddressSpace, pages
from cryoscope.errors import LimitExceeded, MemoryMissing

PARENT, LAZY, PRESENT = 1, 2, 4
FILE_PRIVATE, FILE_SHARED, GUARD, VVAR, VSYSCALL, MEMFD = 0x41, 0x81, 1 << 16, 0x1201, 0x204, 0x4081
SYSVIPC, ANON_SHARED = 0x501, 0x101


def filled(*letters: str) -> bytes:
    return b"".join(letter.encode() * PAGE for letter in letters)


def space_of(checkpoint: Checkpoint, pid: int = 1) -> AddressSpace:
    found = checkpoint.memory(pid)
    assert found is not None
    return found


def code_of(space: AddressSpace, start: int, length: int = 1) -> str:
    with pytest.raises(MemoryMissing) as missing:
        space.read(start, length)
    assert missing.value.hint
    return missing.value.code


def test_across_pages_runs_and_mappings() -> None:
    vmas = [vma(0x1000, 0x4000), vma(0x4000, 0x6000)]
    space = space_of(one_process(vmas, [(0x1000, 1, 4), (0x3000, 2, 4)], filled("a", "b", "c")))
    assert space.read(0x1000, 0x5000) == filled("a", "\0", "b", "c", "\0")
    assert space.read(0x3FFE, 4) == b"bbcc"
    assert space.read(0x1FFF, 2) == b"a\0"
    assert space.read(0x1000, 0) == b""
    assert [(v.dumped, v.zero) for v in space.vmas] == [(2, 1), (1, 1)]


def test_where_the_bytes_lie() -> None:
    space = space_of(one_process([vma(0x1000, 0x4000)], [(0x1000, 1, 4), (0x3000, 1, 4)], filled("a", "b")))
    assert [tuple(run) for run in space.runs(0x1800, 0x2000)] == [
        (0x1800, 0x800, "dumped", "checkpoint/pages-1.img", 0x800),
        (0x2000, 0x1000, "zero", None, -1),
        (0x3000, 0x800, "dumped", "checkpoint/pages-1.img", 0x1000),
    ]


STATES: dict[str, tuple[Fields, list[tuple[int, int, int]], str]] = {
    "not mapped": (vma(0x9000, 0xA000), [], "memory.unmapped"),
    "clean page of a file": (vma(0x1000, 0x2000, FILE_PRIVATE), [], "memory.file"),
    "page of a shared file": (vma(0x1000, 0x2000, FILE_SHARED, flags=1), [], "memory.file"),
    "left behind by a lazy dump": (vma(0x1000, 0x2000), [(0x1000, 1, LAZY)], "memory.lazy"),
    "in a parent that is not there": (vma(0x1000, 0x2000), [(0x1000, 1, PARENT)], "memory.unknown"),
    "the kernel's own": (vma(0x1000, 0x2000, VVAR), [], "memory.unknown"),
    "vsyscall": (vma(0x1000, 0x2000, VSYSCALL), [], "memory.unknown"),
    "a guard": (vma(0x1000, 0x2000, GUARD), [], "memory.unknown"),
    "a shared object without pages": (vma(0x1000, 0x2000, ANON_SHARED, shmid=9), [], "memory.unknown"),
}


@pytest.mark.parametrize("why", STATES)
def test_missing_is_not_zero(why: str) -> None:
    mapping, entries, code = STATES[why]
    space = space_of(one_process([mapping], entries, b""))
    assert code_of(space, 0x1000) == code
    assert space.read_known(0x1000, PAGE) == b""


def test_untouched_private_memory_is_zero() -> None:
    space = space_of(one_process([vma(0x1000, 0x3000)], [], b""))
    assert space.read(0x1000, 0x2000) == bytes(0x2000)
    assert space.vmas[0].zero == 2


def test_a_changed_page_of_a_file_is_there_and_its_neighbour_is_not() -> None:
    space = space_of(one_process([vma(0x1000, 0x3000, FILE_PRIVATE)], [(0x2000, 1, PRESENT)], filled("x")))
    assert space.read(0x2000, PAGE) == filled("x")
    assert code_of(space, 0x1FFF, 2) == "memory.file"
    assert [(v.file, v.dumped) for v in space.vmas] == [(1, 1)]


def test_lazy_pages_that_were_dumped_are_there() -> None:
    space = space_of(one_process([vma(0x1000, 0x2000)], [(0x1000, 1, LAZY | PRESENT)], filled("z")))
    assert space.read(0x1000, PAGE) == filled("z")


def test_cut_short() -> None:
    space = space_of(one_process([vma(0x1000, 0x3000)], [(0x1000, 2, PRESENT)], filled("a") + b"bbb"))
    assert space.read(0x1000, PAGE + 3) == filled("a") + b"bbb"
    assert code_of(space, 0x1000, PAGE + 4) == "memory.truncated"
    assert space.read_known(0x1000, 2 * PAGE) == filled("a") + b"bbb"


def test_known_up_to_what_is_missing() -> None:
    space = space_of(one_process([vma(0x1000, 0x2000)], [(0x1000, 1, PRESENT)], filled("k")))
    assert space.read_known(0x1FFE, 100) == b"kk"


def test_bounded() -> None:
    space = space_of(one_process([vma(0x1000, 0x1000 + (1 << 40))], [], b""))
    with pytest.raises(LimitExceeded):
        space.read(0x1000, limits.MEMORY_READ + 1)


def test_a_guard_cuts_only_itself_out_of_its_mapping() -> None:
    """As CRIU writes the stacks of threads: the guard's entry lies inside the mapping's."""
    vmas = [vma(0x1000, 0x4000), vma(0x1000, 0x2000, GUARD, prot=0, flags=0)]
    checkpoint = one_process(vmas, [(0x3000, 1, PRESENT)], filled("s"))
    space = space_of(checkpoint)
    assert checkpoint.damaged == []
    assert space.read(0x2000, 0x2000) == filled("\0", "s")
    assert code_of(space, 0x1000) == "memory.unknown"
    assert [vma.kind for vma in space.vmas] == ["anon", "guard"]
    (stack, guard) = space.vmas
    assert (stack.dumped, stack.zero, stack.unknown, guard.unknown) == (1, 1, 1, 1)


def test_guards_in_the_middle_and_at_the_end() -> None:
    vmas = [vma(0x1000, 0x6000), vma(0x2000, 0x3000, GUARD), vma(0x5000, 0x6000, GUARD)]
    space = space_of(one_process(vmas, [(0x1000, 1, 4), (0x3000, 2, 4)], filled(*"acd")))
    assert (space.read(0x1000, PAGE), space.read(0x3000, 2 * PAGE)) == (filled("a"), filled("c", "d"))
    assert {code_of(space, at) for at in (0x2000, 0x5000)} == {"memory.unknown"}


@pytest.mark.parametrize(
    "vmas",
    [
        [vma(0x1000, 0x3000), vma(0x2000, 0x4000)],
        [vma(0x1000, 0x3000), vma(0x1000, 0x3000)],
        [vma(0x1000, 0x3000), vma(0x8000, 0x8000)],
        [vma(0x1000, 0x3000), vma(0x9000, 0x8000)],
    ],
)
def test_mappings_that_cannot_be_are_named(vmas: list[Fields]) -> None:
    checkpoint = one_process(vmas, [], b"")
    assert [(vma.start, vma.end) for vma in space_of(checkpoint).vmas] == [(0x1000, 0x3000)]
    assert [damaged.code for damaged in checkpoint.damaged] == ["memory.vma"]


def shared(status: int, **fields: int) -> Checkpoint:
    """Two processes that map the same object, one of them from its second page on."""
    from built_samples import core, mm, tree

    files = {
        "files.img": image(
            "FILES",
            {
                "type": 18,
                "id": 7,
                "memfd": {"id": 7, "flags": 2, "pos": 0, "fown": FOWN, "inode_id": 3},
            },
        ),
        "memfd.img": image(
            "MEMFD_INODE",
            {"name": b"mem", "uid": 0, "gid": 0, "size": 0x3000, "shmid": 9, "seals": 0, "inode_id": 3},
        ),
    }
    return made(
        files
        | {
            "pstree.img": tree((1, 0), (2, 1)),
            "core-1.img": core(),
            "core-2.img": core(),
            "mm-1.img": mm([vma(0x10000, 0x13000, status, flags=1, **fields)]),
            "mm-2.img": mm([vma(0x70000, 0x72000, status, flags=1, pgoff=0x1000, **fields)]),
            "pagemap-1.img": pagemap(),
            "pagemap-2.img": pagemap(),
            "pagemap-shmem-9.img": pagemap((0x1000, 1, PRESENT), pages_id=5),
            "pages-5.img": filled("o"),
        }
    )


FOWN = {"uid": 0, "euid": 0, "signum": 0, "pid_type": 0, "pid": 0}


@pytest.mark.parametrize(
    ("status", "shmid", "kind"),
    [(MEMFD, 7, "memfd"), (SYSVIPC, 9, "sysv-shm"), (ANON_SHARED, 9, "shared-anon")],
)
def test_shared_objects_by_offset(status: int, shmid: int, kind: str) -> None:
    checkpoint = shared(status, shmid=shmid)
    first, second = space_of(checkpoint, 1), space_of(checkpoint, 2)
    assert (first.vmas[0].kind, first.vmas[0].object_id) == (kind, 9)
    assert first.read(0x10000, 0x3000) == filled("\0", "o", "\0")
    assert second.read(0x70000, 0x2000) == filled("o", "\0")
    assert [tuple(run)[3:] for run in second.runs(0x70010, 1)] == [("checkpoint/pages-5.img", 0x10)]


def test_stack_is_where_the_stack_pointer_began() -> None:
    space = space_of(one_process([vma(0x1000, 0x2000), vma(0x8000, 0x9000)], [], b"", mm_start_stack=0x8800))
    assert [vma.kind for vma in space.vmas] == ["anon", "stack"]


# --- against a model ----------------------------------------------------------------------------
class World(NamedTuple):
    """Mappings and page map entries, in pages."""

    vmas: list[tuple[int, int]]
    entries: list[tuple[int, int, int]]


KINDS = {"anon": 0x201, "file": FILE_PRIVATE}
flags = st.sampled_from([PRESENT, PRESENT, PRESENT, PARENT, LAZY])


@st.composite
def worlds(draw: st.DrawFn, *, hostile: bool = False) -> World:
    """Up to 40 pages; hostile ones have entries in any order, of any length, over each other."""
    edges = sorted(draw(st.sets(st.integers(1, 40), max_size=10)))
    vmas = list(zip(edges[::2], edges[1::2], strict=False))
    if hostile:
        entry = st.tuples(st.integers(0, 40), st.integers(0, 12), flags)
        return World(vmas, draw(st.lists(entry, max_size=12)))
    marks = sorted(draw(st.sets(st.integers(0, 42), max_size=16)))
    pairs = zip(marks[::2], marks[1::2], strict=False)
    return World(vmas, [(low, high - low, draw(flags)) for low, high in pairs])


def model(world: World, first: int, last: int, size: int) -> bytes | str:
    """What reading pages `first` up to `last` gives: bytes, or why the first missing page is missing."""
    held: dict[int, bytes | str] = {}
    end = offset = 0
    placed = []
    for at, pages_, flag in world.entries:
        placed.append((at, pages_, flag, offset))
        offset += pages_ if flag & PRESENT else 0
    for at, pages_, flag, place in sorted(placed, key=lambda row: row[0]):
        for page in range(max(at, end), at + pages_):
            held[page] = page_bytes(place + page - at, size) if flag & PRESENT else WHY[flag]
        end = max(end, at + pages_)
    found = b""
    for page in range(first, last):
        if not any(low <= page < high for low, high in world.vmas):
            return "memory.unmapped"
        known = held.get(page, bytes(size))
        if isinstance(known, str):
            return known
        found += known
    return found


WHY = {PARENT: "memory.unknown", LAZY: "memory.lazy"}


def page_bytes(number: int, size: int) -> bytes:
    return number.to_bytes(4, "big") * (size // 4)


def checkpoint_of(world: World) -> Checkpoint:
    total = sum(count for _, count, flag in world.entries if flag & PRESENT)
    return one_process(
        [vma(low * PAGE, high * PAGE) for low, high in world.vmas],
        [(at * PAGE, count, flag) for at, count, flag in world.entries],
        b"".join(page_bytes(number, PAGE) for number in range(total)),
    )


def agrees(world: World, first: int, length: int) -> None:
    space = space_of(checkpoint_of(world))
    expected = model(world, first, first + length, PAGE)
    if isinstance(expected, bytes):
        assert space.read(first * PAGE, length * PAGE) == expected
    else:
        assert code_of(space, first * PAGE, length * PAGE) == expected
    # without gaps, in order, whatever is asked
    position = first * PAGE
    for run in space.runs(first * PAGE, length * PAGE):
        assert run.start == position
        assert run.length > 0
        position += run.length
    assert position == (first + length) * PAGE
    for mapped in space.vmas:
        states = (mapped.dumped, mapped.parent, mapped.zero, mapped.file, mapped.lazy, mapped.unknown)
        assert sum(states) == mapped.pages


@given(worlds(), st.integers(0, 44), st.integers(0, 44))
@settings(max_examples=150, deadline=None)
def test_reads_what_the_model_says(world: World, first: int, length: int) -> None:
    agrees(world, first, length)


@given(worlds(hostile=True), st.integers(0, 44), st.integers(0, 44))
@settings(max_examples=200, deadline=None)
def test_overlapping_and_unsorted_page_maps(world: World, first: int, length: int) -> None:
    agrees(world, first, length)


@given(worlds(hostile=True), st.integers(0, 44), st.integers(0, 44))
@settings(max_examples=100, deadline=None)
def test_large_page_maps_are_read_alike(world: World, first: int, length: int) -> None:
    """Large ones are held in arrays of numpy: the same answers from those."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "COLUMNS_FROM", 0)
        agrees(world, first, length)


@given(worlds(hostile=True))
@settings(max_examples=60, deadline=None)
def test_disorder_is_named(world: World) -> None:
    ends, disorder = 0, False
    for at, count, _ in world.entries:
        disorder |= at < ends
        ends = at + count
    checkpoint = checkpoint_of(world)
    space_of(checkpoint)
    assert [damaged.code for damaged in checkpoint.damaged] == ["memory.pagemap-order"] * disorder


HUGE = st.integers(0, (1 << 64) - 1)


@given(
    st.lists(
        st.tuples(HUGE, HUGE, st.sampled_from([0x201, 0x41, 0x4081, 0x501, GUARD, 0]), HUGE), max_size=6
    ),
    st.lists(st.tuples(HUGE, st.integers(0, 1 << 40), flags), max_size=6),
    HUGE,
)
@settings(max_examples=150, deadline=None)
def test_any_numbers_at_all(
    vmas: list[tuple[int, int, int, int]], entries: list[tuple[int, int, int]], address: int
) -> None:
    """Mappings to the end of the address space, offsets past it, entries of a pebibyte."""
    mapped = [vma(low, high, status, pgoff=offset) for low, high, status, offset in vmas]
    checkpoint = one_process(mapped, entries, b"")
    space = space_of(checkpoint)
    assert len(space.vmas) <= len(vmas)
    assert sum(run.length for run in space.runs(address, 1 << 20)) == 1 << 20
    assert len(space.read_known(address, 64)) <= 64


def test_damage_in_a_page_map_leaves_what_stands_before_it() -> None:
    from built_samples import core, mm, tree

    files = {
        "pstree.img": tree((1, 0)),
        "core-1.img": core(),
        "mm-1.img": mm([vma(0x1000, 0x4000)]),
        "pagemap-1.img": pagemap((0x1000, 1, PRESENT), (0x3000, 1, PRESENT))[:-3],
        "pages-1.img": filled("a", "b"),
    }
    for columns_from in (pages.COLUMNS_FROM, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pages, "COLUMNS_FROM", columns_from)
            checkpoint = made(files)
            assert space_of(checkpoint).read(0x1000, PAGE) == filled("a")
            assert [damaged.part for damaged in checkpoint.damaged] == ["checkpoint/pagemap-1.img"]
