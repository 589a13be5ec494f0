"""Options about memory that several commands share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from cryoscope.checkpoint.memory.vma import KINDS

KIND_NAMES = [*sorted({name for _, name in KINDS} - {"guard"}), "other"]
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
RANGE = re.compile(
    r"(?:0x)?(?P<start>[0-9a-f]{1,16})"
    r"(?:-(?:0x)?(?P<end>[0-9a-f]{1,16})|\+(?P<length>0x[0-9a-f]{1,16}|[0-9]{1,18})(?P<unit>[kmg]?))?",
    re.IGNORECASE,
)

Range = tuple[int, int | None]
"""Where it begins, and ends if that was said."""

if TYPE_CHECKING:  # generic for type checkers in some releases of click only
    _Parameter = click.ParamType[Any]
else:
    _Parameter = click.ParamType


class AddressRange(_Parameter):
    """`START`, `START-END` or `START+LENGTH`: addresses in hexadecimal, the length in bytes, K, M or G."""

    name = "range"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Range:
        if isinstance(value, tuple):
            return value
        found = RANGE.fullmatch(value)
        if found is None:
            self.fail(
                f"{value} is not START, START-END or START+LENGTH, addresses in hexadecimal", param, ctx
            )
        start, end = int(found["start"], 16), None
        if found["end"]:
            end = int(found["end"], 16)
        elif found["length"]:
            end = (
                start
                + int(found["length"], 0 if "x" in found["length"] else 10) * UNITS[found["unit"].lower()]
            )
        if end is not None and end <= start:
            self.fail(f"{value} ends before it starts", param, ctx)
        return start, end


class Permissions(_Parameter):
    """Letters of `rwxsp`, or all four as in /proc/PID/maps."""

    name = "permissions"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not re.fullmatch(r"[r-][w-][x-][sp]|[rwxsp]{0,4}", value):
            self.fail(f"{value} is neither some of the letters rwxsp nor four as in rw-p", param, ctx)
        return str(value)


kinds = click.option(
    "--vma-type",
    "kinds",
    type=click.Choice(KIND_NAMES),
    multiple=True,
    help="Only mappings of this kind, as `maps` names them (repeatable).",
)
perms = click.option(
    "--perm",
    "perms",
    type=Permissions(),
    default="",
    metavar="PERMS",
    help="Only mappings with these permissions: some of rwxsp, or exactly four as in rw-p.",
)
address = click.option(
    "--address",
    "address",
    type=AddressRange(),
    metavar="RANGE",
    help="Only START, START-END or START+LENGTH: addresses in hexadecimal, length in bytes, K, M or G.",
)
one_pid = click.option("-p", "--pid", "pid", type=int, metavar="PID", required=True, help="Of this process.")
