"""What a timeline is made of."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

PRECISIONS = ("ns", "us", "ms", "s", "day")


class Event(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Something that has a time.

    `time_ns` is in nanoseconds since 1970 in UTC, negative before, exact to `precision`.  `kind` says what
    the time means ("file modified"), `source` where it was found (`sources.SOURCES`), `text` what happened.
    `assumed` says what of the time the checkpoint does not tell: the `year` or `zone` of a log's line, or the
    `moment` of the dump that a time left or gone by was counted from.  The last four are those of a file.
    """

    time_ns: int
    source: str
    kind: str
    text: str
    pid: int | None = None
    comm: str | None = None
    path: str | None = None
    path_base64: str | None = None
    member: str | None = None
    precision: str = "ns"
    assumed: str | None = None
    size: int | None = None
    mode: str | None = None
    uid: int | None = None
    gid: int | None = None


class Moment(NamedTuple):
    """A point in time: nanoseconds since 1970 in UTC, how exact it is, and what of it was assumed."""

    ns: int
    precision: str = "ns"
    assumed: str | None = None
