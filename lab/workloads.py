"""What is checkpointed: programs written for it (`lab/programs`), in images made with the lab.

A workload says when it is ready by printing its `word`.  One that stands still changes nothing of itself
from then on, so that a reading of /proc before and one after a checkpoint must be the same.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    """A program to run in a container, or bare.

    `image` is `busybox` or `workloads`; `needs` names what an engine must be able to do for it:
    `network` (a bridge), `file-locks`, `tcp-established`, `user-namespace`.
    """

    name: str
    image: str
    argv: tuple[str, ...]
    word: str = "ready"
    environment: tuple[tuple[str, str], ...] = ()
    still: bool = False
    needs: frozenset[str] = frozenset()
