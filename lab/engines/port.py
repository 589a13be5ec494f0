"""What every engine of the lab does."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab.errors import LabError
from lab.node import Node
from lab.workloads import Workload

READY = 30.0
"""Seconds until a workload must have printed its word."""

RUNC_CONF = "/etc/criu/runc.conf"
CRIU_OPTIONS = "file-locks\ntcp-established\n"
"""Options of CRIU that Docker and the CRI have no words for; runc has CRIU read them from this file."""


class Refused(LabError):
    """The engine cannot do this here; the message is its own reason, for the test that is skipped."""


@dataclass(frozen=True)
class Running:
    """A workload that runs: the engine's name for it, and its first process as seen from outside."""

    id: str
    pid: int
    workload: Workload


def wait_for_word(engine: Engine, running: Running) -> Running:
    """Wait until a workload has printed its word; raises `LabError` with what it printed instead."""
    deadline = time.monotonic() + READY
    word = re.compile(rf"\b{re.escape(running.workload.word)}\b")
    while not word.search(engine.log(running)):
        if time.monotonic() > deadline:
            raise LabError(f"{running.id} did not get ready:\n{engine.log(running)[-4000:]}")
        time.sleep(0.05)
    return running


class Engine(Protocol):
    """One engine in a node.  All paths it returns are those of the outside."""

    name: str
    node: Node

    def start(self, workload: Workload) -> Running:
        """Run a workload and wait until it has printed its word; raises `Refused` or `LabError`."""

    def address(self, running: Running) -> str:
        """Where another workload of this engine reaches it."""

    def log(self, running: Running) -> str:
        """What the workload printed so far."""

    def checkpoint(self, running: Running) -> Path:
        """Checkpoint it and leave it running: the archive or folder, below `node.files`."""

    def remove(self, running: Running) -> None:
        """End it and take it away."""
