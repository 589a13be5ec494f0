"""Labels of AppArmor and SELinux in the images: CRIU writes them to the processes that it makes.

inventory.img says which module it was, core-*.img the label of each thread, apparmor.img profiles that CRIU
would load into the kernel of this host (criu/lsm.c, criu/apparmor.c).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cryoscope.checkpoint.container.dumps import take
from cryoscope.engines.port import HARD
from cryoscope.engines.vetting.case import Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.records import Found

PROFILES = ("apparmorProfile", "selinuxLabel")
CONFINED = re.compile(r"docker-default|\w+:\w+:(?:container_t|svirt_lxc_net_t):[\w:,.]+")
"""What Docker gives every container, of which its archives have no spec (moby profiles/apparmor)."""


def look(case: Case) -> Iterator[Found]:
    """Every thread's label against the spec's, and profiles in the archive."""
    entry = case.images.first("apparmor.img")
    if entry is not None and entry.namespaces:
        what = "holds AppArmor profiles, which CRIU would load into this host's kernel"
        yield case.found("criu.lsm-policy", what, case.images.member("apparmor.img") or "", weight=HARD)
    wanted = {label for name in PROFILES if (label := take(case.spec, "process", name, kind=str))}
    for name, tid in case.images.matching("core-*"):
        core = case.images.first(name)
        if core is not None and core.HasField("thread_core") and core.thread_core.HasField("creds"):
            where = f"{case.images.member(name)} pid {tid}"
            yield from _label(case, core.thread_core.creds, where, wanted)


def _label(case: Case, creds: Any, where: str, wanted: set[str]) -> Iterator[Found]:
    label = bytes(creds.lsm_profile).decode("utf-8", "surrogateescape").rstrip("\0\n")
    plain = label.removesuffix(" (enforce)").removesuffix(" (complain)")
    if wanted and label and plain not in wanted:
        what = f"has the label {shown(label)}, the spec {shown(', '.join(sorted(wanted)))}"
        yield case.found("criu.lsm-label", what, where)
    elif label and not wanted and _is_strange(case, plain):
        yield case.found("criu.lsm-label", f"has the label {shown(label)}, which no spec names", where)
    elif wanted and not label and _has_module(case):
        yield case.found("criu.lsm-label", "has no label, against the spec", where)
    if creds.HasField("apparmor_data") and creds.apparmor_data:
        yield case.found("criu.lsm-policy", "brings data for AppArmor's kernel interface", where, weight=HARD)


def _is_strange(case: Case, label: str) -> bool:
    """Whether a label that nobody names is another than the engine's own; bare CRIU restores as dumped."""
    if not case.sandbox or case.policy.engine == "criu":
        return False
    return case.policy.engine != "docker" or not CONFINED.fullmatch(label)


def _has_module(case: Case) -> bool:
    inventory = case.images.inventory
    return inventory is not None and bool(inventory.lsmtype)


CHECK = Check("labels of security modules", look)
