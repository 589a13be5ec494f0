"""Floating-point and vector registers: the areas that FXSAVE and XSAVE write.

The legacy area and the header are defined in the Intel SDM, volume 1, 13.4; where each component of the
standard format lies is what CPUID leaf 0DH gives on processors by Intel.  Debuggers tell the layout by
the size of the area and by the components in XCR0, which the kernel puts into the bytes that are left
to software (gdb/i387-tdep.c, i387_guess_xsave_layout).
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

LEGACY, HEADER = 512, 64
FXSAVE = struct.Struct("<HHHHQQII")
X87, SSE = 1 << 0, 1 << 1
XCR0_AT = 464
"""Where the kernel says which components were switched on (include/uapi/asm/sigcontext.h, sw_reserved)."""

SHADOW_STACK = 1
"""Bit of `cet` for a thread with a shadow stack (ARCH_SHSTK_SHSTK)."""


class Component(NamedTuple):
    """One component: its bit, the field of `user_x86_xsave_entry`, and where its `items` numbers lie."""

    bit: int
    field: str
    code: str
    items: int
    offset: int

    @property
    def end(self) -> int:
        """The byte behind it; that of PKRU has four bytes that are not used."""
        return self.offset + max(8, struct.calcsize(f"<{self.items}{self.code}"))


COMPONENTS = (
    Component(1 << 2, "ymmh_space", "I", 64, 576),
    Component(1 << 3, "bndreg_state", "Q", 8, 960),
    Component(1 << 4, "bndcsr_state", "Q", 8, 1024),
    Component(1 << 5, "opmask_reg", "Q", 8, 1088),
    Component(1 << 6, "zmm_upper", "Q", 64, 1152),
    Component(1 << 7, "hi16_zmm", "Q", 128, 1664),
    Component(1 << 9, "pkru", "I", 2, 2688),
)


def legacy(fpregs: Any, xcr0: int = 0) -> bytes:
    """The 512 bytes of FXSAVE, which are the note NT_FPREGSET as well."""
    words = (fpregs.cwd & 0xFFFF, fpregs.swd & 0xFFFF, fpregs.twd & 0xFFFF, fpregs.fop & 0xFFFF)
    area = FXSAVE.pack(*words, fpregs.rip, fpregs.rdp, fpregs.mxcsr, fpregs.mxcsr_mask)
    area += packed("I", 32, fpregs.st_space) + packed("I", 64, fpregs.xmm_space)
    return area.ljust(XCR0_AT, b"\0") + xcr0.to_bytes(8, "little") + bytes(LEGACY - XCR0_AT - 8)


def extended(fpregs: Any) -> bytes:
    """The area of XSAVE, in the standard format and with all components that the image has.

    A component that the processor has and the image holds too little of is damage; it is left out.
    """
    held = [component for component in COMPONENTS if _whole(fpregs.xsave, component)]
    xcr0 = X87 | SSE | sum(component.bit for component in held)
    area = bytearray(max([LEGACY + HEADER, *(component.end for component in held)]))
    area[:LEGACY] = legacy(fpregs, xcr0)
    struct.pack_into("<Q", area, LEGACY, fpregs.xsave.xstate_bv & xcr0)
    for component in held:
        data = packed(component.code, component.items, getattr(fpregs.xsave, component.field))
        area[component.offset : component.offset + len(data)] = data
    return bytes(area)


def damaged(fpregs: Any) -> list[str]:
    """The components of which the image holds some, but not all."""
    return [
        component.field
        for component in COMPONENTS
        if len(getattr(fpregs.xsave, component.field)) and not _whole(fpregs.xsave, component)
    ]


def shadow_stack(fpregs: Any) -> int | None:
    """The shadow stack pointer of a thread that has one."""
    if not fpregs.xsave.HasField("cet") or not fpregs.xsave.cet.cet & SHADOW_STACK:
        return None
    return int(fpregs.xsave.cet.ssp)


def _whole(xsave: Any, component: Component) -> bool:
    return len(getattr(xsave, component.field)) >= component.items


def packed(code: str, count: int, values: Any) -> bytes:
    """`count` numbers, zeros for those that are missing."""
    found = list(values)[:count]
    return struct.pack(f"<{count}{code}", *found, *[0] * (count - len(found)))
