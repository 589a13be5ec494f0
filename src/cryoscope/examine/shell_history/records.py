"""What is found."""

from __future__ import annotations

import msgspec

from cryoscope.checkpoint.memory import Address
from cryoscope.errors import Damaged


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One command.

    `source` is `readline`, `busybox` or `file`.  In memory `address` is that of the text, and `pid` the
    process whose history it is; `pids` are those that have the same entry because they were forked from
    it.  In a file `path` and `line` say where, and `pid` is null.  `time` is when it was entered (of what
    bash read from a file without times: when it read that), null where nobody kept it.
    """

    pid: int | None
    comm: str | None
    time: str | None
    command: str
    source: str
    command_base64: str | None = None
    address: Address | None = None
    pids: list[int] = []
    path: str | None = None
    member: str | None = None
    line: int | None = None


class HistoryResult(msgspec.Struct, frozen=True):
    """All commands: those with a time in its order, the others in theirs behind them."""

    commands: list[Command]
    notes: list[str] = []
    damaged: list[Damaged] = []
