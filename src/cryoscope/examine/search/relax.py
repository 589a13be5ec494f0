"""A regular expression of `re` as a simpler one that finds at least as much, for a fast engine.

What the simple one finds is a *candidate*; `confirm` has `re` decide.  Assertions are dropped, back
references become what they refer to, and what an expression may go on with at its end is cut away, so
that an engine that reports every end of every match reports few.  A run of one set of bytes at the
beginning is cut to its shortest, too; `lead` remembers it, so that the true start is found by walking
back.

The tree is that of `re._parser`, Python's own: no second understanding of the syntax.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from cryoscope import limits

_parser: Any = import_module("re._parser")

MANY = limits.SEARCH_SPAN
ALL = frozenset(range(256))
DIGITS = frozenset(b"0123456789")
SPACES = frozenset(b" \t\n\r\f\v")
WORDS = frozenset(byte for byte in range(128) if chr(byte).isalnum()) | {ord("_")}
CATEGORIES = {"DIGIT": DIGITS, "SPACE": SPACES, "WORD": WORDS}
REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
NOTHING = ("AT", "ASSERT", "ASSERT_NOT")

Items = Sequence[tuple[Any, Any]]


class TooHardError(Exception):
    """An expression that cannot be relaxed; `re` searches it alone."""


class Piece(NamedTuple):
    """A part of the simple expression, and the fewest and most bytes that it matches."""

    text: str
    least: int
    most: int


class Relaxed(NamedTuple):
    """The simple expression and what is known of the true one.

    A simple match takes `least` to `most` bytes; a true one begins up to `back` bytes before it (all
    of them in `lead`) and reaches at most `longest` bytes; assertions look `around` that far.
    """

    expression: bytes
    least: int
    most: int
    lead: bytes
    back: int
    longest: int
    around: int


def relax(expression: bytes, flags: int) -> Relaxed:
    """The simple form of an expression that `re` compiles; raises TooHardError."""
    try:
        tree = _parser.parse(expression, flags)
        writer = _Writer(tree.state.flags)
        items = [*tree]
        lead, back, trimmed = writer.head(items)
        cut = writer.sequence(writer.cut(trimmed))
        whole = writer.sequence(items)
    except RecursionError:
        raise TooHardError("it is nested too deeply") from None
    if cut.least == 0:
        raise TooHardError("what is left of it without assertions matches the empty text")
    longest = min(MANY, whole.most)
    return Relaxed(cut.text.encode("ascii"), cut.least, cut.most, lead, back, longest, writer.around)


class _Writer:
    """Writes trees as expressions without assertions, references and flags."""

    def __init__(self, flags: int) -> None:
        if flags & re.LOCALE:
            raise TooHardError("it depends on the locale")
        self.flags = flags
        self.around = 1
        self._groups: dict[int, Items] = {}

    def sequence(self, items: Items) -> Piece:
        pieces = [self.item(op, argument) for op, argument in items]
        most = min(MANY, sum(piece.most for piece in pieces))
        return Piece("".join(piece.text for piece in pieces), sum(piece.least for piece in pieces), most)

    def item(self, op: Any, argument: Any) -> Piece:
        name = str(op)
        if name in REPEATS:
            return self._repeat(*argument)
        if name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            return Piece(_class(self._set(name, argument)), 1, 1)
        write: Callable[[Any], Piece] | None = getattr(self, f"_{name.lower()}", None)
        if write is None:
            raise TooHardError(f"it has {name.lower()}")
        return write(argument)

    # --- one function a kind of node --------------------------------------------------------
    def _branch(self, argument: Any) -> Piece:
        return self._choice([self.sequence(items) for items in argument[1]])

    def _subpattern(self, argument: Any) -> Piece:
        group, added, removed, items = argument
        if group is not None:
            self._groups[group] = items
        before, self.flags = self.flags, (self.flags | added) & ~removed
        piece = self.sequence(items)
        self.flags = before
        return piece._replace(text=f"(?:{piece.text})")

    def _atomic_group(self, items: Any) -> Piece:
        piece = self.sequence(items)
        return piece._replace(text=f"(?:{piece.text})")

    def _groupref(self, group: int) -> Piece:
        piece = self.sequence(self._groups.get(group, ()))
        if len(piece.text) > limits.SEARCH_PATTERN:
            raise TooHardError("its references grow too long")
        return piece._replace(text=f"(?:{piece.text})")

    def _groupref_exists(self, argument: Any) -> Piece:
        _, yes, no = argument
        return self._choice([self.sequence(yes), self.sequence(no or ())])

    def _at(self, _argument: Any) -> Piece:
        return Piece("", 0, 0)

    def _assert(self, argument: Any) -> Piece:
        self.around = max(self.around, self.sequence(argument[1]).most)
        return Piece("", 0, 0)

    _assert_not = _assert

    def _failure(self, _argument: Any) -> Piece:
        raise TooHardError("a part of it never matches")

    def _repeat(self, least: int, most: int, items: Items) -> Piece:
        inner = self.sequence(items)
        most = int(most)
        bound = "" if most > MANY else str(most)
        if inner.most == 0 or most == 0:
            return Piece("", 0, 0)
        text = f"(?:{inner.text}){{{int(least)},{bound}}}"
        return Piece(text, int(least) * inner.least, min(MANY, most * inner.most))

    @staticmethod
    def _choice(pieces: list[Piece]) -> Piece:
        text = "(?:" + "|".join(piece.text for piece in pieces) + ")"
        return Piece(text, min(p.least for p in pieces), max(p.most for p in pieces))

    # --- sets of bytes ----------------------------------------------------------------------
    def _set(self, name: str, argument: Any) -> frozenset[int]:
        if name == "ANY":
            return ALL if self.flags & re.DOTALL else ALL - {10}
        if name == "IN":
            return self._members(argument)
        found = self._folded({argument})
        return ALL - found if name == "NOT_LITERAL" else found

    def _members(self, members: Any) -> frozenset[int]:
        found: set[int] = set()
        negated = False
        for op, argument in members:
            name = str(op)
            if name == "NEGATE":
                negated = True
            elif name == "LITERAL":
                found.add(argument)
            elif name == "RANGE":
                found.update(range(argument[0], argument[1] + 1))
            else:
                found |= _category(str(argument))
        folded = self._folded(found)
        return ALL - folded if negated else folded

    def _folded(self, found: set[int]) -> frozenset[int]:
        if not self.flags & re.IGNORECASE:
            return frozenset(found)
        return frozenset(found) | frozenset(bytes(found).swapcase())

    # --- the ends ---------------------------------------------------------------------------
    def cut(self, items: Items) -> list[tuple[Any, Any]]:
        """The items without what the last of them may go on with."""
        kept = [(op, argument) for op, argument in items if str(op) not in NOTHING]
        while kept:
            op, argument = kept[-1]
            name = str(op)
            if name in REPEATS and argument[0] == 0:
                kept.pop()
                continue
            if name in REPEATS:
                kept[-1] = (op, (argument[0], argument[0], argument[2]))
            elif name == "SUBPATTERN":
                kept[-1] = (op, (*argument[:3], self.cut(argument[3])))
            elif name == "BRANCH":
                kept[-1] = (op, (argument[0], [self.cut(branch) for branch in argument[1]]))
            break
        return kept

    def head(self, items: Items) -> tuple[bytes, int, Items]:
        """The set of bytes that the first item repeats, how much more often than it must, and the
        items with it repeated as often as it must."""
        for place, (op, argument) in enumerate(items):
            if str(op) in NOTHING:
                continue
            if str(op) not in REPEATS or len(argument[2]) != 1:
                break
            inner, value = argument[2][0]
            least, most = argument[0], int(argument[1])
            if least == most or str(inner) not in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
                break
            shorter = [(op, (least, least, argument[2]))] if least else []
            rest = [*items[:place], *shorter, *items[place + 1 :]]
            if self.sequence(self.cut(rest)).least == 0:
                break
            return bytes(sorted(self._set(str(inner), value))), min(MANY, most - least), rest
        return b"", 0, items


def _category(name: str) -> frozenset[int]:
    words = name.removeprefix("CATEGORY_")
    found = CATEGORIES.get(words.removeprefix("NOT_"))
    if found is None:
        raise TooHardError(f"it has {name.lower()}")
    return ALL - found if words.startswith("NOT_") else found


def _class(found: frozenset[int]) -> str:
    """A set of bytes as a class that `re` and the fast engine read alike."""
    if not found:
        raise TooHardError("a part of it never matches")
    if len(found) == 1:
        return f"\\x{min(found):02x}"
    ranges: list[list[int]] = []
    for byte in sorted(found):
        if ranges and byte == ranges[-1][1] + 1:
            ranges[-1][1] = byte
        else:
            ranges.append([byte, byte])
    return "[" + "".join(f"\\x{low:02x}-\\x{high:02x}" for low, high in ranges) + "]"
