"""Core files: a process of a checkpoint as debuggers know it.

The format is that of elf.h and of the kernel's fs/binfmt_elf.c; a segment is written for what is known and
nothing for what is not, because a debugger cannot tell a missing page from one of zeros.

    core        puts the file together       layout     address space -> segments
    notes       registers and facts          parts      where each page's bytes are, or why nobody has them
    xsave       vector registers             backing    files behind mappings, verified by build-id
    elf         headers                      rooted     a root file system on disk, never left
"""

from cryoscope.examine.coredump.backing import Backing
from cryoscope.examine.coredump.core import ready, write_core
from cryoscope.examine.coredump.records import Core, Filled, Missing
from cryoscope.examine.coredump.rooted import RootFolder

__all__ = ["Backing", "Core", "Filled", "Missing", "RootFolder", "ready", "write_core"]
