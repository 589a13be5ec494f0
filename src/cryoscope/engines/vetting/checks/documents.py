"""The engine's documents: two readers must not see two things in them.

Engines read JSON with Go's encoding/json, which takes names in any case and merges what stands twice; what is
vetted here is the last of each name, in its own spelling.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cryoscope import limits
from cryoscope.engines.port import HARD
from cryoscope.engines.vetting.case import CONFIG, SPEC, STATUS, Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.records import Found
from cryoscope.errors import CryoscopeError

DOCUMENTS = (SPEC, CONFIG, STATUS, "status", "network.status", "bind.mounts", "deleted.files")
NAMES = (
    *("hooks", "mounts", "source", "destination", "process", "capabilities", "bounding", "effective"),
    *("permitted", "inheritable", "ambient", "annotations", "linux", "namespaces", "seccomp", "devices"),
    *("maskedPaths", "readonlyPaths", "cgroupsPath", "resources", "sysctl", "rootfsPropagation", "root"),
    *(
        "noNewPrivileges",
        "apparmorProfile",
        "selinuxLabel",
        "rootfs",
        "conmonPidFile",
        "pid_file",
        "staticDir",
    ),
    *("rootfsImageName", "rootfsImageRef", "rootfsImage", "privileged", "cdiDevices", "overlayVolumes"),
    *("namedVolumes", "secrets", "baseHostsFile", "sdnotifySocket", "labels", "log_path", "intelRdt"),
    *("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"),
)
"""Names of fields that other checks ask for."""

SPELT = (SPEC, CONFIG, STATUS, "bind.mounts")
"""Documents whose fields are spelled as above: containerd's own status begins them with capitals."""

SPELLED = {name.casefold(): name for name in NAMES}
CURE = "no engine writes such a document: do not trust this archive"


def look(case: Case) -> Iterator[Found]:
    """Each document that is there."""
    for name in DOCUMENTS:
        if name in case.archive:
            try:
                data = case.archive.read(name, limit=limits.JSON_DOCUMENT)
            except CryoscopeError as error:
                yield case.found("document.unreadable", error.message, name, weight=HARD)
                continue
            yield from _read(case, name, data)


def _read(case: Case, name: str, data: bytes) -> Iterator[Found]:
    odd = Odd()
    try:
        json.loads(data, object_pairs_hook=odd.look)
    except (ValueError, RecursionError) as error:
        yield case.found("document.unreadable", f"is no JSON: {shown(str(error))}", name, weight=HARD)
        return
    for code, key in sorted(odd.found):
        if code == "document.spelling" and name not in SPELT:
            continue
        what = "stands twice in one object" if code == "document.twice" else "is an engine's name for another"
        yield case.found(code, f"the name {shown(key)} {what}", name, weight=HARD, cure=CURE)


class Odd:
    """Names that engines read otherwise than they are read here."""

    def __init__(self) -> None:
        self.found: set[tuple[str, str]] = set()

    def look(self, pairs: list[tuple[str, Any]]) -> None:
        """One object."""
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            self.found.add(("document.twice", next(name for name in names if names.count(name) > 1)))
        for name in names:
            if SPELLED.get(name.casefold(), name) != name:
                self.found.add(("document.spelling", name))


CHECK = Check("the engine's documents", look)
