"""A row of the table of CRIU's errors."""

from __future__ import annotations

import re
from typing import NamedTuple

NEWER = "use a newer CRIU"
SAME_MOUNTS = "declare the same mounts as the dumped container had, or restore with the engine that dumped it"
OUTSIDE = "capture the container through its engine, or end what the process shares with others"


class Row(NamedTuple):
    """A stable code, its meaning (with groups of `shows`), its cure, and what of a line shows it."""

    code: str
    what: str
    cure: str
    shows: re.Pattern[str]


def row(code: str, what: str, cure: str, *fragments: str) -> Row:
    """A row that any of these regular expressions shows."""
    return Row("criu." + code, what, cure, re.compile("|".join(fragments)))
