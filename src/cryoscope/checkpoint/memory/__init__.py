"""Address spaces: mappings, the pages behind them, and reading them by address.

A page of a mapping is in one of six states (`State`).  Only `dumped` and `parent` pages have
bytes in the checkpoint, and `zero` pages are known without any; the others are *missing*, which
is not the same as zero, and reading them is an error that says which kind of missing it is.
Which pages CRIU leaves out, and why: criu/mem.c (should_dump_page), criu/pagemap.c.
"""

from cryoscope.checkpoint.memory.address import Address
from cryoscope.checkpoint.memory.pages import PageIndex, State
from cryoscope.checkpoint.memory.space import AddressSpace, Run
from cryoscope.checkpoint.memory.vma import Vma

__all__ = ["Address", "AddressSpace", "PageIndex", "Run", "State", "Vma"]
