"""`cryoscope log`."""

from __future__ import annotations

from functools import partial

import click

from cryoscope.cli import options, output
from cryoscope.report import views
from cryoscope.workflows.examine import ask
from cryoscope.workflows.members import log_of


@click.command("log")
@options.archives
@options.formats("table")
@click.option("--criu", is_flag=True, help="CRIU's log of the dump instead.")
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=0, metavar="N", help="Only the last N lines."
)
@options.reveal
@options.no_cache
def command(
    archives: tuple[str, ...], form: str, criu: bool, lines: int, reveal: bool, no_cache: bool
) -> None:
    """The container's own output as the engine kept it, or CRIU's log."""
    asking = output.asking(no_cache=no_cache, reveal=reveal)
    answer = ask("log", archives, partial(log_of, of_criu=criu, lines=lines), asking)
    output.finish(answer, form, views.log, masker=asking.masker)
