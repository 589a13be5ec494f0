"""What the sources are given: the checkpoint, how much to tell, and one scanner of texts for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import Damaged
from cryoscope.examine.findings import Finding
from cryoscope.examine.indicators import indicator_scan
from cryoscope.examine.indicators.kinds import Found
from cryoscope.examine.iocs.collector import Collector
from cryoscope.examine.iocs.hosts import host_of
from cryoscope.examine.iocs.noise import is_local, is_noise
from cryoscope.examine.iocs.records import KINDS, Sighting
from cryoscope.text import readable

IN_TEXTS = ("url", "ip", "email", "domain")


class Asked:
    """One run: `private` also takes addresses and names of no public network, `noise` those of `noise`."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        kinds: Sequence[str] = KINDS,
        findings: Sequence[Finding] = (),
        private: bool = False,
        noise: bool = False,
        damaged: list[Damaged] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.kinds = kinds
        self.findings = findings
        self.private = private
        self.noise = noise
        self.damaged = damaged if damaged is not None else []
        self.progress = progress
        self.found = Collector()
        self.signatures: dict[str, list[str]] = {}  # by digest

    @property
    def in_texts(self) -> list[str]:
        """The kinds that are asked for and can stand in a text."""
        return [kind for kind in self.kinds if kind in IN_TEXTS]

    @cached_property
    def _scan(self) -> Callable[[bytes], Iterator[Found]]:
        return indicator_scan(self.in_texts)

    def text(self, data: bytes, confidence: str, why: str, sighting: Sighting) -> None:
        """Everything in a text that is an indicator."""
        if self.in_texts:
            for found in dict.fromkeys(self._scan(data)):
                self.value(found.kind, readable(found.value), found.note, confidence, why, sighting)

    def value(
        self, kind: str, value: str, note: str | None, confidence: str, why: str, sighting: Sighting
    ) -> None:
        """One value, unless it is of no public network or noise, and those are not asked for."""
        if kind not in self.kinds or note in NOWHERE or (note and not self.private):
            return
        host, special = host_of(kind, value)
        if not self.private and (special or (host is not None and is_local(host))):
            return
        if not self.noise and host is not None and is_noise(host):
            return
        self.found.add(kind, value, confidence, why, sighting, note=note)


NOWHERE = ("unspecified", "netmask", "multicast", "reserved")
"""Addresses at which nobody can be."""
