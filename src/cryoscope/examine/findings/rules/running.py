"""Rules at work: each becomes a detector; those about findings are asked when the detectors are done."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from cryoscope import limits
from cryoscope.errors import CryoscopeError
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.records import SEVERITIES, Finding, FindingsResult
from cryoscope.examine.findings.rules.expression import Budget, OutOfBudgetError
from cryoscope.examine.findings.rules.grammar import Rule
from cryoscope.examine.findings.rules.subjects import FINDING, SUBJECTS, Item

if TYPE_CHECKING:
    from cryoscope.examine.findings.scene import Scene


def _what(about: str) -> str:
    return f"the rule holds for this {'variable' if about == 'environment' else about}"


def detectors_of(rules: Sequence[Rule]) -> list[Detector]:
    """The rules as detectors, but for those about findings."""
    return [_detector(rule) for rule in rules if rule.about != "finding"]


def _detector(rule: Rule) -> Detector:
    return Detector(
        name=rule.name,
        title=rule.title,
        severity=rule.severity,
        why=rule.why,
        next=rule.next,
        techniques=rule.techniques,
        references=rule.references,
        look=functools.partial(_look, rule),
    )


def _look(rule: Rule, scene: Scene) -> Iterator[Suspicion]:
    subject, budget = SUBJECTS[rule.about], Budget()
    what = _what(rule.about)
    try:
        for item in subject.items(scene):
            if rule.condition.test(item, budget):
                yield Suspicion([subject.evidence(item, what)])
    except OutOfBudgetError:
        raise CryoscopeError(
            f"stopped: its expressions took more than {limits.RULE_WORK} steps", code="rules.work"
        ) from None


def with_rules(result: FindingsResult, rules: Sequence[Rule]) -> FindingsResult:
    """The findings, and what the rules about findings say of them; such rules do not see each other."""
    asked = [rule for rule in rules if rule.about == "finding"]
    if not asked:
        return result
    notes: list[str] = []
    found = [finding for rule in asked for finding in _judged(rule, result.findings, notes)]
    findings = sorted([*result.findings, *found], key=lambda one: -SEVERITIES.index(one.severity))
    return msgspec.structs.replace(
        result,
        findings=findings,
        detectors=result.detectors + len(asked),
        notes=[*result.notes, *notes],
    )


def _judged(rule: Rule, findings: Sequence[Finding], notes: list[str]) -> Iterator[Finding]:
    budget, what = Budget(), _what("finding")
    try:
        items = [Item(finding) for finding in findings]
        evidence = [FINDING.evidence(item, what) for item in items if rule.condition.test(item, budget)]
    except OutOfBudgetError:
        notes.append(f"{rule.name}: its expressions took more than {limits.RULE_WORK} steps")
        return
    if evidence:
        yield Finding(
            detector=rule.name,
            severity=rule.severity,
            title=rule.title,
            why=rule.why,
            next=rule.next,
            techniques=rule.techniques,
            references=rule.references,
            evidence=evidence[: limits.FINDING_EVIDENCE],
            more=max(0, len(evidence) - limits.FINDING_EVIDENCE),
        )
