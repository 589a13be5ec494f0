"""`cryoscope maps`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output
from cryoscope.report import views
from cryoscope.workflows.examine import ask
from cryoscope.workflows.views import Views


@click.command("maps")
@options.archives
@options.formats("table")
@options.pids
@options.no_cache
def command(archives: tuple[str, ...], form: str, pids: tuple[int, ...], no_cache: bool) -> None:
    """Memory mappings of each process"""
    asking = output.asking(no_cache=no_cache)
    answer = ask("maps", archives, Views(pids).maps, asking, stacks=True)
    output.finish(answer, form, views.maps)
