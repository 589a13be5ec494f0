"""Where to search: kinds of places, processes, addresses, mappings, files."""

from __future__ import annotations

from fnmatch import fnmatchcase

import msgspec

from cryoscope.errors import UsageError
from cryoscope.examine.search.hits import IN_FILES, IN_PAGES, PLACES, Hit, Owner


class Where(msgspec.Struct, frozen=True):
    """The filters of a search; what is empty does not filter.

    `addresses` are (from, to), `kinds` those of mappings (`heap`, `stack`), `perms` as `maps` shows
    them with `?` for any (`rw??`), `file` a glob over paths of mapped, deleted or changed files.
    """

    places: tuple[str, ...] = tuple(PLACES)
    pids: tuple[int, ...] = ()
    addresses: tuple[tuple[int, int], ...] = ()
    kinds: tuple[str, ...] = ()
    perms: str = ""
    file: str = ""

    @property
    def about_mappings(self) -> bool:
        """Whether only bytes with an address can be meant."""
        return bool(self.addresses or self.kinds or self.perms)

    @property
    def all_pages(self) -> bool:
        """Whether every page counts, whoever maps it and where."""
        return not (self.pids or self.about_mappings or self.file) and all(map(self.covers, IN_PAGES))

    def covers(self, place: str) -> bool:
        """Whether a kind of place is searched at all."""
        if place not in self.places:
            return False
        if place in IN_PAGES:
            return True
        if self.about_mappings or (place in IN_FILES and self.pids):
            return False
        return not self.file or place in (*IN_FILES, "ghost")

    def admits(self, hit: Hit) -> bool:
        """Whether a hit is one that was asked for."""
        if hit.place in IN_PAGES and (hit.processes or self.about_mappings or self.pids):
            return any(self.admits_owner(owner) for owner in hit.processes)
        if self.pids and not any(holder.pid in self.pids for holder in hit.holders):
            return False
        return not self.file or fnmatchcase(hit.path or "", self.file)

    def admits_owner(self, owner: Owner) -> bool:
        """Whether a process at an address is one that was asked for."""
        vma = owner.vma
        return (
            (not self.pids or owner.pid in self.pids)
            and (not self.addresses or any(low <= owner.address < high for low, high in self.addresses))
            and (not self.kinds or vma.kind in self.kinds)
            and (not self.perms or fnmatchcase(vma.perms, self.perms))
            and (not self.file or fnmatchcase(vma.path or "", self.file))
        )


def place_names(text: str) -> tuple[str, ...]:
    """The places of a list such as `memory,pipe`; raises UsageError for what is none."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in PLACES]
    if unknown or not names:
        shown = f"there is no place {unknown[0]}" if unknown else "no place is named"
        raise UsageError(shown, hint=f"there are: {', '.join(PLACES)}", code="search.place")
    return names


def address_range(text: str) -> tuple[int, int]:
    """`0x7f00-0x7fff` or one address; raises UsageError for what is neither."""
    low, dash, high = text.partition("-")
    try:
        start = int(low, 16)
        end = int(high, 16) if dash else start + 1
    except ValueError:
        end = start = 0
    if end <= start:
        raise UsageError(
            f"{text} is no range of addresses", hint="such as 7f0000000000-7f0000001000", code="search.range"
        )
    return start, end
