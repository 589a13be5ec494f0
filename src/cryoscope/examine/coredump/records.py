"""What was written, and what could not be."""

from __future__ import annotations

import msgspec

from cryoscope.checkpoint.memory import Address


class Missing(msgspec.Struct, frozen=True, omit_defaults=True):
    """`bytes` of the mapping from `start` to `end` that are left out of the core.

    `code` is stable: `no-file`, `build-id`, `size`, `unchecked`, `unknown-file`, `behind-file`, `kernel`,
    `lazy`, `not-dumped`, `truncated`.
    """

    start: Address
    end: Address
    kind: str
    bytes: int
    code: str
    reason: str
    path: str | None = None
    path_base64: str | None = None


class Filled(msgspec.Struct, frozen=True, omit_defaults=True):
    """`bytes` of the mapping from `start` to `end` that were read from a file in `origin`.

    `checked` says by what the file is known to be the mapped one: `build-id`, `size` or `the file itself`.
    """

    start: Address
    end: Address
    bytes: int
    origin: str
    checked: str
    path: str | None = None
    path_base64: str | None = None


class Core(msgspec.Struct, frozen=True, omit_defaults=True):
    """A core that was written: `size` bytes, most of them holes where memory is zero.

    `stored` are the bytes of memory in it that are not known to be zero, `notes` and `segments` how many
    there are of each (PT_NOTE is one more program header).
    """

    pid: int
    comm: str
    size: int
    stored: int
    threads: int
    notes: int
    segments: int
    missing: list[Missing] = []
    filled: list[Filled] = []
