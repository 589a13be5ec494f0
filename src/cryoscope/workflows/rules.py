"""What else is asked besides the detectors that come along: users' rules and plugins' detectors."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import msgspec

from cryoscope import limits
from cryoscope.errors import UsageError
from cryoscope.examine.findings import DETECTORS, Detector, FindingsResult
from cryoscope.examine.findings.checked import checked
from cryoscope.examine.findings.rules import (
    SUBJECTS,
    Rule,
    described,
    detectors_of,
    load_rules,
    with_rules,
)
from cryoscope.plugins import load, objects
from cryoscope.text import readable

GROUP, PROTOCOL = "cryoscope.detectors", 1
"""The entry point that packages offer detectors under: a module with `PROTOCOL` and a list `DETECTORS`."""


class More(msgspec.Struct, frozen=True):
    """All detectors, rules among them, the rules about findings, and what was left out."""

    detectors: tuple[Detector, ...] = DETECTORS
    about_findings: tuple[Rule, ...] = ()
    notes: tuple[str, ...] = ()

    def judged(self, result: FindingsResult) -> FindingsResult:
        """A result with what the rules about findings say of it, and the notes."""
        found = with_rules(result, self.about_findings)
        return msgspec.structs.replace(found, notes=[*self.notes, *found.notes]) if self.notes else found


def detectors_with(paths: Sequence[str] = ()) -> More:
    """Our detectors, those of plugins and the rules of files; raises UsageError for a mistake in a rule."""
    plugged, notes = plugins([detector.name for detector in DETECTORS])
    rules = read_rules(paths, [detector.name for detector in (*DETECTORS, *plugged)])
    about = tuple(rule for rule in rules if rule.about == "finding")
    return More((*DETECTORS, *plugged, *detectors_of(rules)), about, tuple(notes))


def plugins(taken: Sequence[str]) -> tuple[list[Detector], list[str]]:
    """The detectors of installed packages, but those whose name is taken, and notes on what was left out."""
    found: dict[str, Detector] = {}
    offered, notes = load(GROUP, PROTOCOL)
    for plugin in offered:
        for detector in objects(plugin, "DETECTORS", Detector, notes):
            try:
                good = checked(detector, [*taken, *found])
            except ValueError as error:
                notes.append(f"plugin {plugin.name} of {plugin.distribution}: a detector {error}")
            else:
                found[good.name] = good
    return list(found.values()), [readable(note) for note in notes]


def read_rules(paths: Sequence[str], taken: Sequence[str] = ()) -> list[Rule]:
    """The rules of files; raises UsageError, which names file and line."""
    found: list[Rule] = []
    for path in paths:
        found += load_rules(_text(path), readable(path), [*taken, *(rule.name for rule in found)])
    if len(found) > limits.RULES:
        raise UsageError(f"there are more than {limits.RULES} rules", code="rules.limit")
    return found


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(4 * limits.RULES_FILE + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", code="rules.file") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}: line {line}: is not UTF-8", code="rules.file") from None


# --- what rules can ask -----------------------------------------------------------------------
class FieldLine(msgspec.Struct, frozen=True, kw_only=True):
    """A field that rules can ask for, as `--fields` shows it."""

    subject: str
    field: str
    type: str


def list_fields(subject: str | None = None) -> list[FieldLine]:
    """Every field of every kind of records, or of one; raises UsageError for one that is not."""
    if subject is not None and subject not in SUBJECTS:
        close = difflib.get_close_matches(subject, SUBJECTS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(SUBJECTS)}"
        raise UsageError(f"there are no rules for {subject}", hint=hint, code="rules.subject")
    names = [subject] if subject else [*SUBJECTS]
    return [
        FieldLine(subject=name, field=field, type=kind)
        for name in names
        for field, kind in described(SUBJECTS[name])
    ]
