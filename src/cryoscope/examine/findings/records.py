"""What detectors find: a finding with its evidence, and all of one checkpoint."""

from __future__ import annotations

import msgspec

from cryoscope.checkpoint.memory import Address
from cryoscope.examine.search.hits import Mapping

SEVERITIES = ("info", "low", "medium", "high")
"""From what is only worth knowing to an attacker's act that clean containers do not show."""


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One fact that a finding rests on, and where in the checkpoint it is.

    `what` says in words what is there.  `pid` and `comm` are the process, `address` and `vma` the place
    in its memory, `fd` its descriptor, `path` a file as the container sees it, `member` and `offset` the
    place of the bytes in the archive, `size` in bytes, `text` the bytes or words themselves.
    """

    what: str
    pid: int | None = None
    comm: str | None = None
    address: Address | None = None
    vma: Mapping | None = None
    path: str | None = None
    fd: int | None = None
    member: str | None = None
    offset: int | None = None
    size: int | None = None
    sha256: str | None = None
    text: str | None = None


class Finding(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One suspicion with its evidence, of which `more` were left out.

    `why` says why it matters, `next` what to look at, `techniques` are numbers of MITRE ATT&CK.
    """

    detector: str
    severity: str
    title: str
    why: str
    next: list[str]
    techniques: list[str]
    references: list[str]
    evidence: list[Evidence]
    more: int = 0


class FindingsResult(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """All findings, the worst first, and how many detectors were asked.

    `notes` says what was not done as asked; `complete` is false where the scan was stopped.
    """

    findings: list[Finding]
    detectors: int
    notes: list[str] = []
    complete: bool = True
