"""A program that waits, as small as it gets: what keeps an empty container with its network namespace open.

An ELF file of one segment (System V ABI, elf(5)) that makes the system call pause(2), or ppoll(2) where that
is all there is, again and again.  So no image of a stranger has to run for it, nor one be pulled.
"""

from __future__ import annotations

import io
import struct

from cryoscope.checkpoint.archive.writer import TarWriter

PROGRAMS = {
    # mov eax, 34; syscall; jmp back
    "x86_64": (62, "b8220000000f05ebf7"),
    # mov x0, 0; mov x1, 0; mov x2, 0; mov x3, 0; mov x8, 73; svc 0; b back
    "aarch64": (183, "000080d2010080d2020080d2030080d2280980d2010000d4faffff17"),
}
"""Number of the machine and the program, by the name that uname(2) has for it."""
ADDRESS, HEADERS = 0x400000, 64 + 56
NAME = "pause"


def program(machine: str) -> bytes | None:
    """The executable for a machine; None if there is none."""
    if machine not in PROGRAMS:
        return None
    number, code = PROGRAMS[machine]
    text = bytes.fromhex(code)
    size = HEADERS + len(text)
    elf = struct.pack("<4s5B7x", b"\x7fELF", 2, 1, 1, 0, 0)
    elf += struct.pack("<HHIQQQIHHHHHH", 2, number, 1, ADDRESS + HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    elf += struct.pack("<IIQQQQQQ", 1, 5, 0, ADDRESS, ADDRESS, size, size, 0x1000)
    return elf + text


def layer(machine: str) -> bytes | None:
    """The tar of an image that holds it alone."""
    data = program(machine)
    if data is None:
        return None
    out = io.BytesIO()
    with TarWriter(out) as tar:
        tar.add(NAME, data, mode=0o755)
    return out.getvalue()
