"""What a hit says, what is one hit, and what is none."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from cryoscope.errors import UsageError
from cryoscope.examine.search import Where, hexadecimal, literal, pattern_file, regex, scan_regions
from cryoscope.examine.search.where import address_range, place_names
from cryoscope.workflows.examine import Asking
from cryoscope.workflows.open import open_checkpoint
from cryoscope.workflows.search import Asked, search_all
from tests.checkpoint.built_samples import vma
from tests.examine.search.search_samples import BASE, PAGE, Made, find, owned, page

NEEDLE = literal("needle-42", encodings=["utf-8"])


def one(pages: dict[int, bytes]) -> Made:
    made = Made()
    made.process(1, pages)
    return made


def test_a_match_across_pages_that_touch_is_found() -> None:
    made = one({0: page(b"needl", -5), 1: page(b"e-42"), 5: page(b"needl", -5)})
    assert owned(find(made.tar(), NEEDLE)) == [(1, BASE + PAGE - 5, 9)]


def test_bytes_that_touch_only_in_the_image_are_no_match() -> None:
    made = one({0: page(b"needl", -5), 7: page(b"e-42")})
    assert find(made.tar(), NEEDLE).hits == []


@pytest.mark.parametrize("pack", [bytes, lambda data: gzip.compress(data, 1)])
def test_a_match_between_a_parents_page_and_an_own_one_is_found(pack: object) -> None:
    made = Made()
    made.process(1, {1: page(b"e-42", 0)}, inherited=[0, 2])
    before = {0: page(b"needl", -5), 1: page(b"needle-42", 100), 2: page(b"needle-42", 9)}
    made.pages("pagemap-1.img", before, folder="pre/")
    made.links["checkpoint/parent"] = "../pre"
    found = find(pack(made.tar()), NEEDLE)  # type: ignore[operator]
    assert owned(found) == [(1, BASE + PAGE - 5, 9), (1, BASE + 2 * PAGE + 9, 9)]
    assert [hit.member for hit in found.hits] == ["pre/pages-1.img"] * 2


def test_a_page_that_a_fork_shares_is_one_hit_and_another_is_not() -> None:
    made = Made()
    same, other = page(b"needle-42", 64), page(b"needle-42!", 64)
    made.process(1, {0: same})
    made.process(2, {0: same}, ppid=1)
    made.process(3, {0: other}, ppid=2)
    made.process(4, {0: same}, ppid=0)  # another tree
    found = find(made.tar(), NEEDLE)
    pids = [[owner.pid for owner in hit.processes] for hit in found.hits]
    assert sorted(pids) == [[1, 2], [3], [4]]


def test_pages_of_no_mapping_and_of_no_process_are_no_hits() -> None:
    made = Made()
    made.process(1, {0: page(b"."), 3: page(b"needle-42")}, vmas=[vma(BASE, BASE + PAGE)])
    made.pages("pagemap-9.img", {0: page(b"needle-42")})  # left over from an earlier dump
    assert find(made.tar(), NEEDLE).hits == []


def test_shared_memory_that_is_mapped_twice_is_one_hit() -> None:
    made = Made()
    status = 0x1 | 0x100  # VMA_AREA_REGULAR, VMA_ANON_SHARED
    shared = {"status": status, "shmid": 77, "flags": 0x21}
    made.process(1, {}, vmas=[vma(BASE, BASE + 2 * PAGE, **shared)])
    made.process(2, {}, ppid=1, vmas=[vma(BASE * 4, BASE * 4 + PAGE, pgoff=PAGE, **shared)])
    made.pages("pagemap-shmem-77.img", {0: page(b"."), 1: page(b"needle-42", 8)}, base=0)
    (hit,) = find(made.tar(), NEEDLE).hits
    assert [(owner.pid, owner.address) for owner in hit.processes] == [
        (1, BASE + PAGE + 8),
        (2, BASE * 4 + 8),
    ]
    assert (hit.place, hit.object, hit.offset) == ("shared", 77, PAGE + 8)


def test_encodings_and_case() -> None:
    text = "Pässword".encode("utf-16-le")
    made = one({0: page(text, 32), 2: page(b"PASSWORD pAssWord \x00\xff\xfe", 7)})
    (hit,) = find(made.tar(), literal("Pässword")).hits
    assert (hit.encoding, hit.match, hit.address) == ("utf-16le", "Pässword", BASE + 32)
    assert len(find(made.tar(), literal("password", ignore_case=True)).hits) == 2
    (hit,) = find(made.tar(), hexadecimal("00 ff:fe")).hits
    assert (hit.match, hit.match_base64) == ("\x00\\xff\\xfe", "AP/+")


def test_a_record_says_where_and_what_is_around() -> None:
    made = one({0: page(b"user=root needle-42 end", 10)})
    (hit,) = find(made.tar(), NEEDLE).hits
    assert hit.vma is not None
    assert hit.context is not None
    assert (hit.vma.perms, hit.member, hit.offset) == ("rw-p", "checkpoint/pages-1.img", 20)
    assert hit.context.text.startswith("..........user=root needle-42 end")
    assert bytes.fromhex(hit.context.hex)[hit.context.before :].startswith(b"needle-42")


@pytest.mark.parametrize(
    ("where", "count"),
    [
        (Where(pids=(1,)), 1),
        (Where(addresses=((BASE, BASE + PAGE),)), 2),
        (Where(addresses=((BASE + PAGE, BASE + 2 * PAGE),)), 0),
        (Where(kinds=("anon",)), 2),
        (Where(kinds=("heap",)), 0),
        (Where(perms="rw?p"), 2),
        (Where(perms="r-x?"), 0),
        (Where(file="/bin/*"), 0),
        (Where(places=("pipe",)), 0),
    ],
)
def test_filters(where: Where, count: int) -> None:
    made = one({0: page(b"needle-42")})
    made.process(2, {0: page(b"needle-42 too")}, ppid=1)
    assert len(find(made.tar(), NEEDLE, where=where).hits) == count


def test_dense_patterns_are_left_out_and_said_so() -> None:
    made = one({place: page(b"") for place in range(80)})
    found = find(made.tar(), [*regex("."), *NEEDLE])
    assert len(found.hits) < 50_000
    assert "more hits left out" in found.notes[0]


def test_a_long_match_over_many_pages() -> None:
    made = one({0: page(b"<", -1), 1: page(b""), 2: page(b">", 10)})
    assert owned(find(made.tar(), regex("<.*?>"))) == [(1, BASE + PAGE - 1, PAGE + 12)]


@pytest.mark.parametrize("bad", ["a*", "(", "x{2", "", "(?=a)"])
def test_what_is_no_pattern_is_refused(bad: str) -> None:
    if bad == "x{2":
        assert regex(bad)  # a literal brace in Python's syntax
        return
    with pytest.raises(UsageError):
        regex(bad)


def test_a_pattern_file() -> None:
    patterns = pattern_file("# words\n\nkey\tAKIA[0-9]{4}\ntext:a.b\nhex:7f45\n")
    assert [pattern.name for pattern in patterns] == ["key", "a.b", "a.b", "7f45"]


def test_places_and_ranges() -> None:
    assert place_names("memory, pipe") == ("memory", "pipe")
    assert address_range("10-0x20") == (16, 32)
    for bad in (lambda: place_names("attic"), lambda: address_range("z"), lambda: address_range("20-10")):
        with pytest.raises(UsageError):
            bad()


# --- real archives ------------------------------------------------------------------------------
KNOWN = [
    ("podman-kitchen-sink.tar.zst", "typed-secret", "tty"),
    ("crio-counter.tar", "MARKER", "ghost"),
    ("crio-counter.tar", "MARKER", "rootfs"),
    ("containerd-counter.tar", "MARKER", "rootfs"),
    ("containerd-looper.tar", "CTRD_SECRET_99", "memory"),
    ("podman-looper-crun.tar.gz", "RANDOM_1432_KEY", "memory"),
    ("docker-looper", "DOCKER_SECRET_77", "memory"),
    ("ctr-image.tar", "CTR_NATIVE_55", "memory"),
    ("podman-image.oci.tar", "PODMAN_IMAGE_66", "memory"),
]


@pytest.mark.parametrize(("name", "text", "place"), KNOWN)
def test_real_archives(data: Path, name: str, text: str, place: str) -> None:
    answer = search_all([str(data / name)], Asked(patterns=literal(text)), Asking())
    (part,) = answer.document.archives
    assert place in {hit.place for hit in part.hits}, part


def test_places_of_the_kitchen_sink(data: Path) -> None:
    asked = Asked(
        patterns=regex("[A-Z]+-[A-Z]{4}[A-Z-]*|typed|[A-Z]{4}-SECRET"),
        where=Where(places=("pipe", "socket", "tty", "message", "shared")),
    )
    answer = search_all([str(data / "podman-kitchen-sink.tar.zst")], asked, Asking())
    (part,) = answer.document.archives
    assert {hit.place for hit in part.hits} == {"pipe", "socket", "tty", "message", "shared"}
    assert all(hit.holders for hit in part.hits if hit.place in ("pipe", "socket", "tty"))


def test_regions_hold_what_a_search_finds(data: Path) -> None:
    with open_checkpoint(str(data / "podman-looper-crun.tar")) as checkpoint:
        places = []
        for region in scan_regions(checkpoint):
            for start, block in region.blocks(4096, overlap=32):
                found_in = re.finditer(b"RANDOM_1432_KEY", block) if region.owners else ()
                places += [region.at(start + match.start()) for match in found_in]
    found = find((data / "podman-looper-crun.tar").read_bytes(), literal("RANDOM_1432_KEY"))
    assert {(hit.member, hit.offset) for hit in found.hits if hit.processes} == set(places)
