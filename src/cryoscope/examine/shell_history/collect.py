"""All histories of a checkpoint, in order of time."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.container.dumps import EPOCH
from cryoscope.checkpoint.memory import Address
from cryoscope.checkpoint.process import Process
from cryoscope.errors import Damaged
from cryoscope.examine.memory.reading import Reader
from cryoscope.examine.shell_history import busybox, readline
from cryoscope.examine.shell_history.files import history_files, lines_of
from cryoscope.examine.shell_history.memory import Entry
from cryoscope.examine.shell_history.records import Command, HistoryResult
from cryoscope.text import with_bytes

Key = tuple[int, bytes, int | None]


def shell_history(
    checkpoint: Checkpoint, *, pids: Sequence[int] = (), stamped: Collection[int] | None = None
) -> HistoryResult:
    """The commands of all processes and files, or of the processes `pids` alone.

    With `stamped`, commands without a time are not looked for, and memory only of these processes: those in
    which a search has found `readline.TIME`.  Raises UsageError for a pid that is not there.
    """
    for pid in pids:
        checkpoint.process(pid)
    reader, damaged = Reader(), list[Damaged]()
    found = [*_in_memory(checkpoint, pids, reader, stamped)]
    if not pids:
        found += _in_files(checkpoint, damaged)
    notes = []
    if len(found) > limits.HISTORY_ENTRIES:
        notes.append(f"{len(found) - limits.HISTORY_ENTRIES} commands more were left out")
    timed = sorted((c for c in found if c.time), key=lambda command: command.time or "")
    commands = [*timed, *(c for c in found if not c.time)][: limits.HISTORY_ENTRIES]
    return HistoryResult(commands, notes, [*reader.damaged, *damaged])


def _in_memory(
    checkpoint: Checkpoint, pids: Sequence[int], reader: Reader, stamped: Collection[int] | None
) -> Iterator[Command]:
    """Each entry once: a process that was forked from a shell has its history, too."""
    seen: dict[tuple[str, Key], tuple[Process, list[int]]] = {}
    for branch in checkpoint.tree:
        process = branch.process
        if (pids and process.pid not in pids) or (stamped is not None and process.pid not in stamped):
            continue
        for source, entry in _entries(checkpoint, process, reader, untimed=stamped is None):
            key = source, (entry.address, entry.text, entry.time)
            first = seen.setdefault(key, (process, []))
            if first[0] is not process:
                first[1].append(process.pid)
    for (source, (address, text, time)), (process, others) in seen.items():
        yield Command(
            pid=process.pid,
            comm=process.comm,
            time=moment(time),
            source=source,
            address=Address(address),
            pids=others[: limits.INDICATOR_PROCESSES],
            **with_bytes("command", text),
        )


def _entries(
    checkpoint: Checkpoint, process: Process, reader: Reader, *, untimed: bool
) -> Iterator[tuple[str, Entry]]:
    space = checkpoint.memory(process.pid)
    if space is None:
        return
    yield from (("readline", entry) for entry in readline.entries(space, reader))
    busy = os.path.basename(process.exe or "") == "busybox" or process.comm in ("ash", "busybox")
    if busy and untimed:
        yield from (("busybox", entry) for entry in busybox.entries(space, reader))


def _in_files(checkpoint: Checkpoint, damaged: list[Damaged]) -> Iterator[Command]:
    for file in history_files(checkpoint, damaged):
        for line in lines_of(file.data):
            yield Command(
                pid=None,
                comm=None,
                time=moment(line.time),
                source="file",
                path=file.path,
                member=file.member,
                line=line.number,
                **with_bytes("command", line.text),
            )


def moment(seconds: int | None) -> str | None:
    """A time as RFC 3339 in UTC."""
    if seconds is None:
        return None
    return (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
