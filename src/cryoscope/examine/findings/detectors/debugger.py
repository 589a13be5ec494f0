"""Debuggers and tracers among the processes.

A traced process itself is in no checkpoint: CRIU takes hold of each process with ptrace(2), which a second
tracer cannot, and ends with an error (compel/src/lib/infect.c, compel_interrupt_task).  So what can be seen
is a tracer that has let go, or that traces nothing yet.
"""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_process
from cryoscope.examine.findings.known.folders import base
from cryoscope.examine.findings.scene import Scene

TRACERS = {
    "gdb": "a debugger",
    "gdbserver": "a debugger",
    "lldb": "a debugger",
    "lldb-server": "a debugger",
    "dlv": "a debugger",
    "radare2": "a debugger",
    "rr": "a recorder of execution",
    "strace": "a tracer of system calls",
    "ltrace": "a tracer of calls into libraries",
    "bpftrace": "a tracer of the kernel",
    "perf": "a profiler",
    "frida-server": "an injector of code",
    "frida-inject": "an injector of code",
    "frida-gadget": "an injector of code",
    "gcore": "a dumper of memory",
    "procdump": "a dumper of memory",
    "mimipenguin": "a reader of passwords in memory",
}


def look(scene: Scene) -> Iterator[Suspicion]:
    """Programs that attach to others, by name."""
    for process in scene.processes:
        words = [process.exe or "", *(process.cmdline or [])[:1], process.comm]
        what = next((TRACERS[base(word)] for word in words if base(word) in TRACERS), None)
        if what is not None:
            yield Suspicion([of_process(process, f"is {what}")])


DETECTOR = Detector(
    name="debugger",
    title="A program that attaches to others was running",
    severity="medium",
    why="Debuggers and tracers read and write the memory of other processes: passwords and keys can be "
    "taken out, code put in. Containers of services do not run them.",
    next=[
        "cryoscope ps -f tree ARCHIVE shows who started it and its arguments name the target",
        "findings of modified-code and anonymous-code in the other processes",
    ],
    techniques=["T1055.008", "T1003.007"],
    references=["MITRE ATT&CK T1055.008, Process Injection: Ptrace System Calls", "ptrace(2)"],
    look=look,
)
