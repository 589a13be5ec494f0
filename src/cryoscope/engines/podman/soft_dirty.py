"""Whether the kernel tells which pages were written: dumps in steps need it.

Documentation/admin-guide/mm/soft-dirty.rst: bit 55 of /proc/PID/pagemap, cleared by 4 to clear_refs.  Without
CONFIG_MEM_SOFT_DIRTY the bit is never set.
"""

from __future__ import annotations

import ctypes
import mmap

BIT = 1 << 55


def tracks_writes() -> bool:
    """Write to a page of this process and see."""
    with mmap.mmap(-1, mmap.PAGESIZE) as page:
        page[0] = 1
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        try:
            with open("/proc/self/pagemap", "rb", buffering=0) as pagemap:
                pagemap.seek(address // mmap.PAGESIZE * 8)
                return bool(int.from_bytes(pagemap.read(8), "little") & BIT)
        except OSError:
            return False
