"""CRIU's errors: what each means and what to do about it.

The fragments are those of CRIU's own messages (criu/*.c and compel/, checked against 4.2).  Of a line the
first row counts that shows in it.
"""

from __future__ import annotations

from cryoscope.engines.criu_log import files, images, processes, sockets, surroundings
from cryoscope.engines.criu_log.row import row

FULL = (
    row(
        "inotify-limit",
        "the limit of file watches is reached",
        "raise fs.inotify.max_user_watches and max_user_instances with sysctl",
        r"Can't add watch for .*No space left|Can't create inotify.*Too many",
    ),
    row(
        "no-space",
        "there is no room for the images",
        "free space where the engine keeps its checkpoints, or give another folder",
        r"No space left on device|Disk quota exceeded|File too large",
    ),
)
"""Full is full, whatever CRIU was doing; but a watch too many is no full disk."""

ROWS = (*FULL, *sockets.ROWS, *files.ROWS, *processes.ROWS, *surroundings.ROWS, *images.ROWS)
