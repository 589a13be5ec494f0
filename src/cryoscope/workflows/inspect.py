"""`inspect`: everything about a checkpoint in one document, or the parts that are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.workflows.documents import InspectionPart
from cryoscope.workflows.masking import Masker
from cryoscope.workflows.views import chosen, with_details

PARTS = ("ps", "env", "files", "sockets", "mounts", "maps", "stats", "metadata", "rootfs")


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
            fields["mounts"] = checkpoint.mounts
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
