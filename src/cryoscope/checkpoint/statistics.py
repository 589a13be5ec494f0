"""What CRIU measured during the dump: stats-dump (images/stats.proto)."""

from __future__ import annotations

import msgspec

from cryoscope.checkpoint.criu.framing import parse
from cryoscope.errors import ImageError


class Statistics(msgspec.Struct, frozen=True, omit_defaults=True):
    """Times in microseconds, counts in pages, under CRIU's own names.

    The container stood still for `frozen_time`; freezing it took `freezing_time`.
    """

    freezing_time: int
    frozen_time: int
    memdump_time: int
    memwrite_time: int
    pages_scanned: int
    pages_skipped_parent: int
    pages_written: int
    irmap_resolve: int | None = None
    pages_lazy: int | None = None
    page_pipes: int | None = None
    page_pipe_bufs: int | None = None
    shpages_scanned: int | None = None
    shpages_skipped_parent: int | None = None
    shpages_written: int | None = None


def statistics_of(data: bytes, name: str) -> Statistics:
    """The record of a stats-dump image; raises `ImageError` if it holds none."""
    image = parse(data, name=name)
    stats = image.type.name == "STATS" and image.entries
    if not stats or not stats[0].message.HasField("dump"):
        raise ImageError("holds no statistics of a dump")
    dump = stats[0].message.dump
    values = {field: getattr(dump, field) for field in Statistics.__struct_fields__ if dump.HasField(field)}
    return Statistics(**{field: values.get(field, 0) for field in Statistics.__struct_fields__[:7]} | values)
