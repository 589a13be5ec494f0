"""`cryoscope files`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output
from cryoscope.report import views
from cryoscope.workflows.examine import ask
from cryoscope.workflows.views import Views


@click.command("files")
@options.archives
@options.formats("table")
@options.pids
@options.no_cache
def command(archives: tuple[str, ...], form: str, pids: tuple[int, ...], no_cache: bool) -> None:
    """Open files of each process"""
    asking = output.asking(no_cache=no_cache)
    answer = ask("files", archives, Views(pids).files, asking, stacks=True)
    output.finish(answer, form, views.files)
