"""CRIU's log of a restore by containerd, which names it nowhere and takes it away if the restore fails.

It is opened as soon as it is there: what was opened can be read when its name is gone.
"""

from __future__ import annotations

import os
import threading
from types import TracebackType
from typing import Self

from cryoscope import limits
from cryoscope.engines.cri import nodefiles
from cryoscope.engines.cri.abilities import CONTAINERD, Runtime
from cryoscope.engines.host import Host
from cryoscope.engines.target import CONTAINER

LOOK = 0.01
"""Seconds between two looks: a restore that fails takes a twentieth of one at least."""
TASKS = "io.containerd.runtime.v2.task/k8s.io"
LOG = "restore.log"


class RestoreLog:
    """The log of one container's restore while it is going on; nothing with a runtime that quotes it."""

    def __init__(self, runtime: Runtime, host: Host, container: str) -> None:
        self._host = host
        self._paths = _paths(runtime, container)
        self._file: int | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        if self._paths:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        if self._file is not None:
            os.close(self._file)

    def _look(self) -> None:
        while self._file is None and not self._over.wait(LOOK):
            for path in self._paths:
                try:
                    self._file = nodefiles.opened(self._host, path)
                    break
                except OSError:
                    continue

    def _stop(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def text(self) -> str:
        """What it says; empty if none was seen."""
        self._stop()
        if self._file is None:
            return ""
        start = max(0, os.fstat(self._file).st_size - limits.CRIU_LOG)
        return os.pread(self._file, limits.CRIU_LOG, start).decode(errors="replace")


def _paths(runtime: Runtime, container: str) -> list[str]:
    """Where containerd's shim has runc write it (containerd, cmd/containerd-shim-runc-v2/process)."""
    root, state = (runtime.settings.get(key) for key in ("containerdRootDir", "stateDir"))
    if runtime.name != CONTAINERD or not CONTAINER.match(container):
        return []
    folders = [root] if isinstance(root, str) else []
    folders += [os.path.dirname(state)] if isinstance(state, str) else []
    return [f"{folder}/{TASKS}/{container}/{at}{LOG}" for folder in folders for at in ("", "work/")]
