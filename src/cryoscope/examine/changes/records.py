"""What changed in the contents of a file."""

from __future__ import annotations

import msgspec


class ContentDiff(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What changed in the contents of one file.

    `kind` is text (`lines` are those of a unified diff), binary (sizes and digests are all there is to
    say), same, or unreadable.  `left_out` counts the lines that were too many to show.
    """

    path: str
    change: str
    kind: str
    path_base64: str | None = None
    size: int | None = None
    sha256: str | None = None
    before_size: int | None = None
    before_sha256: str | None = None
    lines: list[str] = []
    left_out: int = 0
    notes: list[str] = []
