"""`cryoscope ls`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output
from cryoscope.report import views
from cryoscope.workflows.members import list_archives


@click.command("ls")
@options.archives
@options.formats("table")
@options.no_cache
def command(archives: tuple[str, ...], form: str, no_cache: bool) -> None:
    """The members of an archive: mode, owner, size, time, name and what they are."""
    answer = list_archives(archives, output.asking(no_cache=no_cache))
    output.finish(answer, form, views.members)
