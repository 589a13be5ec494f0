"""What can go wrong with another machine; each with a stable code."""

from __future__ import annotations

from cryoscope.errors import Refused, UsageError
from cryoscope.images.ports import OciError
from cryoscope.text import readable


class RemoteError(OciError):
    default_code = "remote.failed"


class Unreachable(RemoteError):
    default_code = "remote.unreachable"


class NotConnected(Unreachable):
    """Nobody is there, as opposed to somebody who hung up."""


class TlsFailed(RemoteError):
    default_code = "remote.tls"


class TimedOut(RemoteError):
    default_code = "remote.timeout"


class Busy(RemoteError):
    default_code = "remote.busy"


class BadAnswer(RemoteError):
    default_code = "remote.answer"


class Denied(RemoteError):
    default_code = "remote.denied"


class Missing(RemoteError):
    default_code = "remote.missing"


class Changed(RemoteError):
    default_code = "open.remote-changed"


class NoRanges(Refused):
    default_code = "open.no-ranges"


class BadAddress(UsageError):
    default_code = "open.url"


def shown(text: str | bytes, most: int = 300) -> str:
    """A stranger's words in one line of a message."""
    line = " ".join(readable(text[: most * 4]).split())
    return line if len(line) <= most else line[:most] + " …"
