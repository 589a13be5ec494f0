"""Detectors of others: their words are checked when they are loaded, what they see before it is believed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.records import SEVERITIES, Evidence
from cryoscope.examine.findings.scene import Scene
from cryoscope.examine.search.patterns import Pattern

TEXTS = ("name", "title", "severity", "why")
LISTS = ("next", "techniques", "references")


def checked(detector: Detector, taken: Sequence[str] = ()) -> Detector:
    """The detector, its evidence checked as it comes; raises ValueError with what is wrong with its words.

    Records do not check what they are made with, and one wrong type would break every format.
    """
    if not all(isinstance(getattr(detector, name), str) for name in TEXTS):
        raise ValueError(f"has no text for one of {', '.join(TEXTS)}")
    if not all(_texts(getattr(detector, name)) for name in LISTS):
        raise ValueError(f"({detector.name}) has no list of texts for one of {', '.join(LISTS)}")
    if detector.name in taken:
        raise ValueError(f"has a name that is taken: {detector.name}")
    if detector.severity not in SEVERITIES:
        raise ValueError(f"({detector.name}) has no severity of {', '.join(SEVERITIES)}")
    if not all(isinstance(one, Pattern) for one in detector.patterns):
        raise ValueError(f"({detector.name}) has patterns that are none")
    return msgspec.structs.replace(detector, look=functools.partial(_look, detector.look))


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _look(look: Callable[[Scene], Iterable[Suspicion]], scene: Scene) -> Iterator[Suspicion]:
    for suspicion in look(scene):
        if not isinstance(suspicion, Suspicion):
            raise TypeError(f"it gave a {type(suspicion).__name__} as a suspicion")
        if suspicion.severity not in (None, *SEVERITIES) or not isinstance(suspicion.title, str | None):
            raise TypeError("it gave a suspicion whose severity or title is none")
        yield msgspec.structs.replace(suspicion, evidence=[_evidence(one) for one in suspicion.evidence])


def _evidence(evidence: Evidence) -> Evidence:
    """The same with every field of its type; raises msgspec.ValidationError."""
    plain = msgspec.to_builtins(evidence, enc_hook=lambda value: int(value))
    return msgspec.convert(plain, Evidence, dec_hook=lambda kind, value: kind(value))
