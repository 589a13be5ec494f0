"""Other programs that read core files: readelf, and gdb in two versions, as oracles."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from lab import build, places
from lab.errors import NoLab

HERE = "/mnt"
"""Where a lab's gdb sees the folder of the core."""
IN_LAB = f'mount --bind "$1" "$2{HERE}" && shift && exec chroot "$@"'
VALUE = re.compile(r"(0x[0-9a-f]+)(?: <[^>\n]*>)?:\t(0x[0-9a-f]{16}|<unavailable>)$", re.MULTILINE)
REFUSED = re.compile(r"^Cannot access memory at address (0x[0-9a-f]+)$", re.MULTILINE)
EXTENDED = re.compile(r"Warning: \[ 0\]: Unexpected value \(\d+\) in info field")
"""It says so of the kernel's own cores, too: there elf.h wants the number of program headers."""
GDBS = ("host", "lab")


def complaints(core: Path) -> list[str]:
    """What readelf does not like about a core."""
    if shutil.which("readelf") is None:
        pytest.skip("there is no readelf")
    done = subprocess.run(["readelf", "-a", "-W", str(core)], capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).splitlines()
    return [
        line for line in said if re.search("warning|error", line, re.IGNORECASE) and not EXTENDED.search(line)
    ]


@cache
def lab_root() -> str:
    """The lab's root file system; skips where there is none, or nobody may enter it."""
    try:
        build.required()
    except NoLab as error:
        pytest.skip(f"no lab: {error}")
    if os.geteuid():
        pytest.skip("only root may enter the lab")
    return str(places.root())


def gdb(which: str, core: Path, *commands: str, program: str = "", sysroot: str = "/dev/null") -> str:
    """What a gdb prints for commands about a core; an error does not keep the next one from running."""
    options = ["-nx", "-batch", "-iex", "set auto-load off", "-iex", f"set sysroot {sysroot}"]
    options += [word for command in commands for word in ("-ex", command)]
    if which == "lab":
        inside = ["gdb", *options, *([program] if program else []), f"--core={HERE}/{core.name}"]
        argv = ["unshare", "--mount", "sh", "-c", IN_LAB, "sh", str(core.parent), lab_root(), *inside]
    else:
        if shutil.which("gdb") is None:
            pytest.skip("there is no gdb")
        argv = ["gdb", *options, *([program] if program else []), f"--core={core}"]
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return f"{done.stdout}\n{done.stderr}"


def words(which: str, core: Path, addresses: Sequence[int]) -> dict[int, int | None]:
    """Eight bytes at each address as gdb reads them; None where it says that it cannot."""
    said = gdb(which, core, *(f"x/1gx {address:#x}" for address in addresses))
    found: dict[int, int | None] = {int(at, 16): None for at in REFUSED.findall(said)}
    for at, value in VALUE.findall(said):
        found[int(at, 16)] = None if value == "<unavailable>" else int(value, 16)
    return found
