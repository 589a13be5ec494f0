"""What a check is: one class of claims, as a function from the case to what is found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from cryoscope.engines.vetting.case import Case
    from cryoscope.engines.vetting.records import Found


class Check(msgspec.Struct, frozen=True):
    """One class of claims; `name` is what it looks at, in words."""

    name: str
    look: Callable[[Case], Iterable[Found]]
