"""What is found is exactly what `re.finditer` finds on each run of contiguous addresses."""

from __future__ import annotations

import gzip
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoscope.errors import UsageError
from cryoscope.examine.search import regex
from cryoscope.examine.search.engine import Engine
from tests.examine.search.search_samples import PAGE, Made, find, owned, truth

EXPRESSIONS = [
    r"ab",
    r"a",
    r"[ab]{3}",
    r"a+b?",
    r"a*b",
    r"(?:ab|abc)c?",
    r"abcc|bc",
    r"a.*?c",
    r"a[ab]*c",
    r"(a|b)\1",
    r"(?<=a)b",
    r"b(?=c)",
    r"\bab?\b",
    r"(?i)AB?c",
    r"(?<!a)b+(?!c)",
    r"^a+$",
    r"[^a]b{2,}",
    r"(?:a{2,3}b){1,2}",
    r"c.{0,3}a",
    r"(?:a|ab)(?:c|bcc)",
    r"a++b",
    r"[a-b]+c+?",
    r"\w+@\w+\.c",
    r"(?s:.)c{2}",
    r"(?>a+|b)c",
]


def memory(seed: int, text: bytes = b"aabbcc.@ \n") -> bytes:
    """An archive of two or three processes with few letters in many small runs."""
    rng = random.Random(seed)

    def filled() -> bytes:
        blank = rng.choice([b".", b"..\n"]) * PAGE
        head, tail = (bytes(rng.choices(text, k=24)) for _ in range(2))
        return head + blank[: PAGE - 48] + tail

    made = Made()
    for pid in range(1, rng.randint(2, 4)):
        places = sorted(rng.sample(range(10), rng.randint(1, 8)))
        inherited = [place for place in places if rng.random() < 0.4]
        before = {place: filled() for place in {*inherited, *rng.sample(range(10), 3)}}
        made.process(
            pid, {p: filled() for p in places if p not in inherited}, ppid=pid - 1, inherited=inherited
        )
        made.pages(f"pagemap-{pid}.img", before, folder="pre/")
    made.links["checkpoint/parent"] = "../pre"
    return made.tar()


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_search_finds_what_re_finds(expression: str, slow: bool) -> None:
    patterns = regex(expression)
    for seed in range(12):
        data = memory(seed)
        wanted = sorted(truth(data, patterns[0].compiled))
        assert owned(find(data, patterns, slow=slow)) == wanted, (expression, seed)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_stream_gives_the_same(expression: str) -> None:
    patterns = regex(expression)
    for seed in range(4):
        data = memory(seed)
        wanted = sorted(truth(data, patterns[0].compiled))
        assert owned(find(gzip.compress(data, 1), patterns)) == wanted, (expression, seed)


ATOMS = st.sampled_from(["a", "b", "c", "[ab]", "[^a]", ".", "ab", r"\w", r"\b", "(?=a)", "(?<=b)"])
REPEATS = st.sampled_from(["", "", "?", "??", "{2}", "{1,3}", "{1,3}?", "{0,2}+"])
ENDLESS = st.sampled_from(["", "a*", "[ab]+", "[^a]+?", "b{2,}"])


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """Random regular expressions over three letters, with one endless repeat: more take for ever."""

    def part(depth: int) -> str:
        pieces = []
        for _ in range(draw(st.integers(1, 3))):
            if depth and draw(st.booleans()):
                atom = f"({part(depth - 1)}|{part(depth - 1)})"
            else:
                atom = draw(ATOMS)
            repeat = "" if atom in (r"\b", "(?=a)", "(?<=b)") else draw(REPEATS)
            pieces.append(atom + repeat if len(atom) != 2 or not repeat else f"(?:{atom}){repeat}")
        return "".join(pieces)

    return part(1) + draw(ENDLESS) + part(1)


# The same examples every time: `re` takes hours for one in some thousands of such expressions.
@settings(max_examples=60, derandomize=True)
@given(expressions(), st.integers(0, 1000))
def test_any_expression_over_any_memory(expression: str, seed: int) -> None:
    try:
        patterns = regex(expression)
    except UsageError:
        return
    data = memory(seed, b"abc\n")
    wanted = sorted(truth(data, patterns[0].compiled))
    for slow in (False, True):
        assert owned(find(data, patterns, slow=slow)) == wanted, slow


def test_two_engines_agree_on_many_patterns_at_once() -> None:
    patterns = [pattern for expression in EXPRESSIONS for pattern in regex(expression)]
    data = memory(7)
    fast, slow = find(data, patterns), find(data, patterns, slow=True)
    assert fast.counts == slow.counts
    assert not Engine(patterns).slow()
