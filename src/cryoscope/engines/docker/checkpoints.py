"""The daemon's own checkpoints: make one, take it away, and the race that it loses against itself.

moby, daemon/checkpoint.go.  The daemon hands the images to its containerd, and says `already exists` while
the same bytes lie there from before.
"""

from __future__ import annotations

import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from cryoscope import limits
from cryoscope.engines.docker.daemon import Daemon
from cryoscope.engines.docker.places import NAME, Places
from cryoscope.engines.docker.troubles import explained
from cryoscope.engines.port import EngineError
from cryoscope.errors import CryoscopeError

PREFIX = "cryoscope-"
RACE = "docker.race"
TRIES, PAUSE = 15, 1.0
"""How often, and after how many seconds, what lost the race is tried again."""
FOUND = 0.002
"""Seconds between two looks for a log that lives for some tenths of a second."""


def new_name() -> str:
    """A name for a checkpoint of ours."""
    return PREFIX + secrets.token_hex(8)


def names(daemon: Daemon, id_: str) -> list[str]:
    """The checkpoints that the daemon keeps of a container."""
    found = daemon.ask("GET", f"/containers/{id_}/checkpoints") or []
    return [each["Name"] for each in found if isinstance(each.get("Name"), str)]


@contextmanager
def kept(
    daemon: Daemon, places: Places, id_: str, *, last: Callable[[BaseException], bool] = lambda _error: False
) -> Iterator[tuple[str, str]]:
    """A name for a checkpoint, and its folder as seen from here; both are taken away at the end.

    Not so where something failed and `last` says that they are all that is left of the processes: then the
    error's hint says where they are.
    """
    name = new_name()
    folder = f"{places.checkpoints(id_)}/{name}"
    try:
        yield name, folder
    except BaseException as error:
        if not last(error):
            _take_away(daemon, id_, name, folder)
        elif isinstance(error, CryoscopeError):
            line = f"the dump is kept: docker start --checkpoint {name} {id_[:12]} lets it go on"
            error.hint = "; ".join(filter(None, (error.hint, line)))
        raise
    _take_away(daemon, id_, name, folder)


def _take_away(daemon: Daemon, id_: str, name: str, folder: str) -> None:
    with suppress(EngineError):
        daemon.ask("DELETE", f"/containers/{id_}/checkpoints/{name}")
    if NAME.match(name) and not os.path.islink(folder):  # some daemons forget the folder itself
        shutil.rmtree(folder, ignore_errors=True)


def create(
    daemon: Daemon, places: Places, id_: str, name: str, *, stop: bool, patience: float, doing: str
) -> int:
    """Checkpoint a container; returns how often the race was lost.

    Raises `EngineError` with CRIU's reason.
    """
    before = places.bundle_file(id_, "criu-dump.log")
    body = {"CheckpointID": name, "Exit": stop}
    for lost in range(TRIES):
        try:
            daemon.ask("POST", f"/containers/{id_}/checkpoints", body, patience=patience)
            return lost
        except EngineError as error:
            if error.code == RACE and lost < TRIES - 1 and _runs(daemon, id_):
                time.sleep(PAUSE)
                continue
            log = places.bundle_file(id_, "criu-dump.log")
            raise explained(error, log if log and log != before else b"", doing) from None
    return TRIES


def start(daemon: Daemon, places: Places, id_: str, name: str, *, patience: float, doing: str) -> int:
    """Start a container from a checkpoint; returns how often the race was lost."""
    for lost in range(TRIES):
        with RestoreLog(places, id_) as log:
            try:
                daemon.ask("POST", f"/containers/{id_}/start", patience=patience, checkpoint=name)
                return lost
            except EngineError as error:
                failed = error
        if failed.code != RACE or lost == TRIES - 1:
            raise explained(failed, log.text, doing) from None
        time.sleep(PAUSE)
    return TRIES


def _runs(daemon: Daemon, id_: str) -> bool:
    state: Any = daemon.ask("GET", f"/containers/{id_}/json").get("State") or {}
    return bool(state.get("Running"))


class RestoreLog:
    """CRIU's restore.log, which runc takes away when a restore fails: opened as soon as it is there."""

    def __init__(self, places: Places, id_: str) -> None:
        self._places, self._id = places, id_
        self._file: int | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.text = b""

    def __enter__(self) -> RestoreLog:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self._file is not None:
            with open(self._file, "rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - limits.CRIU_LOG))
                self.text = file.read(limits.CRIU_LOG)

    def _look(self) -> None:
        while self._file is None and not self._over.wait(FOUND):
            for path in self._places.restore_logs(self._id):
                with suppress(OSError):
                    self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
                    return
