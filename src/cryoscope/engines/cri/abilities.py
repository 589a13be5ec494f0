"""What a runtime can do: told by its version, and by what Status says of its settings.

containerd checkpoints since 2.0; 2.1 to 2.3 restore through CreateContainer, the last of them only where a
switch is on, and 2.4 no more (containerd, RELEASES.md; internal/cri/config/config.go).  CRI-O says in its
settings whether it uses CRIU, and since 2026 up to which level (cri-o, pkg/config/config.go).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.engines.host import Host
from cryoscope.engines.port import Ability, Record
from cryoscope.text import escape, readable

CONTAINERD, CRIO = "containerd", "cri-o"
NAMES = {"containerd": CONTAINERD, "crio": CRIO}
"""The runtimes as a target names them, and as they name themselves."""
CRIO_SETTINGS = ("/etc/crio/crio.conf", "/etc/crio/crio.conf.d")
LEVEL = re.compile(r'^\s*container_level_enabled\s*=\s*"(\w{1,40})"', re.MULTILINE)
SWITCHED = {(2, 2): 7, (2, 3): 4}
"""From which patch release on containerd restores only if it is told to."""
CRIO_CAREFUL = {(1, 34): 14, (1, 35): 9, (1, 36): 6}
"""From which patch release on CRI-O's default is `checkpoint_only`."""
NUMBER = re.compile(r"v?(\d{1,4})\.(\d{1,4}|main)(?:\.(\d{1,6}))?")
NEWEST = 9999
"""What stands for the minor number of a build from containerd's main branch, `2.main`."""
ELSEWHERE = "restore it with Podman, or on a node with containerd 2.1 to 2.3"

CAN = Ability(can=True)


class Runtime(Record, frozen=True, kw_only=True):
    """A runtime: `name` is "containerd" or "cri-o" (anything else is a stranger), `settings` what it told."""

    name: str
    version: str
    settings: dict[str, Any] = {}
    level: str | None = None

    @property
    def number(self) -> tuple[int, int, int]:
        """Its version as numbers; zeros where it has none."""
        found = NUMBER.match(self.version)
        if found is None:
            return (0, 0, 0)
        return int(found[1]), NEWEST if found[2] == "main" else int(found[2]), int(found[3] or 0)

    @property
    def shown(self) -> str:
        return f"{self.name} {self.version}"


def runtime_of(version: Any, status: Any, host: Host) -> Runtime:
    """The runtime that answered so to Version and to Status."""
    settings = document(status.info.get("config", ""))
    name = escape(readable(version.runtime_name))[:100]
    crio = settings.get("crio")
    own = crio if isinstance(crio, dict) else settings
    level = _level(own, host) if name == CRIO else None
    return Runtime(name=name, version=escape(version.runtime_version)[:100], settings=own, level=level)


def document(text: str) -> dict[str, Any]:
    """A JSON object out of a runtime's verbose answer; empty if it is none."""
    try:
        found = msgspec.json.decode(text[: limits.CRI_ANSWER])
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return {}
    return found if isinstance(found, dict) else {}


def capturing(runtime: Runtime) -> Ability:
    """Whether it can checkpoint."""
    if runtime.name == CONTAINERD:
        return _containerd_captures(runtime)
    if runtime.name == CRIO:
        if runtime.settings.get("EnableCriuSupport") is False or runtime.level == "none":
            return _no("its support of CRIU is off", "enable_criu_support = true in CRI-O's settings")
        return CAN
    return _no(f"{runtime.name} is no runtime that is known to checkpoint", "use containerd 2.x or CRI-O")


def _containerd_captures(runtime: Runtime) -> Ability:
    if runtime.number < (2, 0, 0):
        return _no(
            f"containerd {runtime.version} has no checkpoints in its CRI", "use containerd 2.0 or later"
        )
    if runtime.settings.get("enableCRIU") is False:
        return _no("its support of CRIU is off", "enable_criu = true in containerd's settings")
    return CAN


def restoring(runtime: Runtime) -> Ability:
    """Whether it can let a checkpoint go on."""
    before = capturing(runtime)
    if not before.can:
        return before
    return _containerd_restores(runtime) if runtime.name == CONTAINERD else _crio_restores(runtime)


def _containerd_restores(runtime: Runtime) -> Ability:
    number = runtime.number
    if number < (2, 1, 0):
        return _no(f"containerd {runtime.version} checkpoints and cannot restore", ELSEWHERE)
    if number >= (2, 4, 0):
        return _no(f"containerd {runtime.version} no longer restores single containers", ELSEWHERE)
    switched = number[2] >= SWITCHED.get(number[:2], 1 << 30)
    if switched and runtime.settings.get("enableExperimentalRestoreViaCreate") is not True:
        cure = (
            "enable_experimental_restore_via_create = true in containerd's settings, on a node for it alone"
        )
        return _no(f"containerd {runtime.version} restores only if it is told to", cure)
    return CAN


def _crio_restores(runtime: Runtime) -> Ability:
    number = runtime.number
    careful = number[2] >= CRIO_CAREFUL.get(number[:2], 1 << 30)
    if runtime.level == "checkpoint_only" or (careful and runtime.level is None):
        cure = (
            'container_level_enabled = "checkpoint_restore" below [crio.checkpoint_restore], on a node for it'
        )
        return _no("CRI-O's level is checkpoint_only: it does not restore", cure)
    return CAN


def _no(why: str, cure: str) -> Ability:
    return Ability(can=False, why=why, cure=cure)


def _level(settings: dict[str, Any], host: Host) -> str | None:
    """CRI-O's level of checkpoints; Status does not tell it in every release, its files do."""
    told = settings.get("ContainerLevelEnabled")
    if isinstance(told, str):
        return told
    found = [each[1] for text in _files(host) for each in LEVEL.finditer(text)]
    return found[-1] if found else None


def _files(host: Host) -> Iterator[str]:
    """CRI-O's settings, in the order in which they count."""
    main, folder = CRIO_SETTINGS
    try:
        names = sorted(os.listdir(host.path(folder)))
    except OSError:
        names = []
    for path in [main, *(f"{folder}/{name}" for name in names[: limits.CRIO_FILES])]:
        try:
            with open(host.path(path), errors="replace") as file:
                yield file.read(limits.CRIO_FILE)
        except OSError:
            continue
