"""Where times come from: one kind of place a file, one line a file here.

A source is a module with `look(asked)`, which yields events and raises nothing but `CryoscopeError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cryoscope.examine.timeline.asked import Asked
from cryoscope.examine.timeline.records import Event
from cryoscope.examine.timeline.sources import (
    accounts,
    container,
    dump,
    files,
    ghosts,
    history,
    images,
    log,
    logins,
    logs,
    secrets,
    timers,
)

Look = Callable[[Asked], Iterable[Event]]

LOOKS: tuple[Look, ...] = (
    container.look,
    images.look,
    dump.look,
    files.look,
    ghosts.look,
    log.look,
    logs.look,
    logins.look,
    accounts.look,
    timers.look,
)
"""Those that read no memory."""

IN_MEMORY: tuple[Look, ...] = (history.look, secrets.look)
"""Those that look through the memory of processes, and therefore take longer."""

SOURCES = (
    "container",
    "image",
    "dump",
    "rootfs",
    "tmpfs",
    "devshm",
    "volume",
    "ghost",
    "log",
    "logfile",
    "login",
    "account",
    "timer",
    "history",
    "secret",
)
"""What `Event.source` may be."""
