"""`inspect`: everything about a checkpoint in one document, or the parts that are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.container import Container, DumpLog
from cryoscope.checkpoint.overview import Overview
from cryoscope.checkpoint.process import Mount, Namespace, Process
from cryoscope.checkpoint.process.holders import HeldSocket
from cryoscope.checkpoint.process.ipc import IpcObject
from cryoscope.checkpoint.process.network import FilterRules, NetworkDevice
from cryoscope.checkpoint.rootfs import Change, GhostFile
from cryoscope.checkpoint.statistics import Statistics
from cryoscope.workflows.documents import Part
from cryoscope.workflows.masking import Masker
from cryoscope.workflows.views import chosen, with_details

PARTS = ("ps", "env", "files", "sockets", "mounts", "maps", "stats", "metadata", "rootfs")


class InspectionPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `inspect`; what was not asked for is absent."""

    overview: Overview
    container: Container | None = None
    dump: DumpLog | None = None
    statistics: Statistics | None = None
    machine: str | None = None
    page_size: int | None = None
    processes: list[Process] | None = None
    sockets: list[HeldSocket] | None = None
    mounts: list[Mount] | None = None
    namespaces: list[Namespace] | None = None
    devices: list[NetworkDevice] | None = None
    filter_rules: list[FilterRules] | None = None
    ipc: list[IpcObject] | None = None
    changes: list[Change] | None = None
    ghosts: list[GhostFile] | None = None


class Inspection(msgspec.Struct, frozen=True):
    """What to inspect; with nothing chosen, the processes and the metadata."""

    parts: frozenset[str]
    pids: tuple[int, ...] = ()

    @classmethod
    def of(cls, parts: Sequence[str], pids: Sequence[int], *, everything: bool) -> Inspection:
        """The inspection that a user's flags ask for."""
        chosen_parts = PARTS if everything else (parts or ("ps", "metadata"))
        return cls(frozenset(chosen_parts), tuple(pids))

    def __call__(self, target: str, checkpoint: Checkpoint, masker: Masker) -> InspectionPart:
        """The part of the document for one archive."""
        asked = self.parts
        fields: dict[str, Any] = {}
        if asked & {"ps", "env", "files", "maps"} or self.pids:
            fields["processes"] = self._processes(checkpoint, masker)
        if "sockets" in asked:
            fields["sockets"] = checkpoint.sockets
            fields["devices"] = checkpoint.devices
            fields["filter_rules"] = checkpoint.filter_rules
        if "mounts" in asked:
            fields["mounts"] = [masker.mount(mount) for mount in checkpoint.mounts]
        if "stats" in asked:
            fields |= {"statistics": checkpoint.statistics, "dump": checkpoint.dump_log}
        if "metadata" in asked:
            fields |= self._metadata(checkpoint, masker)
        if "rootfs" in asked:
            fields |= {"changes": checkpoint.changes, "ghosts": checkpoint.ghosts}
        return InspectionPart(archive=target, overview=checkpoint.overview, **fields)

    def _processes(self, checkpoint: Checkpoint, masker: Masker) -> list[Any]:
        wanted = {part: part in self.parts for part in ("env", "files", "maps")}
        return [
            masker.process(with_details(checkpoint, process, **wanted))
            for process in chosen(checkpoint, self.pids)
        ]

    def _metadata(self, checkpoint: Checkpoint, masker: Masker) -> dict[str, Any]:
        return {
            "container": masker.container(checkpoint.container),
            "machine": checkpoint.machine,
            "page_size": checkpoint.page_size,
            "namespaces": checkpoint.namespaces,
            "ipc": checkpoint.ipc,
        }
