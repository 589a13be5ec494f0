"""What can be known before a capture or restore starts, on the engine's machine and from the archive alone.

Every engine has concerns of its own; these hold for all of them, because CRIU does the work below each:

    memory, disk     how large the archive will be, and whether it fits
    descriptors      open TCP connections, file locks, inotify on overlay, other users' processes
    criu, kernel     versions, `criu check`, the files that engines' options cannot reach
    cpu              what the processor of the dump had that this one lacks

Codes are `preflight.…`.  Nothing here changes anything, and what cannot be read raises no concern.
"""

from cryoscope.engines.preflight.capture import capture_concerns
from cryoscope.engines.preflight.checks import host_checks
from cryoscope.engines.preflight.cpu import cpu_concerns
from cryoscope.engines.preflight.criu import configuration, criu_checks, criu_version
from cryoscope.engines.preflight.descriptors import file_locks, tcp_connections, watches_on_overlay
from cryoscope.engines.preflight.disk import disk_concern, free_at
from cryoscope.engines.preflight.memory import Memory, memory_of
from cryoscope.engines.preflight.restore import kernel_concerns, restore_concerns

__all__ = [
    "Memory",
    "capture_concerns",
    "configuration",
    "cpu_concerns",
    "criu_checks",
    "criu_version",
    "disk_concern",
    "file_locks",
    "free_at",
    "host_checks",
    "kernel_concerns",
    "memory_of",
    "restore_concerns",
    "tcp_connections",
    "watches_on_overlay",
]
