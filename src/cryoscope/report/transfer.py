"""What was pushed or pulled, in a few lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryoscope.report.units import size


def transfer(part: Any, _width: int | None) -> Iterator[str]:
    """The name, the digest that it means, and how much of it had to travel."""
    yield f"{part.reference}@{part.digest}" if "@" not in part.reference else part.reference
    if part.output:
        yield f"  written to {part.output}"
    ways = [f"{size(part.sent)} of {size(part.size)} sent"]
    if part.there:
        ways.append(f"{part.there} of {part.blobs} blobs were there")
    if part.mounted:
        ways.append(f"{part.mounted} taken over within the registry")
    yield "  " + ", ".join(ways)
