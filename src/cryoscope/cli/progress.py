"""A line of progress on a terminal for what takes longer than a moment; silence elsewhere."""

from __future__ import annotations

import os
import sys
import time

from cryoscope.report.units import size
from cryoscope.text import escape
from cryoscope.workflows.open import Progress

PATIENCE = 0.4
EVERY = 0.1


def progress_of(target: str, doing: str = "reading") -> Progress | None:
    """Shows how far the reading of `target` has come; None where nobody would see it."""
    return _Line(target, doing) if sys.stderr.isatty() else None


class _Line:
    def __init__(self, target: str, doing: str) -> None:
        self.name = f"{doing} {escape(os.path.basename(target) or target)}"
        self.started = time.monotonic()
        self.shown = 0.0

    def __call__(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        if total is not None and done >= total:
            if self.shown:
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()
            self.shown = 0.0
        elif now - self.started > PATIENCE and now - self.shown > EVERY:
            self.shown = now
            part = f"{100 * done // total} %, " if total else ""
            sys.stderr.write(f"\r\x1b[K{self.name}: {part}{size(done)}")
            sys.stderr.flush()
