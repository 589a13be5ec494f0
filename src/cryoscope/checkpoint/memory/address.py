"""A virtual address: a number that is always written in hexadecimal."""

from __future__ import annotations


class Address(int):
    """A virtual address or length in bytes; `str()` and JSON show it as `0x7ffd436fe770`."""

    __slots__ = ()

    def __str__(self) -> str:
        return hex(self)

    __repr__ = __str__
