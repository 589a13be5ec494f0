"""The JSON Schemas of all documents, generated from the records themselves.

Apart from `documents`, because this imports every kind of record there is.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cryoscope.checkpoint.memory import Address
from cryoscope.workflows.documents import DamagedIn, Part
from cryoscope.workflows.images import ImagesPart
from cryoscope.workflows.inspect import InspectionPart
from cryoscope.workflows.members import LogPart, MembersPart
from cryoscope.workflows.overview import OverviewPart
from cryoscope.workflows.views import (
    EnvironmentPart,
    FilesPart,
    MapsPart,
    MountsPart,
    ProcessesPart,
    SocketsPart,
)

NOUNS: dict[str, type[Part]] = {
    "overview": OverviewPart,
    "inspection": InspectionPart,
    "processes": ProcessesPart,
    "files": FilesPart,
    "sockets": SocketsPart,
    "maps": MapsPart,
    "environment": EnvironmentPart,
    "mounts": MountsPart,
    "log": LogPart,
    "members": MembersPart,
    "images": ImagesPart,
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
