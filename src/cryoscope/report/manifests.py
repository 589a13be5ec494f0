"""Objects of Kubernetes as YAML, with what is to be known of them in comments: for eyes and for kubectl."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryoscope import needs
from cryoscope.report.engines import MARKS, restored
from cryoscope.text import escape

WIDE = 1000
"""Columns of a line before YAML would fold it."""


def manifests(part: Any, width: int | None) -> list[str]:
    """The pods of one archive: the manifests themselves, or what became of them once they were applied."""
    if not part.manifests or part.restored:
        return restored(part, width)
    return [*_comments(part), *_documents(part.manifests)]


def _comments(part: Any) -> Iterator[str]:
    for each in part.concerns:
        yield f"# {MARKS[each.weight]}  {escape(each.what)}"
        if each.cure:
            yield f"#       {escape(each.cure)}"
    yield from (f"# cleaned  {escape(claim.what)} ({claim.code})" for claim in part.cleaned)
    yield from (f"# warning  {escape(line)}" for line in part.warnings)


def _documents(documents: list[dict[str, Any]]) -> Iterator[str]:
    """One document after the other; what is not ASCII is escaped in quotes, as YAML has it."""
    yaml = needs.module("yaml")
    for document in documents:
        yield "---"
        yield from yaml.safe_dump(document, sort_keys=False, width=WIDE).rstrip("\n").split("\n")
