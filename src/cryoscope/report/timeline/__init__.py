"""Timelines as other tools read them: one format a file, one line a file here.

A format is a function from the parts of a document to lines of text; what it cannot hold it counts in the
list of notes that it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cryoscope.report.timeline import bodyfile, l2tcsv, timesketch, timesketch_csv

Write = Callable[[Sequence[Any], list[str]], Iterator[str]]

FORMATS: dict[str, Write] = {
    "timesketch": timesketch.lines,
    "timesketch-csv": timesketch_csv.lines,
    "bodyfile": bodyfile.lines,
    "l2tcsv": l2tcsv.lines,
}
