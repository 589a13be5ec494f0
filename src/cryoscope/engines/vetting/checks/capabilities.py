"""What the spec's process may do: capabilities, new privileges, labels, limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cryoscope.checkpoint.container.dumps import objects, strings, take
from cryoscope.engines.port import NOTE
from cryoscope.engines.vetting.case import SPEC, Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.edits import of_json
from cryoscope.engines.vetting.records import Fix, Found

SETS = ("bounding", "effective", "permitted", "inheritable", "ambient")
UNCONFINED = ("unconfined",)
DISABLED = ("spc_t", "unconfined_t", "container_runtime_t")
"""Types of SELinux without confinement (container-selinux)."""

MOST_FILES = 1 << 24


def look(case: Case) -> Iterator[Found]:
    """The `process` of the spec."""
    yield from _capabilities(case)
    yield from _labels(case)
    for limit in objects(take(case.spec, "process", "rlimits", kind=list)):
        hard, kind = limit.get("hard"), shown(limit.get("type"))
        if isinstance(hard, int) and kind == "RLIMIT_NOFILE" and hard > MOST_FILES:
            yield case.found("spec.rlimits", f"{kind} is {hard}", f"{SPEC} process.rlimits", weight=NOTE)


def _capabilities(case: Case) -> Iterator[Found]:
    granted = set(case.policy.capabilities)
    listed = {name for kind in SETS for name in case.words("process", "capabilities", kind)}
    beyond = sorted(listed - granted)
    if not beyond:
        return
    fix = Fix(SPEC, change=of_json(_only(granted)))
    for name in beyond:
        yield case.of_spec("spec.capabilities", f"asks for {shown(name)}", "process.capabilities", fix)


def _only(granted: set[str]) -> Callable[[Any], None]:
    def change(spec: Any) -> None:
        sets = take(spec, "process", "capabilities", kind=dict) or {}
        for kind in SETS:
            if kind in sets:
                sets[kind] = [name for name in strings(sets[kind]) if name in granted]

    return change


def _labels(case: Case) -> Iterator[Found]:
    process = case.object("process")
    profile, label = process.get("apparmorProfile"), process.get("selinuxLabel")
    if profile in UNCONFINED:
        yield case.of_spec("spec.apparmor", "runs without AppArmor's profile", "process.apparmorProfile")
    if isinstance(label, str) and any(f":{kind}:" in label for kind in DISABLED):
        yield case.of_spec("spec.selinux", f"has the label {shown(label)}", "process.selinuxLabel")
    if take(process, "oomScoreAdj", kind=int) == -1000:
        what = "is never killed when memory runs out"
        yield case.found("spec.oom", what, f"{SPEC} process.oomScoreAdj", weight=NOTE)


CHECK = Check("the process of the spec", look)
