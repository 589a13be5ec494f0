"""What each process may do: users, groups, capabilities, seccomp, labels, namespaces."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.checkpoint.process import Credentials
from cryoscope.examine.diff.aspect import Aspect, OneToOne, Sides, difference, fields, picked, who
from cryoscope.examine.diff.match import Pair
from cryoscope.examine.diff.records import UNKNOWN, Difference

NAME = "rights"


def _compare(sides: Sides) -> Iterator[Difference]:
    kinds: dict[str, OneToOne] = {}
    for pair in sides.matching.pairs:
        yield from _credentials(pair)
        yield from fields(
            NAME, "process", {"seccomp": pair.old.seccomp}, {"seccomp": pair.new.seccomp}, who(pair)
        )
        yield from _namespaces(pair, kinds)


def _credentials(pair: Pair) -> Iterator[Difference]:
    old, new = pair.old.credentials, pair.new.credentials
    if old is not None and new is not None:
        names = Credentials.__struct_fields__
        yield from fields(NAME, "process", picked(old, *names), picked(new, *names), who(pair))
    elif old is not new:
        yield difference(NAME, UNKNOWN, "credentials", who(pair))


def _namespaces(pair: Pair, kinds: dict[str, OneToOne]) -> Iterator[Difference]:
    """Who left the namespace that it shared with others: CRIU numbers them anew in each dump."""
    for kind in sorted(pair.old.namespaces.keys() & pair.new.namespaces.keys()):
        old, new = pair.old.namespaces[kind], pair.new.namespaces[kind]
        if not kinds.setdefault(kind, OneToOne()).same(old, new):
            before, after = {"namespace": f"{kind} {old}"}, {"namespace": f"{kind} {new}"}
            yield from fields(NAME, "process", before, after, who(pair))


ASPECT = Aspect(NAME, re.compile(r"core-|creds-|ids-|pstree|seccomp|pid "), _compare)
