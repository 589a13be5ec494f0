"""What `stack` says: processes, their threads, the frames of each, the innermost first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryoscope.report.tree import Outline


def stacks(part: Any, width: int | None) -> Iterator[str]:
    """An outline a process."""
    for process in part.processes:
        yield from _process(process).lines(width)


def _process(process: Any) -> Outline:
    state = "" if process.state == "alive" else f" ({process.state})"
    python = f", Python {process.python}" if process.python else ""
    exe = f" {process.exe}" if process.exe else ""
    root = Outline(f"{process.pid} {process.comm}{state}{exe}{python}")
    for thread in process.threads:
        _thread(root, thread)
    for note in process.notes:
        root.add(f"note: {note}")
    return root


def _thread(root: Outline, thread: Any) -> None:
    lock = ", holds the GIL" if thread.has_gil else ""
    line = root.add(f"thread {thread.tid} {thread.comm} ({thread.unwound}{lock})")
    for frame in thread.frames:
        line.add(f"#{frame.index} {_frame(frame)}")
    if thread.ended:
        line.add(f"(no more: {thread.ended})")
    if thread.python:
        _python(line.add("Python"), thread.python)


def _frame(frame: Any) -> str:
    module = (frame.module or "(not mapped)").rpartition("/")[2]
    where = module if frame.offset is None else f"{module}+{frame.offset:#x}"
    source = f" at {frame.file}:{frame.line}" if frame.file else ""
    inlined = " (inlined)" if frame.inlined else ""
    return f"{frame.address:#x} {frame.function or '??'}{inlined} in {where}{source}"


def _python(line: Outline, frames: Any) -> None:
    for frame in frames:
        place = frame.file if frame.line is None else f"{frame.file}:{frame.line}"
        shown = line.add(f"#{frame.index} {frame.function} at {place}")
        for name, value in (frame.locals or {}).items():
            shown.add(f"{name} = {value}")
