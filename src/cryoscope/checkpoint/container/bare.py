"""Bare CRIU: a folder of images and nothing else; whatever else it is, it can be read.

A capture of `pid://` has `process.dump` beside them, in which Cryoscope says what it dumped (engines/criu).
"""

from __future__ import annotations

from typing import Any

from cryoscope.checkpoint.container.cgroup import OF_ANY, id_in_cgroup
from cryoscope.checkpoint.container.container import SpecProcess
from cryoscope.checkpoint.container.dumps import Dumps, moment_of_ns, strings

NAME = "criu"
CAPTURE = "process.dump"
"""JSON: pid, name, command, executable, started_ns and checkpointed_ns (Unix), kernel, criu (its version)."""
FACTS = ("pid", "executable", "kernel")


def recognise(dumps: Dumps) -> str | None:
    """Always: what no engine claims is CRIU's own."""
    if dumps.take(CAPTURE, "pid", kind=int) is not None:
        return f"Cryoscope's {CAPTURE} of a process tree"
    wrote = [name for name in ("config.dump", "spec.dump") if name in dumps.archive]
    return f"no engine known from {' and '.join(wrote)}" if wrote else "CRIU images without an engine's files"


def describe(dumps: Dumps) -> dict[str, Any]:
    """What process.dump says, or an unknown engine's config.dump in the fields that all share; else the id of
    its cgroup."""
    if CAPTURE in dumps.archive:
        return _captured(dumps)
    return {
        "id": dumps.text("config.dump", "id") or id_in_cgroup(dumps, OF_ANY),
        "name": dumps.text("config.dump", "name"),
        "image": dumps.text("config.dump", "rootfsImageName"),
        "runtime": dumps.text("config.dump", "runtime"),
    }


def _captured(dumps: Dumps) -> dict[str, Any]:
    """The fields of a capture of a process tree."""
    pid, version = dumps.take(CAPTURE, "pid", kind=int), dumps.text(CAPTURE, "criu")
    command = strings(dumps.take(CAPTURE, "command", kind=list))
    facts = {name: found for name in FACTS if (found := dumps.take(CAPTURE, name, kind=object)) is not None}
    return {
        "id": None if pid is None else str(pid),
        "name": dumps.text(CAPTURE, "name"),
        "runtime": f"criu {version}" if version else None,
        "started": moment_of_ns(dumps.take(CAPTURE, "started_ns", kind=int)),
        "checkpointed": moment_of_ns(dumps.take(CAPTURE, "checkpointed_ns", kind=int)),
        "process": SpecProcess(args=command) if command else None,
        "facts": facts,
    }
