"""`cryoscope info`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output
from cryoscope.report import views
from cryoscope.workflows.images import infos


@click.command("info")
@options.archives
@options.formats("table")
@options.no_cache
def command(archives: tuple[str, ...], form: str, no_cache: bool) -> None:
    """Kind, size and number of entries of CRIU images.

    ARCHIVE is an image file, a member (ARCHIVE::checkpoint/core-1.img), or a whole archive or folder.
    """
    answer = infos(archives, output.asking(no_cache=no_cache))
    output.finish(answer, form, views.images)
