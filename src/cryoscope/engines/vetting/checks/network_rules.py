"""Packet filters in the images: CRIU gives their text to iptables-restore and to nft (criu/net.c)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope import limits
from cryoscope.engines.port import HARD
from cryoscope.engines.vetting.case import Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.records import Found

INCLUDE = re.compile(rb"(?m)(?:^|;)\s*(include\s.*)$")
"""A statement by which nft reads a file of the host (nft(8), "Including files")."""

PATTERNS = ("nftables-*", "iptables-*", "ip6tables-*")


def look(case: Case) -> Iterator[Found]:
    """The text of each filter."""
    for pattern in PATTERNS:
        for name, _ in case.images.matching(pattern):
            member = case.images.member(name) or name
            data = case.archive.read(member, limit=limits.LOG)
            found = INCLUDE.search(data)
            if found is not None:
                what = f"has a program of the host read a file: {shown(found.group(1))}"
                yield case.found("criu.filter-include", what, member, weight=HARD)


CHECK = Check("packet filters in CRIU's images", look)
