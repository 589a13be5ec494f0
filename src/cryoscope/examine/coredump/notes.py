"""What the notes of a core say: the process, its threads' registers, its auxiliary vector, its files.

Defined in the kernel's include/linux/elfcore.h (elf_prstatus, elf_prpsinfo) and fs/binfmt_elf.c
(fill_note_info); read by gdb as bfd/elf64-x86-64.c and bfd/elf.c say.  The notes of a thread are those
behind its NT_PRSTATUS, and the first thread is the one that a debugger selects.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Iterator
from typing import Any

from cryoscope.checkpoint.memory import Vma
from cryoscope.checkpoint.process import Process
from cryoscope.examine.coredump import xsave
from cryoscope.examine.coredump.elf import PAGE, note

CORE, LINUX = b"CORE", b"LINUX"
NT_PRSTATUS, NT_FPREGSET, NT_PRPSINFO, NT_AUXV = 1, 2, 3, 6
NT_X86_XSTATE, NT_X86_SHSTK = 0x202, 0x204
NT_SIGINFO, NT_FILE = 0x53494749, 0x46494C45

PRPSINFO = struct.Struct("<bcbb4xQIIiiii16s80s")
PRSTATUS = struct.Struct("<iiih2xQQiiii64x27Qi4x")
SIGINFO = 128
REGISTERS = (
    *("r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8", "ax", "cx", "dx", "si", "di"),
    *("orig_ax", "ip", "cs", "flags", "sp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs"),
)
"""In the order of the kernel's user_regs_struct."""

RUNNING, SLEEPING, STOPPED = (0, b"R"), (1, b"S"), (3, b"T")
AT_NULL = 0


def process_note(process: Process, task: Any, in_call: bool, arguments: bytes) -> bytes:
    """NT_PRPSINFO: `arguments` is the command line as it lies in memory, `in_call` tells who slept."""
    state, letter = STOPPED if process.state == "stopped" else SLEEPING if in_call else RUNNING
    owner = process.credentials
    data = PRPSINFO.pack(
        state,
        letter,
        0,
        process.threads[0].nice if process.threads and -128 <= process.threads[0].nice < 128 else 0,
        task.flags,
        owner.uid if owner else 0,
        owner.gid if owner else 0,
        *map(_signed, (process.pid, process.ppid, process.pgid, process.sid)),
        bytes(task.comm)[:15],
        arguments.rstrip(b"\0").replace(b"\0", b" ")[:79],
    )
    return note(CORE, NT_PRPSINFO, data)


def thread_notes(process: Process, tid: int, core: Any, waiting: list[bytes]) -> Iterator[bytes]:
    """The notes of one thread, NT_PRSTATUS first; `waiting` are its pending signals, each a siginfo_t."""
    fpregs = core.thread_info.fpregs if core.thread_info.HasField("fpregs") else None
    yield note(CORE, NT_PRSTATUS, _status(process, tid, core, valid=fpregs is not None))
    if fpregs is not None:
        yield note(CORE, NT_FPREGSET, xsave.legacy(fpregs))
        if fpregs.HasField("xsave"):
            yield note(LINUX, NT_X86_XSTATE, xsave.extended(fpregs))
            pointer = xsave.shadow_stack(fpregs)
            if pointer is not None:
                yield note(LINUX, NT_X86_SHSTK, pointer.to_bytes(8, "little"))
    signal = waiting[0] if waiting else b""
    yield note(CORE, NT_SIGINFO, signal[:SIGINFO].ljust(SIGINFO, b"\0"))


def _status(process: Process, tid: int, core: Any, *, valid: bool) -> bytes:
    """NT_PRSTATUS without a signal (none ended the process) and without times, which no image has."""
    registers = core.thread_info.gpregs
    own = core.thread_core
    return PRSTATUS.pack(
        *(0, 0, 0, 0),
        _set_of(own.signals_p.signals),
        own.blk_sigset or core.tc.blk_sigset,
        *map(_signed, (tid, process.ppid, process.pgid, process.sid)),
        *(getattr(registers, name) for name in REGISTERS),
        int(valid),
    )


def _set_of(signals: Any) -> int:
    """A kernel's sigset of queued signals: bit n-1 for signal n."""
    found = 0
    for entry in signals:
        number = int.from_bytes(entry.siginfo[:4], "little")
        found |= 1 << number - 1 if 0 < number <= 64 else 0
    return found


def auxiliary_note(saved: Iterable[int]) -> bytes:
    """NT_AUXV: types and values in turn, up to and with AT_NULL."""
    numbers = list(saved)
    pairs = list(zip(numbers[::2], numbers[1::2], strict=False))
    end = next((index for index, pair in enumerate(pairs) if pair[0] == AT_NULL), len(pairs))
    data = b"".join(struct.pack("<QQ", *pair) for pair in pairs[:end])
    return note(CORE, NT_AUXV, data + bytes(16))


def file_note(vmas: list[Vma]) -> bytes:
    """NT_FILE: which file each mapping shows, and from which page on."""
    shown = [vma for vma in vmas if vma.path is not None]
    numbers = [struct.pack("<QQQ", vma.start, vma.end, vma.offset // PAGE) for vma in shown]
    names = [name_of(vma) + b"\0" for vma in shown]
    return note(CORE, NT_FILE, struct.pack("<QQ", len(shown), PAGE) + b"".join(numbers + names))


def name_of(vma: Vma) -> bytes:
    """The file of a mapping as the kernel writes it, deleted ones marked."""
    if vma.path_base64 is not None:
        name = base64.b64decode(vma.path_base64)
    else:
        name = (vma.path or "").encode("utf-8", "surrogateescape")
    return name.replace(b"\0", b"?") + b" (deleted)" * vma.deleted


def _signed(number: int) -> int:
    """A pid, which images hold without a sign, as an int of C."""
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)
