"""OCI hooks: programs that the runtime runs on the host (OCI runtime-spec, config.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryoscope.checkpoint.container.dumps import objects, take
from cryoscope.engines.port import HARD, NOTE
from cryoscope.engines.vetting.case import SPEC, Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.edits import of_json
from cryoscope.engines.vetting.records import Fix, Found


def look(case: Case) -> Iterator[Found]:
    """Every hook: an archive has no business to run programs on the host, live or not.

    Docker has one in every spec, and takes none from an archive.
    """
    hooks = case.spec.get("hooks")
    if not hooks:
        return
    fix = Fix(SPEC, change=of_json(_without))
    for kind, listed in (hooks if isinstance(hooks, dict) else {"hooks": hooks}).items():
        programs = [shown(take(hook, "path", kind=str) or "?") for hook in objects(listed)] or ["?"]
        for program in programs:
            what = f"has the runtime run {program} on the host"
            yield case.found(
                "spec.hooks",
                what,
                f"{SPEC} hooks.{shown(kind)}",
                fix,
                weight=HARD if case.takes_spec else NOTE,
            )


def _without(spec: Any) -> None:
    if isinstance(spec, dict):
        spec.pop("hooks", None)


CHECK = Check("hooks of the spec", look)
