"""What databases say when something is wrong, as errors with a code and a cure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from cryoscope.evidence.catalogue.alchemy import sa
from cryoscope.evidence.ports import EvidenceError
from cryoscope.text import escape

Told = Callable[[], AbstractContextManager[None]]
Code = Callable[[BaseException], str]
"""The end of an error's code for what a driver raised: a key of `CURES`."""

CURES = {
    "busy": "another process is writing for long: try again when it has ended",
    "full": "free some space and do it again: nothing was half done",
    "damaged": "restore it from a copy; `cryoscope case verify` says what is missing then",
    "unwritable": "see who may write there",
    "unreachable": "see that it is there, and that the settings name it rightly",
    "denied": "the database's user needs to create and change tables",
    "failed": "",
}
SAID = 300
"""Characters of a database's own words."""


class Conflict(EvidenceError):
    """Somebody else has made a row with this key."""

    default_code = "evidence.catalogue-conflict"


@contextmanager
def told(url: str, code: Code) -> Iterator[None]:
    """Errors of SQLAlchemy and of the driver below it, as `EvidenceError`."""
    try:
        yield
    except sa.exc.IntegrityError as error:
        raise Conflict(f"{url}: {_words(error.orig)}") from None
    except sa.exc.SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        kind = code(cause)
        raise EvidenceError(
            f"the catalogue {url} cannot be used: {_words(cause)}",
            hint=CURES[kind],
            code=f"evidence.catalogue-{kind}",
        ) from None


def _words(error: BaseException | None) -> str:
    """The first line of what a driver says."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return escape(lines[0])[:SAID]
