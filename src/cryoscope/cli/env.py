"""`cryoscope env`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output
from cryoscope.report import views
from cryoscope.workflows.examine import ask
from cryoscope.workflows.views import Views


@click.command("env")
@options.archives
@options.formats("table")
@options.pids
@options.reveal
@options.no_cache
def command(
    archives: tuple[str, ...], form: str, pids: tuple[int, ...], no_cache: bool, reveal: bool
) -> None:
    """The environment that each process was started with, read from its stack."""
    asking = output.asking(no_cache=no_cache, reveal=reveal)
    answer = ask("environment", archives, Views(pids).environment, asking, stacks=True)
    output.finish(answer, form, views.environment, masker=asking.masker)
