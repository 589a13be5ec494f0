"""Where every thread stood: frames of machine code, and of Python in processes that ran it.

    with scratch.folder() as folder:
        tracer = Tracer(checkpoint, rootfs, folder, Options())
        stack = tracer.process(checkpoint.process(7))   # a `ProcessStack`; says what it could not do

    tracer      one process: core, debugger, interpreter, put together
    records     what comes out                 modules      mapped files: address -> file and offset
    debugger    frames by gdb                  in_gdb       what runs inside it
    interpreter Python's frames by pystack     in_pystack   what runs in a process of its own for it
    walk        frames without a debugger      symbols      names out of ELF files
    child       programs with limits           scratch      a folder and a core that leave nothing

gdb and pystack read what a stranger wrote, so that each runs in a process of its own with bounds on time and
memory.  They are given the core and the files that are known to be the mapped ones, under names of ours:
nothing out of the archive is a command to them, and gdb takes no library of this machine for one of the
container.  (The library below pystack looks at files by the names in the process's link map, too; frames of
Python come out of the interpreter's own file and memory alone.)
"""

from cryoscope.examine.stack.records import Frame, ProcessStack, PythonFrame, ThreadStack
from cryoscope.examine.stack.tracer import Options, Tracer

__all__ = ["Frame", "Options", "ProcessStack", "PythonFrame", "ThreadStack", "Tracer"]
