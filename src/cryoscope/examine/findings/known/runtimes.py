"""Programs that make machine code while they run: what they map executable is their work.

Told by the name of the executable or of a mapped library.  V8, the JVM and .NET keep code in anonymous memory
(V8 and the JVM writable, too, in many releases; .NET in memfd:doublemapper), LuaJIT, PCRE2, libffi and
PostgreSQL's LLVM in small anonymous mappings.  Malware may carry such a name: that lowers a severity, it
never hides a finding.
"""

from __future__ import annotations

import re

from cryoscope.checkpoint.memory import AddressSpace
from cryoscope.checkpoint.process import Process
from cryoscope.examine.findings.known.folders import base, system, temporary

PROGRAMS = {
    re.compile(pattern): name
    for pattern, name in (
        (r"(?:node|nodejs|bun|deno|electron)[\d.]*$", "a JavaScript engine"),
        (
            r"(?:chrome|chromium|chromium-browser|chrome-headless-shell|headless_shell|firefox|firefox-esr)$",
            "a browser",
        ),
        (r"java[\d.]*$", "the Java virtual machine"),
        (r"(?:dotnet|mono|mono-sgen|pwsh)$", ".NET"),
        (r"(?:luajit|resty|openresty)[\w.-]*$", "LuaJIT"),
        (r"(?:pypy|pypy3)[\d.]*$", "PyPy"),
        (r"php[\w.-]*$", "PHP"),
        (r"ruby[\d.]*$", "Ruby"),
        (r"(?:beam\.smp|erlexec)$", "Erlang"),
        (r"julia$", "Julia"),
        (r"qemu-[\w-]+$", "QEMU"),
        (r"(?:wine|wine64|wine-preloader|wine64-preloader|wineserver)$", "Wine"),
        (r"(?:wasmtime|wasmer|wasmedge|envoy)$", "WebAssembly"),
        (r"(?:postgres|mongod|mysqld|mariadbd|clickhouse[\w-]*|duckdb)$", "a database that compiles queries"),
        (r"(?:gdb|valgrind|memcheck-[\w-]+|rr)$", "a debugger"),
    )
}
"""Patterns of executables' names, and what they are."""

LIBRARIES = re.compile(
    r"lib(?:v8|node|jvm|jsc|javascriptcoregtk|mozjs|coreclr|monosgen|monoboehm|luajit|LLVM|ffi|pcre2|pcre|pcreposix"
    r"|erl|gccjit|julia|Qt\d?Qml|orc|llvmlite|tensorflow_cc|torch_cpu|onnxruntime|wasmtime|nvrtc|tcc"
    r"|rubyrun|ruby|php|opcache|swiftshader|gallium|vulkan_lvp)[\w.+-]*\.so"
)
"""Libraries that make code, or have small pieces of it made."""

MEMFDS = re.compile(
    r"/memfd:(?:doublemapper|tcg-jit|vmem|libffi|JITCode|MozSharedMem|js-executable-memory|jit-cache)"
)
"""Names of memory files that runtimes map executable: .NET, QEMU, Erlang, libffi, browsers, Android."""


CLONES = re.compile(r"/memfd:(?:runc_cloned:|crun)")
"""Container runtimes that run a copy of themselves, so that the container cannot overwrite them."""


def runtime_of(process: Process, space: AddressSpace | None) -> str | None:
    """What in a process makes code as its work, in words; None if nothing is known to."""
    if process.exe and not temporary(process.exe) and not process.exe_deleted:
        for pattern, name in PROGRAMS.items():
            if pattern.match(base(process.exe)):
                return name
    for vma in space.mappings if space is not None else ():
        if vma.path and LIBRARIES.match(base(vma.path)) and (system(vma.path) or not temporary(vma.path)):
            return base(vma.path)
    return None
