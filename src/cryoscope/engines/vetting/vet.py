"""The verdict: every check asked, their claims and edits gathered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive import Member
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.engines import port
from cryoscope.engines.port import HARD
from cryoscope.engines.vetting.case import Case, shown
from cryoscope.engines.vetting.checks import CHECKS, Check
from cryoscope.engines.vetting.edits import merged
from cryoscope.engines.vetting.records import ALSO, ENGINES, Claim, Fix, Found, Policy, Verdict
from cryoscope.errors import CryoscopeError, UsageError


def vet(checkpoint: Checkpoint, policy: Policy, given: port.Edits | None = None) -> Verdict:
    """What an archive claims that a policy does not grant, and the edits for the copy that an engine gets.

    `given` are the edits that the engine asks for: what they answer counts as cleaned, what is left or new
    after them is judged, and the verdict's edits begin with them.  Reads no memory pages.  Raises
    `CryoscopeError` for an archive that holds no images of a known version.
    """
    engine = ALSO.get(policy.engine, policy.engine)
    if engine not in ENGINES:
        raise UsageError(
            f"no archive is vetted for {shown(engine)}",
            hint=f"engines: {', '.join(ENGINES)}",
            code="vetting.engine",
        )
    policy = msgspec.structs.replace(policy, engine=engine)
    verdict = _vet(Case(checkpoint, policy))
    return verdict if given is None else _after(verdict, _vet(Case(checkpoint, policy, given)), given)


def _after(before: Verdict, after: Verdict, given: port.Edits) -> Verdict:
    """The claims of the archive, as they stand after the engine's edits, and those that the edits brought."""
    left = {(claim.code, claim.where): claim for claim in after.claims}
    answered = [
        msgspec.structs.replace(claim, cleaned=True)
        for claim in before.claims
        if (claim.code, claim.where) not in left
    ]
    claims = sorted([*after.claims, *answered], key=_order)
    return Verdict(claims=claims, edits=merged(given, after.edits))


def _vet(case: Case) -> Verdict:
    _ = case.images
    gathered = Gathered()
    for check in CHECKS:
        for found in _asked(check, case):
            gathered.add(found)
    for tree in case.trees:
        if not any(problem.code == "tree.unreadable" for problem in tree.problems):
            gathered.rewrite(tree.member)
    return gathered.verdict()


def _asked(check: Check, case: Case) -> Iterator[Found]:
    """What a check finds; what it cannot read nobody has vetted."""
    try:
        yield from check.look(case)
    except CryoscopeError as error:
        what = f"could not be vetted: {shown(error.message)}"
        yield case.found(
            "vetting.unreadable", what, check.name, weight=HARD, cure="take the checkpoint again"
        )


class Gathered:
    """Claims, at most `limits.VETTING_CLAIMS` of one code and weight, and all edits."""

    def __init__(self) -> None:
        self._claims: list[Claim] = []
        self._counts: Counter[tuple[str, str, bool]] = Counter()
        self._change: dict[str, list[Any]] = {}
        self._keep: dict[str, list[Any]] = {}
        self._drop: dict[str, None] = {}

    def add(self, found: Found) -> None:
        """Enter a claim and its fixes."""
        key = _kind(found.claim)
        self._counts[key] += 1
        if self._counts[key] <= limits.VETTING_CLAIMS:
            self._claims.append(found.claim)
        for fix in found.fixes:
            self._fix(fix)

    def _fix(self, fix: Fix) -> None:
        if fix.change is not None:
            self._change.setdefault(fix.member, []).append(fix.change)
        elif fix.keep is not None:
            self._keep.setdefault(fix.member, []).append(fix.keep)
        else:
            self._drop[fix.member] = None

    def rewrite(self, tar: str) -> None:
        """Have a tar written anew, so that engines see in it what was judged and nothing else."""
        self._keep.setdefault(tar, [_any])

    def verdict(self) -> Verdict:
        """All of it, the heaviest claims first."""
        edits = port.Edits(change=self._change, keep=self._keep, drop=[*self._drop])
        return Verdict(claims=sorted(map(self._counted, self._claims), key=_order), edits=edits)

    def _counted(self, claim: Claim) -> Claim:
        """The last claim of a kind that was not kept whole says how many more there were."""
        more = self._counts[_kind(claim)] - limits.VETTING_CLAIMS
        last = [one for one in self._claims if _kind(one) == _kind(claim)][-1] if more > 0 else None
        if last is not claim:
            return claim
        return msgspec.structs.replace(claim, what=f"{claim.what} (and {more} more of these)")


def _any(_: Member) -> bool:
    return True


def _kind(claim: Claim) -> tuple[str, str, bool]:
    return claim.code, claim.weight, claim.cleaned


def _order(claim: Claim) -> tuple[bool, int]:
    return claim.cleaned, (port.HARD, port.SOFT, port.NOTE).index(claim.weight)
