"""What somebody does with an archive, and why: what the custody log of a case says of it."""

from __future__ import annotations

import msgspec

READ, SEARCH, REVEAL = "read", "search", "reveal"


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """`action` is read, search, or reveal: where secrets are shown or bytes are given out as they are."""

    action: str = READ
    reason: str = ""
