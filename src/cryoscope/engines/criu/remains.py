"""The dump of a tree that was stopped for good, kept where its archive could not be written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cryoscope.engines.criu.dumping import Dump, tail
from cryoscope.engines.host import SCRATCH
from cryoscope.errors import CryoscopeError

DUMPED = b"Dumping finished successfully"
LAST = 4096
"""Bytes at the end of dump.log among which CRIU says so."""


@contextmanager
def kept(dump: Dump, say: Callable[[str], None]) -> Iterator[None]:
    """Keep the folder of a dump that ended its tree if anything fails; the error's hint says where."""
    try:
        yield
    except BaseException as error:
        if dump.options.stop and DUMPED in tail(dump.host, f"{dump.folder}/work/dump.log", LAST):
            line = f"the processes have ended; their dump is kept in {_moved(dump)}/images on the host"
            if isinstance(error, CryoscopeError):
                error.hint = "; ".join(filter(None, (error.hint, line)))
            else:
                say(line)
        raise


def _moved(dump: Dump) -> str:
    """Out of the folder that is taken away at the end, and never swept."""
    name = os.path.basename(dump.folder).rpartition("-")[2]
    kept = f"{SCRATCH}/stopped-{dump.seen.root.pid}-{name}"
    try:
        os.rename(dump.host.path(dump.folder), dump.host.path(kept))
    except OSError:
        return dump.folder
    return kept
