"""The documents that every command gives: records under a schema's name.

    {"schema": "cryoscope.<noun>/1", "archives": [one object an archive], "damaged": [...]}

The JSON Schemas in docs/schemas are generated from these classes; a test fails when one changes in
a way that breaks readers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cryoscope.checkpoint.container import Container, DumpLog
from cryoscope.checkpoint.memory import Address, Vma
from cryoscope.checkpoint.overview import Overview
from cryoscope.checkpoint.process import Descriptor, Mount, Namespace, Process, Variable
from cryoscope.checkpoint.process.holders import HeldSocket
from cryoscope.checkpoint.process.ipc import IpcObject
from cryoscope.checkpoint.process.network import FilterRules, NetworkDevice
from cryoscope.checkpoint.rootfs import Change, GhostFile
from cryoscope.checkpoint.statistics import Statistics
from cryoscope.errors import Damaged
from cryoscope.text import escape_json, readable


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a document says of one archive; `archive` is the name the user gave."""

    archive: str

    def rows(self) -> list[Any]:
        """The records that JSON Lines shows one a line."""
        return [self]


class OverviewPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `show` and `list`."""

    overview: Overview


class ProcessesPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `ps`."""

    processes: list[Process]

    def rows(self) -> list[Any]:
        return list(self.processes)


class ProcessFiles(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one process had open."""

    pid: int
    comm: str
    exe: str | None = None
    cwd: str | None = None
    root: str | None = None
    fds: list[Descriptor] = []


class FilesPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `files`."""

    processes: list[ProcessFiles]
    deleted: list[GhostFile] = []

    def rows(self) -> list[Any]:
        return list(self.processes)


class ProcessMaps(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The mappings of one process."""

    pid: int
    comm: str
    page_size: int
    vmas: list[Vma]


class MapsPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `maps`."""

    processes: list[ProcessMaps]

    def rows(self) -> list[Any]:
        return list(self.processes)


class ProcessEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """The environment one process was started with; None if it could not be read."""

    pid: int
    comm: str
    env: list[Variable] | None


class EnvironmentPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `env`."""

    processes: list[ProcessEnvironment]

    def rows(self) -> list[Any]:
        return list(self.processes)


class QueuedData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Bytes on their way in a pipe, terminal or socket: as text, and as base64."""

    kind: str
    inode: int
    direction: str
    size: int
    text: str
    base64: str
    pids: list[int] = []


class SocketsPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `sockets`; `queued` only where it was asked for."""

    sockets: list[HeldSocket]
    queued: list[QueuedData] = []

    def rows(self) -> list[Any]:
        return [*self.sockets, *self.queued]


class MountsPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `mounts`: as the container was created with, and as CRIU saw them."""

    spec: list[Any]
    bind_mounts: list[Any]
    mounts: list[Mount]

    def rows(self) -> list[Any]:
        return list(self.mounts)


class MemberRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One member of an archive; `offset` is where its data begin in the uncompressed archive."""

    name: str
    type: str
    size: int
    mode: str
    uid: int
    gid: int
    mtime: str | None
    name_base64: str | None = None
    offset: int | None = None
    link: str | None = None
    content: str | None = None


class MembersPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `ls`."""

    form: str
    members: list[MemberRecord]

    def rows(self) -> list[Any]:
        return list(self.members)


class ImageInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One CRIU image: its kind, size in bytes, number of entries; for a raw one what it is."""

    image: str
    size: int
    magic: str | None = None
    entries: int | None = None
    description: str | None = None


class ImagesPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `info`."""

    images: list[ImageInfo]

    def rows(self) -> list[Any]:
        return list(self.images)


class LogPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `log`: the end of a log; `member` is None where there is none."""

    member: str | None
    size: int = 0
    skipped: int = 0
    lines: list[str] = []


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


class DamagedIn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of an archive that could not be read, or (`part` is "archive") all of it."""

    archive: str
    part: str
    problem: str
    code: str
    offset: int | None = None
    hint: str | None = None


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What a command answers."""

    schema: str
    archives: list[Any]
    damaged: list[DamagedIn]

    def lines(self) -> Iterator[dict[str, Any]]:
        """One object a record for JSON Lines, each naming its archive, damage last."""
        noun = self.schema.removeprefix("cryoscope.").partition("/")[0]
        for part in self.archives:
            for row in part.rows():
                yield {"schema": self.schema, "archive": part.archive} | builtins(row)
        for damaged in self.damaged:
            yield {"schema": f"cryoscope.{noun}.damaged/1"} | builtins(damaged)


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


def document(noun: str, parts: list[Any], damaged: list[DamagedIn]) -> Document:
    """The document of `noun` over several archives."""
    return Document(schema=f"cryoscope.{noun}/1", archives=parts, damaged=damaged)


def damage(archive: str, found: list[Damaged]) -> list[DamagedIn]:
    """The damage of one archive for a document."""
    return [
        DamagedIn(
            archive=archive, part=readable(d.part), problem=readable(d.problem), code=d.code, offset=d.offset
        )
        for d in found
    ]


def encode(value: Any, *, indent: int = 2) -> bytes:
    """JSON text of a document or record, safe to print to a terminal; `indent` 0 for one line."""
    text = msgspec.json.encode(value, enc_hook=_encode)
    if indent:
        text = msgspec.json.format(text, indent=indent)
    return escape_json(text)


def builtins(record: Any) -> dict[str, Any]:
    """A record as plain objects."""
    found: dict[str, Any] = msgspec.to_builtins(record, enc_hook=_encode)
    return found


def _encode(value: Any) -> Any:
    if isinstance(value, Address):
        return str(value)
    raise NotImplementedError(type(value))


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
