"""What is known of the stacks of one process."""

from __future__ import annotations

import msgspec

from cryoscope.checkpoint.memory import Address


class Frame(msgspec.Struct, frozen=True, omit_defaults=True):
    """One frame of machine code, number 0 being the innermost.

    `address` is where the thread was, or will return to.  `module` is the mapped file with that address
    and `offset` the byte of the file that is mapped there, so that the place can be found in it without
    symbols; memory that shows no file has its kind in brackets and no offset.  `function` is None where no
    symbol is known.  An `inlined` frame has the address of the one that it is part of.
    """

    index: int
    address: Address
    function: str | None
    module: str | None = None
    offset: int | None = None
    file: str | None = None
    line: int | None = None
    inlined: bool = False


class PythonFrame(msgspec.Struct, frozen=True, omit_defaults=True):
    """One frame of Python, number 0 being the innermost; `locals` (arguments first) only if asked for."""

    index: int
    function: str
    file: str
    line: int | None = None
    locals: dict[str, str] | None = None


class ThreadStack(msgspec.Struct, frozen=True, omit_defaults=True):
    """The stack of one thread.

    `unwound` says how: `gdb`, `frame-pointers` (may lack functions that keep none) or `registers` (the
    innermost frame only).  `ended` is why there are no further frames, if that is not the end of the
    stack.  `python` is absent where the thread ran no Python.
    """

    tid: int
    comm: str
    unwound: str
    frames: list[Frame]
    python: list[PythonFrame] = []
    has_gil: bool = False
    ended: str | None = None


class ProcessStack(msgspec.Struct, frozen=True, omit_defaults=True):
    """The stacks of one process; `notes` says what could not be done and what would help.

    `python` is the version of the interpreter that it ran, as `3.14`.
    """

    pid: int
    comm: str
    state: str
    threads: list[ThreadStack]
    exe: str | None = None
    python: str | None = None
    notes: list[str] = []
