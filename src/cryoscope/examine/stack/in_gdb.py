"""What runs inside gdb: it opens the core and answers with the frames of every thread, as JSON.

It runs in gdb's own Python, of whatever version, and imports nothing of this package.  `modules.json` in the
folder that gdb runs in says where the core is, which files are mapped, by how much they are moved, and how
many frames are wanted.
"""

from __future__ import annotations

import json
import os
from typing import Any

import gdb  # type: ignore[import-untyped]  # it is there only inside gdb

LONGEST = 1024
"""Characters of a function's or file's name."""

SETTINGS = (
    "auto-load off",
    "auto-solib-add off",
    "debuginfod enabled off",
    "index-cache enabled off",
    "debug-file-directory .",
    "sysroot ./nowhere",
    "solib-search-path .",
    "confirm off",
    "pagination off",
    "demangle-style auto",
    "backtrace past-main off",
)
"""Not every gdb has every one of them."""


def tried(call: Any, *arguments: Any) -> Any:
    """What a call gives; None where gdb cannot tell."""
    try:
        return call(*arguments)
    except (gdb.error, RuntimeError, ValueError, MemoryError):
        return None


def frames(most: int) -> tuple[list[dict[str, Any]], str | None]:
    """The frames of the chosen thread, and why there are no more."""
    found: list[dict[str, Any]] = []
    frame = tried(gdb.newest_frame)
    while frame is not None:
        if len(found) >= most:
            return found, f"there are more than {most} frames"
        found.append(described(frame))
        try:
            older = frame.older()
        except (gdb.error, RuntimeError, MemoryError) as error:
            return found, str(error)[:LONGEST]
        if older is None:
            reason = tried(frame.unwind_stop_reason)
            ends = reason in (None, gdb.FRAME_UNWIND_NO_REASON, gdb.FRAME_UNWIND_OUTERMOST)
            return found, None if ends else gdb.frame_stop_reason_string(reason)
        frame = older
    return found, "there is no frame"


def described(frame: Any) -> dict[str, Any]:
    """One frame as plain values."""
    place = tried(frame.find_sal)
    file = tried(lambda: place.symtab.filename) if place is not None and place.symtab else None
    return {
        "address": tried(frame.pc) or 0,
        "function": (tried(frame.name) or "")[:LONGEST] or None,
        "file": file[:LONGEST] if file else None,
        "line": place.line if file else None,
        "inlined": tried(frame.type) == gdb.INLINE_FRAME,
    }


def threads(wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """The frames of every thread."""
    answer = []
    for thread in gdb.selected_inferior().threads():
        tid = thread.ptid[1] or thread.ptid[0]
        tried(thread.switch)
        found, ended = frames(wanted["frames"])
        answer.append({"tid": tid, "frames": found, "ended": ended})
    return answer


def main() -> None:
    """Answer on the descriptor that the environment names."""
    with open("modules.json") as file:
        wanted = json.load(file)
    for setting in SETTINGS:
        tried(gdb.execute, "set " + setting, False, True)
    gdb.execute("core-file " + wanted["core"], False, True)
    for path, bias in wanted["modules"]:
        tried(gdb.execute, f"add-symbol-file {path} -o {bias:#x}", False, True)
    with os.fdopen(int(os.environ["CRYOSCOPE_ANSWER"]), "w") as answer:
        json.dump({"threads": threads(wanted)}, answer)


main()
