"""`stack`: where every thread of a checkpoint stood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.process import Process
from cryoscope.errors import Damaged
from cryoscope.examine.coredump import RootFolder
from cryoscope.examine.stack import Options, ProcessStack, ThreadStack, Tracer, scratch
from cryoscope.examine.stack.records import PythonFrame
from cryoscope.text import readable
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, Asking, answer, each
from cryoscope.workflows.masking import Masker
from cryoscope.workflows.open import open_checkpoint
from cryoscope.workflows.views import chosen


class StacksPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `stack`."""

    processes: list[ProcessStack]

    def rows(self) -> list[Any]:
        return list(self.processes)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Of which processes, how, and with which files."""

    pids: Sequence[int] = ()
    rootfs: str | None = None
    options: Options = Options()


def stacks(targets: Sequence[str], asked: Asked, asking: Asking) -> Answer:
    """The stacks of each target's processes, as a document."""

    def read(target: str) -> tuple[StacksPart, list[Damaged]]:
        progress = asking.progress(target)
        with open_checkpoint(
            target, cache=asking.cache, access=asking.access, stacks=True, progress=progress
        ) as checkpoint:
            found, damaged = of_checkpoint(checkpoint, asked)
            part = StacksPart(
                archive=readable(target), processes=[_masked(stack, asking.masker) for stack in found]
            )
            return part, list(dict.fromkeys([*checkpoint.damaged, *damaged]))

    return answer("stacks", *each(targets, read))


def of_checkpoint(checkpoint: Checkpoint, asked: Asked) -> tuple[list[ProcessStack], list[Damaged]]:
    """The stacks of a checkpoint's processes in the order of the tree, and what was damaged."""
    rootfs = RootFolder(asked.rootfs) if asked.rootfs is not None else None
    try:
        with scratch.folder() as folder:
            tracer = Tracer(checkpoint, rootfs, folder, asked.options)
            return [tracer.process(process) for process in _processes(checkpoint, asked)], tracer.damaged
    finally:
        if rootfs is not None:
            rootfs.close()


def _processes(checkpoint: Checkpoint, asked: Asked) -> list[Process]:
    return chosen(checkpoint, asked.pids)


def _masked(stack: ProcessStack, masker: Masker) -> ProcessStack:
    """Local variables by the rule for secrets: their names tell."""
    threads = [_masked_thread(thread, masker) for thread in stack.threads]
    return msgspec.structs.replace(stack, threads=threads)


def _masked_thread(thread: ThreadStack, masker: Masker) -> ThreadStack:
    if not any(frame.locals for frame in thread.python):
        return thread
    return msgspec.structs.replace(thread, python=[_masked_frame(frame, masker) for frame in thread.python])


def _masked_frame(frame: PythonFrame, masker: Masker) -> PythonFrame:
    if frame.locals is None:
        return frame
    values = {name: masker.value(name, value) for name, value in frame.locals.items()}
    return msgspec.structs.replace(frame, locals=values)
