"""`cryoscope mounts`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output
from cryoscope.report import views
from cryoscope.workflows.examine import ask
from cryoscope.workflows.views import Views


@click.command("mounts")
@options.archives
@options.formats("table")
@options.no_cache
def command(archives: tuple[str, ...], form: str, no_cache: bool) -> None:
    """The mounts of the container, and which of them came from outside."""
    asking = output.asking(no_cache=no_cache)
    answer = ask("mounts", archives, Views().mounts, asking)
    output.finish(answer, form, views.mounts)
