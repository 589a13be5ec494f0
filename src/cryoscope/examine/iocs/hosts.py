"""Whose an indicator is: the host in a URL, the domain of a mailbox."""

from __future__ import annotations

from cryoscope.examine.indicators.kinds import HOST, USERINFO, ip


def host_of(kind: str, value: str) -> tuple[str | None, str | None]:
    """The name of the host in a value, and, where that is an address, which special network it is of."""
    if kind == "domain":
        return value, None
    if kind == "email":
        return value.rpartition("@")[2], None
    if kind != "url":
        return None, None
    rest = USERINFO.sub(b"", value.partition("://")[2].encode("utf-8", "replace"))
    found = HOST.match(rest)
    if found is None:
        return None, None
    address = ip(found[0].strip(b"[]"))
    return (None, address.note) if address else (found[0].decode("ascii"), None)
