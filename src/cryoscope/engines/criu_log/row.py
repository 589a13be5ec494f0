"""A row of the table of CRIU's errors."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

NEWER = "use a newer CRIU"
SAME_MOUNTS = "declare the same mounts as the dumped container had, or restore with the engine that dumped it"
OUTSIDE = "capture the container through its engine, or end what the process shares with others"


compiled = functools.cache(re.compile)
"""Nothing is compiled before something has failed: the table costs a twentieth of a second."""


class Row(NamedTuple):
    """A stable code, its meaning (with groups of `pattern`), its cure, and what of a line shows it."""

    code: str
    what: str
    cure: str
    pattern: str

    @property
    def shows(self) -> re.Pattern[str]:
        return compiled(self.pattern)


def row(code: str, what: str, cure: str, *fragments: str) -> Row:
    """A row that any of these regular expressions shows."""
    return Row("criu." + code, what, cure, "|".join(fragments))
