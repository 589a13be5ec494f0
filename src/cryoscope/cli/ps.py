"""`cryoscope ps`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output
from cryoscope.report import views
from cryoscope.workflows.examine import ask
from cryoscope.workflows.views import Views


@click.command("ps")
@options.archives
@options.formats("table", "tree")
@options.pids
@options.reveal
@options.no_cache
def command(
    archives: tuple[str, ...], form: str, pids: tuple[int, ...], no_cache: bool, reveal: bool
) -> None:
    """The processes that were running when the container was frozen, children below their parents."""
    asking = output.asking(no_cache=no_cache, reveal=reveal)
    answer = ask("processes", archives, Views(pids).processes, asking, stacks=True)
    output.finish(
        answer, form, views.process_tree if form == "tree" else views.processes, masker=asking.masker
    )
