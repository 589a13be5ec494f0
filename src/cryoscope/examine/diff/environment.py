"""Environments: variables that came, went, or have another value."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.checkpoint.process import Variable
from cryoscope.examine.diff.aspect import Aspect, Sides, Thing, compare, difference, numbered, who
from cryoscope.examine.diff.records import UNKNOWN, Difference

NAME = "environment"


def _compare(sides: Sides) -> Iterator[Difference]:
    for pair in sides.matching.pairs:
        old = sides.old.environment(pair.old.pid)
        new = sides.new.environment(pair.new.pid)
        if old is not None and new is not None:
            yield from compare(NAME, _table(old), _table(new), who(pair))
        elif old is not new:
            yield difference(NAME, UNKNOWN, "environment", who(pair))


def _table(variables: list[Variable]) -> dict[str, Thing]:
    rows = ((one.name, one.value or "") for one in variables)
    return numbered((name, Thing(value, {"value": value})) for name, value in rows)


ASPECT = Aspect(NAME, re.compile(r"mm-|pid |pages|pagemap"), _compare)
