"""`secrets`: the secrets of each archive, masked unless they are to be revealed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.keep import StackEnds
from cryoscope.errors import Damaged, UsageError
from cryoscope.examine.secrets import BY_ID, CONFIDENCES, RULES, Finding, Rule, find_secrets, secret_scan
from cryoscope.text import readable
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, Asking, answer, each_until_stopped
from cryoscope.workflows.masking import MASK, Masker, Revealing
from cryoscope.workflows.open import open_at

INCOMPLETE, FOUND = 5, 10


class SecretsPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `secrets`; `notes` says what was left out, `complete` whether the scan was whole."""

    findings: list[Finding]
    notes: list[str] = []
    complete: bool = True

    def rows(self) -> list[Any]:
        return list(self.findings)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """By which rules, in which processes, how sure at least, and what to tell."""

    rules: Sequence[str] = ()
    pids: Sequence[int] = ()
    least: str = "medium"
    exit_code: bool = False

    def chosen(self) -> tuple[Rule, ...]:
        """The rules; raises UsageError for one that is not."""
        unknown = [name for name in self.rules if name not in BY_ID]
        if unknown:
            raise UsageError(
                f"there is no rule {unknown[0]}", hint="--list-rules names them", code="secrets.rule"
            )
        return tuple(rule for rule in RULES if not self.rules or rule.id in self.rules)


class RuleLine(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as `--list-rules` shows it."""

    rule: str
    title: str
    kind: str
    severity: str


def list_rules() -> list[RuleLine]:
    """All rules in the order in which they are asked."""
    return [RuleLine(rule=r.id, title=r.title, kind=r.kind, severity=r.severity) for r in RULES]


def secrets_of(targets: Sequence[str], wanted: Wanted, asking: Asking) -> Answer:
    """The secrets in each target; a scan that is interrupted ends with exit code 5 and what was found."""
    rules = wanted.chosen()

    def read(target: str) -> tuple[SecretsPart, list[Damaged]]:
        return _one(target, rules, wanted, asking)

    def skipped(target: str) -> SecretsPart:
        return SecretsPart(archive=readable(target), findings=[], complete=False)

    found = answer("secrets", *each_until_stopped(targets, read, skipped))
    return msgspec.structs.replace(found, exit_code=_code(found, wanted))


def _one(
    target: str, rules: Sequence[Rule], wanted: Wanted, asking: Asking
) -> tuple[SecretsPart, list[Damaged]]:
    tap, progress = secret_scan(rules), asking.progress(target)
    damaged: list[Damaged] = []
    with open_at(
        target, cache=asking.cache, access=asking.access, keep=StackEnds(), progress=progress, tap=tap
    ) as archive:
        checkpoint = Checkpoint(archive)
        found = find_secrets(
            checkpoint, rules=rules, pids=wanted.pids, tap=tap, damaged=damaged, progress=progress
        )
        part = SecretsPart(
            archive=readable(target),
            findings=[masked(one, asking.masker) for one in found.findings if _sure(one, wanted.least)],
            notes=[readable(note) for note in found.notes],
            complete=found.complete,
        )
        return part, list(dict.fromkeys([*checkpoint.damaged, *damaged]))


def _sure(finding: Finding, least: str) -> bool:
    return CONFIDENCES.index(finding.confidence) >= CONFIDENCES.index(least)


def masked(finding: Finding, masker: Masker) -> Finding:
    """A finding of which only the mark of its kind is shown (`ghp_********`), and what is known of it."""
    if isinstance(masker, Revealing) or finding.public >= finding.size:
        return finding
    masker.count += 1
    value = finding.value[: finding.public] + MASK
    return msgspec.structs.replace(finding, value=value, value_base64=None)


def _code(found: Answer, wanted: Wanted) -> int:
    parts: list[SecretsPart] = found.document.archives
    if any(not part.complete for part in parts):
        return INCOMPLETE
    if not found.exit_code and wanted.exit_code and any(part.findings for part in parts):
        return FOUND
    return found.exit_code
