"""kinds [no-PART ...] [OPTIONAL-PART ...]: one process that holds every kind of thing CRIU can dump.

Not among them: namespaces of a child's own.  CRIU refuses those for names and IPC
(`Can't dump nested uts namespace`), and Podman's default capabilities permit none.

It prints what /proc cannot say as `fact PART JSON`, then `ready`, and from then on changes nothing of itself.
"""

import signal  # noqa: I001
import sys

# the order is that of their making: descriptors are numbered by it, and a process with threads must not fork
import files  # noqa: F401
import state  # noqa: F401
import memory  # noqa: F401
import sockets  # noqa: F401
import clocks  # noqa: F401
import children  # noqa: F401
import parts

parts.run(sys.argv[1:])
print("ready", flush=True)
while True:
    signal.pause()
