"""Frames by gdb: it unwinds with the tables of the mapped files, and knows inlined functions and lines."""

from __future__ import annotations

import os
import shutil

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.memory import Address
from cryoscope.errors import CryoscopeError
from cryoscope.examine.stack import child
from cryoscope.examine.stack.modules import Modules
from cryoscope.examine.stack.records import Frame

SCRIPT = os.path.join(os.path.dirname(__file__), "in_gdb.py")
PLAN = "modules.json"
UNKNOWN = "the file of this code is not known, and with it how to go on"


class Told(msgspec.Struct, frozen=True):
    """One frame as gdb tells it."""

    address: int
    function: str | None
    file: str | None
    line: int | None
    inlined: bool


class ToldThread(msgspec.Struct, frozen=True):
    """One thread as gdb tells it."""

    tid: int
    frames: list[Told]
    ended: str | None


class ToldProcess(msgspec.Struct, frozen=True):
    """All threads."""

    threads: list[ToldThread]


class Unwound(msgspec.Struct, frozen=True):
    """The frames of a thread, and why there are no more."""

    frames: list[Frame]
    ended: str | None


def path() -> str | None:
    """Where gdb is; None if it is not installed."""
    return shutil.which("gdb")


def backtraces(gdb: str, core: int, modules: Modules, folder: str) -> dict[int, Unwound]:
    """The frames of every thread in a core, by tid; raises CryoscopeError where gdb gives none.

    `core` is a descriptor; `folder` one of ours for gdb to run in.
    """
    plan = {
        "core": f"/proc/self/fd/{core}",
        "frames": limits.STACK_FRAMES,
        "modules": [(module.local, module.bias) for module in modules.found],
    }
    with open(os.path.join(folder, PLAN), "wb") as file:
        file.write(msgspec.json.encode(plan))
    argv = [gdb, "-nx", "-q", "-batch", "-iex", "set auto-load off", "-x", SCRIPT]
    answer = child.ask(argv, folder, descriptors=[core], seconds=limits.STACK_SECONDS)
    try:
        found = msgspec.convert(answer, ToldProcess)
    except msgspec.ValidationError:
        raise CryoscopeError("gdb's answer is not understood", code="stack.program") from None
    return {thread.tid: _unwound(thread, modules) for thread in found.threads}


def _unwound(thread: ToldThread, modules: Modules) -> Unwound:
    """A caller is believed where the tables of the callee's file told it: without them gdb guesses."""
    frames: list[Frame] = []
    for told in thread.frames:
        if frames and not modules.tells(frames[-1].address):
            return Unwound(frames, UNKNOWN)
        if frames and not modules.runs(told.address) and not modules.runs(told.address - 1):
            return Unwound(frames, f"the next would be at {told.address:#x}, which is no code")
        frames.append(_frame(len(frames), told, modules))
    return Unwound(frames, thread.ended)


def _frame(index: int, told: Told, modules: Modules) -> Frame:
    place = modules.place(told.address)
    return Frame(
        index=index,
        address=Address(told.address),
        function=told.function,
        module=place.module if place else None,
        offset=place.offset if place else None,
        file=told.file,
        line=told.line or None,
        inlined=told.inlined,
    )
