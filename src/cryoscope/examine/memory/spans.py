"""Ranges of numbers, `(low, high)` without `high`: what is covered, and what is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Span = tuple[int, int]


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same numbers in rising spans that do not touch."""
    found: list[Span] = []
    for low, high in sorted(spans):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        elif low < high:
            found.append((low, high))
    return found


def gaps(covered: Iterable[Span], low: int, high: int) -> Iterator[Span]:
    """What of `low` up to `high` the spans, merged ones, leave out."""
    for start, end in covered:
        if start >= high:
            break
        if start > low:
            yield low, start
        low = max(low, end)
    if low < high:
        yield low, high
