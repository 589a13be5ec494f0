"""What a detector is: one suspicion, in words and as a function from the scene to its evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from cryoscope.examine.findings.records import Evidence
from cryoscope.examine.search.patterns import Pattern

if TYPE_CHECKING:
    from cryoscope.examine.findings.scene import Scene


class Suspicion(msgspec.Struct, frozen=True):
    """What a detector has seen; without a severity or title of its own it has the detector's.

    Suspicions of one detector with the same severity and title become one finding.
    """

    evidence: list[Evidence]
    severity: str | None = None
    title: str | None = None


class Detector(msgspec.Struct, frozen=True, kw_only=True):
    """One suspicion.

    `name` is stable across releases (`deleted-executable`), `patterns` are searched for in memory, queues
    and files before `look` is called; the patterns of all detectors in one pass, so keep them selective:
    one that matches everywhere is left out.  `look` asks the scene and may raise what it likes: that
    becomes a note beside the findings of the others.
    """

    name: str
    title: str
    severity: str
    why: str
    next: list[str]
    techniques: list[str]
    references: list[str] = []
    look: Callable[[Scene], Iterable[Suspicion]]
    patterns: tuple[Pattern, ...] = ()
