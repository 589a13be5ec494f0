"""`cryoscope sockets`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output
from cryoscope.report import views
from cryoscope.workflows.examine import ask
from cryoscope.workflows.views import Views


@click.command("sockets")
@options.archives
@options.formats("table")
@options.pids
@click.option(
    "--queues", is_flag=True, help="Also the data that was waiting in sockets, pipes and terminals."
)
@options.reveal
@options.no_cache
def command(
    archives: tuple[str, ...], form: str, pids: tuple[int, ...], queues: bool, reveal: bool, no_cache: bool
) -> None:
    """Sockets of every family: addresses, state, queues, and the processes that held them."""
    asking = output.asking(no_cache=no_cache, reveal=reveal)
    answer = ask("sockets", archives, Views(pids, queued=queues).sockets, asking)
    output.finish(answer, form, views.sockets, masker=asking.masker)
