"""Commands that people typed: out of the memory of shells, and out of their history files.

    result = shell_history(checkpoint)
    for command in result.commands: ...                 # in order of time (`records.Command`)

`readline` reads the list that bash and every other program with GNU readline keeps, `busybox` that of
its line editor, `files` what was written to disk.  dash keeps no history; what a shell was started with
(`sh -c`) is in `ps`.
"""

from cryoscope.examine.shell_history.collect import shell_history
from cryoscope.examine.shell_history.records import Command, HistoryResult

__all__ = ["Command", "HistoryResult", "shell_history"]
