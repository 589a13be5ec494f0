"""The JSON Schemas of all documents, generated from the records themselves.

Apart from `documents`, because this imports every kind of record there is.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cryoscope.checkpoint.memory import Address
from cryoscope.workflows.capture import CapturePart
from cryoscope.workflows.case_add import AddedPart
from cryoscope.workflows.case_export import ExportedPart
from cryoscope.workflows.case_keys import KeysPart
from cryoscope.workflows.case_verify import VerifiedPart
from cryoscope.workflows.cases import CasePart, CustodyPart, EntryPart, HeadPart, PiecePart, PiecesPart
from cryoscope.workflows.collect import CollectPart
from cryoscope.workflows.compare import ComparePart
from cryoscope.workflows.core import CoresPart
from cryoscope.workflows.diff import DiffPart
from cryoscope.workflows.documents import DamagedIn, Part
from cryoscope.workflows.engines import DoctorPart, TargetsPart
from cryoscope.workflows.extract import ExtractedPart
from cryoscope.workflows.findings import FindingsPart
from cryoscope.workflows.fs import FsDiffPart, FsPart
from cryoscope.workflows.fs_extract import FsExtractPart
from cryoscope.workflows.image_build import BuiltPart
from cryoscope.workflows.image_inspect import ImageListPart, ImagePart
from cryoscope.workflows.image_transfer import TransferPart
from cryoscope.workflows.images import ImagesPart
from cryoscope.workflows.indicators import IndicatorsPart
from cryoscope.workflows.inspect import InspectionPart
from cryoscope.workflows.iocs import IocsPart
from cryoscope.workflows.members import LogPart, MembersPart
from cryoscope.workflows.memory import HexdumpPart, MemoryPart
from cryoscope.workflows.overview import OverviewPart
from cryoscope.workflows.prune import PrunePart
from cryoscope.workflows.report import ReportPart
from cryoscope.workflows.restore import RestorePart
from cryoscope.workflows.search import SearchPart
from cryoscope.workflows.secrets import SecretsPart
from cryoscope.workflows.shell_history import HistoryPart
from cryoscope.workflows.stack import StacksPart
from cryoscope.workflows.strings import StringsPart
from cryoscope.workflows.timeline import TimelinePart
from cryoscope.workflows.views import (
    EnvironmentPart,
    FilesPart,
    MapsPart,
    MountsPart,
    ProcessesPart,
    SocketsPart,
)
from cryoscope.workflows.yara import YaraPart

NOUNS: dict[str, type[Part]] = {
    "image-transfer": TransferPart,
    "targets": TargetsPart,
    "capture": CapturePart,
    "collect": CollectPart,
    "restore": RestorePart,
    "doctor": DoctorPart,
    "cases": CasePart,
    "case": PiecesPart,
    "piece": PiecePart,
    "case-added": AddedPart,
    "case-entry": EntryPart,
    "case-export": ExportedPart,
    "case-head": HeadPart,
    "case-keys": KeysPart,
    "case-verify": VerifiedPart,
    "custody": CustodyPart,
    "prune": PrunePart,
    "overview": OverviewPart,
    "inspection": InspectionPart,
    "processes": ProcessesPart,
    "files": FilesPart,
    "sockets": SocketsPart,
    "maps": MapsPart,
    "environment": EnvironmentPart,
    "mounts": MountsPart,
    "fs": FsPart,
    "fs-diff": FsDiffPart,
    "fs-extract": FsExtractPart,
    "log": LogPart,
    "members": MembersPart,
    "images": ImagesPart,
    "image": ImagePart,
    "image-list": ImageListPart,
    "image-build": BuiltPart,
    "memory": MemoryPart,
    "strings": StringsPart,
    "hexdump": HexdumpPart,
    "extract": ExtractedPart,
    "diff": DiffPart,
    "compare": ComparePart,
    "search": SearchPart,
    "secrets": SecretsPart,
    "indicators": IndicatorsPart,
    "iocs": IocsPart,
    "shell-history": HistoryPart,
    "cores": CoresPart,
    "stacks": StacksPart,
    "yara": YaraPart,
    "report": ReportPart,
    "timeline": TimelinePart,
    "findings": FindingsPart,
}
"""Every kind of document, by the noun in its schema's name."""


def json_schema(noun: str) -> dict[str, Any]:
    """The JSON Schema of the documents of `noun`."""
    part: Any = NOUNS[noun]
    fields = [("schema", str), ("archives", list[part]), ("damaged", list[DamagedIn])]
    struct = msgspec.defstruct(f"{noun.title()}Document", fields, kw_only=True)
    found = msgspec.json.schema(struct, schema_hook=_schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"cryoscope.{noun}/1"} | found


def _schema(kind: type) -> dict[str, Any]:
    if kind is Address:
        return {"type": "string", "pattern": "^0x[0-9a-f]+$"}
    raise NotImplementedError(kind)
