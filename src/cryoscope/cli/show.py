"""`cryoscope show`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output
from cryoscope.workflows.overview import show


@click.command("show")
@options.archives
@options.formats("table")
@options.no_cache
def command(archives: tuple[str, ...], form: str, no_cache: bool) -> None:
    """What each checkpoint is: container, pod, image, engine, times and sizes, one row each."""
    answer = show(archives, output.asking(no_cache=no_cache))
    output.finish_overviews(answer, form)
