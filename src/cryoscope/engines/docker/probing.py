"""What a daemon is and can do: experimental or not, its runtime, CRIU on its host, whose it is."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any

from cryoscope.engines.docker.troubles import EXPERIMENTAL_CURE
from cryoscope.engines.host import Host
from cryoscope.engines.port import Ability, Check, Probe
from cryoscope.text import escape, readable

RUNTIMES = ("runc", "crun")
PROGRAM_TIME = 10.0
CRIU_CURE = "install criu 3.17 or newer on the host"


def probe_of(host: Host, endpoint: str, version: Any, info: Any) -> Probe:
    """What the daemon says of itself, and what its host has."""
    checks = [*_checks(host, version, info)]
    able = ability(checks)
    return Probe(
        engine="docker",
        endpoint=endpoint,
        version=_text(version.get("Version")),
        runtime=_runtime(version, info),
        capture=able,
        restore=able,
        checks=checks,
    )


def silent(endpoint: str, why: str, cure: str) -> Probe:
    """The probe of a daemon that does not answer."""
    cannot = Ability(can=False, why=why, cure=cure)
    return Probe(engine="docker", endpoint=endpoint, capture=cannot, restore=cannot)


def ability(checks: list[Check]) -> Ability:
    """Whether it can, by the first check that failed."""
    failed = next((check for check in checks if check.state == "fail"), None)
    return Ability(can=True) if failed is None else Ability(can=False, why=failed.what, cure=failed.cure)


def experimental(info: Any) -> Check:
    """Checkpoints are an experimental feature (moby, api/server/router/checkpoint)."""
    if info.get("ExperimentalBuild"):
        return Check(code="docker.experimental", state="ok", what="experimental features are on")
    return Check(
        code="docker.experimental",
        state="fail",
        what="checkpoints are an experimental feature, and those are off",
        cure=EXPERIMENTAL_CURE,
    )


def _checks(host: Host, version: Any, info: Any) -> Iterator[Check]:
    yield experimental(info)
    yield _runs_criu(info, _runtime(version, info))
    yield _criu(host)
    yield from _rootless(info)
    yield _folder(host, info)


def _runs_criu(info: Any, runtime: str) -> Check:
    kind = str(info.get("DefaultRuntime") or "")
    if kind.rpartition(".")[2] in RUNTIMES or kind.startswith("io.containerd.runc"):
        return Check(code="docker.runtime", state="ok", what=f"the runtime is {runtime or _text(kind)}")
    return Check(
        code="docker.runtime",
        state="warn",
        what=f"of the runtime {_text(kind)} it is not known whether it can checkpoint",
        cure="runc can",
    )


def _criu(host: Host) -> Check:
    try:
        done = subprocess.run(  # noqa: S603
            host.argv(["criu", "--version"]), capture_output=True, timeout=PROGRAM_TIME, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return Check(code="docker.criu", state="fail", what="there is no criu on the host", cure=CRIU_CURE)
    found = re.search(r"Version: (\d[\w.]{0,20})", readable(done.stdout[:4096]))
    if done.returncode or found is None:
        return Check(code="docker.criu", state="fail", what="there is no criu on the host", cure=CRIU_CURE)
    return Check(code="docker.criu", state="ok", what=f"criu {found[1]}")


def _rootless(info: Any) -> Iterator[Check]:
    if any("rootless" in str(option) for option in info.get("SecurityOptions") or []):
        yield Check(
            code="docker.rootless",
            state="fail",
            what="a rootless daemon has not the rights that CRIU needs",
            cure="run the container under root's daemon",
        )


def _folder(host: Host, info: Any) -> Check:
    root = str(info.get("DockerRootDir") or "")
    if root.startswith("/") and ".." not in root and os.access(host.path(root + "/containers"), os.R_OK):
        return Check(code="docker.folder", state="ok", what=f"its folder is {_text(root)}")
    return Check(
        code="docker.folder",
        state="fail",
        what=f"its folder {_text(root)} cannot be read from here",
        cure="be root on the daemon's own machine, or name a process of it with --host",
    )


def _runtime(version: Any, info: Any) -> str:
    name = str(info.get("DefaultRuntime") or "runc")
    parts = {str(each.get("Name")): each.get("Version") for each in version.get("Components") or []}
    return _text(f"{name} {parts.get(name) or parts.get('runc') or ''}".strip())


def _text(value: Any) -> str:
    return escape(readable(str(value or "")))[:200]
