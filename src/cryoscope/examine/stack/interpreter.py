"""Frames of Python in a process that runs CPython, by pystack, which knows the versions: 1.7 knows 3.14.

pystack needs the file of the interpreter: libpython where there is one, and the program.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterable

import msgspec

from cryoscope import limits
from cryoscope.errors import CryoscopeError
from cryoscope.examine.stack import child
from cryoscope.examine.stack.modules import Module, Modules
from cryoscope.examine.stack.records import PythonFrame

SCRIPT = os.path.join(os.path.dirname(__file__), "in_pystack.py")
PROGRAM = re.compile(r"python(?:\d(?:\.\d+)?)?t?d?$")
LIBRARY = re.compile(r"libpython\d(?:\.\d+)?[a-z]*\.so")
CURE = "pip install 'cryoscope[stack]'"


class Told(msgspec.Struct, frozen=True):
    """One frame as pystack tells it."""

    function: str
    file: str
    line: int | None
    locals: dict[str, str] | None = None


class ToldThread(msgspec.Struct, frozen=True):
    """One thread as pystack tells it; `tid` 0 is one that has ended."""

    tid: int
    version: str
    gil: bool
    frames: list[Told]


class ToldProcess(msgspec.Struct, frozen=True):
    """All threads, or why there are none."""

    threads: list[ToldThread] = []
    error: str | None = None


class Interpreted(msgspec.Struct, frozen=True):
    """The frames of Python by tid, the version, and who held the interpreter's lock."""

    version: str | None = None
    frames: dict[int, list[PythonFrame]] = {}
    gil: frozenset[int] = frozenset()


def runs_python(paths: Iterable[str]) -> bool:
    """Whether a process runs CPython, by the names of its program and mapped files."""
    return any(_is_python(path) for path in paths)


def _is_python(path: str) -> bool:
    base = path.rpartition("/")[2]
    return bool(PROGRAM.match(base) or LIBRARY.match(base))


def python_frames(
    core: int, exe: str | None, modules: Modules, folder: str, *, with_locals: bool
) -> Interpreted:
    """Python's frames of every thread; raises CryoscopeError, which says what is missing, or why not."""
    if importlib.util.find_spec("pystack") is None:
        raise CryoscopeError("frames of Python need pystack", hint=CURE, code="stack.not-installed")
    program = next((module for module in modules.found if module.path == exe), None)
    if program is None or any(_is_python(path) for path in modules.absent):
        raise CryoscopeError(
            "frames of Python need the interpreter's own file, which is not in the archive",
            hint="give the root file system of the container's image with --rootfs",
            code="stack.no-interpreter",
        )
    libraries = _libraries(modules, folder)
    wanted = "locals" if with_locals else "-"
    argv = [sys.executable, "-I", SCRIPT, f"/proc/self/fd/{core}", program.local, libraries, wanted]
    argv.append(str(limits.STACK_FRAMES))
    answer = child.ask(argv, folder, descriptors=[core], seconds=limits.STACK_SECONDS)
    try:
        found = msgspec.convert(answer, ToldProcess)
    except msgspec.ValidationError:
        raise CryoscopeError("pystack's answer is not understood", code="stack.program") from None
    if found.error is not None:
        raise CryoscopeError(f"pystack: {found.error}", code="stack.python")
    return _interpreted(found.threads)


def _libraries(modules: Modules, folder: str) -> str:
    """A folder of the mapped files under their own names, by which pystack looks for them.

    An empty file stands for one that is not known, so that none of this machine's is taken for it.
    """
    made = os.path.join(folder, "libraries")
    os.makedirs(made, exist_ok=True)
    for module in modules.found:
        _named(module, made)
    for path in modules.absent:
        base = path.rpartition("/")[2]
        if _plain(base) and not os.path.lexists(os.path.join(made, base)):
            with open(os.path.join(made, base), "xb"):
                pass
    return made


def _named(module: Module, made: str) -> None:
    base = module.path.rpartition("/")[2]
    if _plain(base) and not os.path.lexists(os.path.join(made, base)):
        os.symlink(module.local, os.path.join(made, base))


def _plain(base: str) -> bool:
    """Whether a name out of the archive is one that a file of ours may have."""
    return base not in ("", ".", "..") and len(os.fsencode(base)) < 256 and base.isprintable()


def _interpreted(threads: list[ToldThread]) -> Interpreted:
    return Interpreted(
        version=next((thread.version for thread in threads if thread.version), None),
        frames={
            thread.tid: [
                PythonFrame(index, told.function, told.file, told.line, told.locals)
                for index, told in enumerate(thread.frames)
            ]
            for thread in threads
        },
        gil=frozenset(thread.tid for thread in threads if thread.gil),
    )
