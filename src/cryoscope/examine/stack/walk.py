"""Frames without a debugger: the instruction pointer, then the chain of frame pointers while it is plausible.

Compilers keep the caller's frame pointer where the frame pointer points to, and the return address behind
it (System V ABI for x86-64, 3.2.2), unless they are told not to: such functions are missing in the chain.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.memory import Address
from cryoscope.checkpoint.process import Process
from cryoscope.checkpoint.process.task import Thread
from cryoscope.examine.stack.modules import Module, Modules, memory_of
from cryoscope.examine.stack.records import Frame, ThreadStack
from cryoscope.examine.stack.symbols import Symbols

PAIR = struct.Struct("<QQ")
COMPAT = 2
"""user_x86_regs_mode of a 32-bit program."""


class Walker:
    """Walks the stacks of one process."""

    def __init__(self, checkpoint: Checkpoint, process: Process, modules: Modules) -> None:
        self._checkpoint = checkpoint
        self._process = process
        self._modules = modules
        self._symbols: dict[str, Symbols] = {}

    def thread(self, thread: Thread) -> ThreadStack:
        """What can be told of a thread's stack."""
        if thread.ip is None:
            why = "its registers are not in the checkpoint"
            return ThreadStack(thread.tid, thread.comm, "registers", [], ended=why)
        addresses = [thread.ip, *self._callers(thread)]
        frames = [self.frame(index, address) for index, address in enumerate(addresses)]
        how = "frame-pointers" if len(frames) > 1 else "registers"
        return ThreadStack(thread.tid, thread.comm, how, frames)

    def frame(self, index: int, address: int) -> Frame:
        """A frame by its address alone; a caller's is behind its call, which may be its last instruction."""
        place = self._modules.place(address)
        return Frame(
            index=index,
            address=Address(address),
            function=self._function(address - (index > 0)),
            module=place.module if place else None,
            offset=place.offset if place else None,
        )

    def _function(self, address: int) -> str | None:
        module = self._modules.module(address)
        return self._of(module).name((address - module.bias) % (1 << 64)) if module is not None else None

    def _of(self, module: Module) -> Symbols:
        if module.path not in self._symbols:
            self._symbols[module.path] = Symbols(module.source.read)
        return self._symbols[module.path]

    def _callers(self, thread: Thread) -> Iterator[int]:
        """Return addresses: each frame pointer lies above the last, in the mapping of the stack."""
        if thread.sp is None or (stack := self._modules.place(thread.sp)) is None:
            return
        pointer, low = self._frame_pointer(thread.tid), int(thread.sp)
        for _ in range(limits.STACK_FRAMES - 1):
            if not low <= pointer <= stack.vma.end - PAIR.size or pointer % 8:
                return
            data = memory_of(self._modules.space, pointer, PAIR.size)
            if len(data) < PAIR.size:
                return
            low = pointer + PAIR.size
            pointer, address = PAIR.unpack(data)
            if not self._modules.runs(address):
                return
            yield address

    def _frame_pointer(self, tid: int) -> int:
        core = self._checkpoint.images.first(f"core-{tid}.img")
        if core is None or not core.HasField("thread_info") or core.thread_info.gpregs.mode == COMPAT:
            return 0
        return int(core.thread_info.gpregs.bp)
