"""`cryoscope list`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output
from cryoscope.report.units import plural
from cryoscope.text import escape
from cryoscope.workflows.overview import KUBELET_FOLDER, list_folder


@click.command("list")
@click.argument("folder", metavar="[DIR]", default=KUBELET_FOLDER, type=options.PLACE)
@options.formats("table")
@options.no_cache
def command(folder: str, form: str, no_cache: bool) -> None:
    """The checkpoints in a folder, told by their contents; without DIR, the kubelet's folder."""
    answer, others = list_folder(folder, output.asking(no_cache=no_cache))
    if form == "table" and not answer.document.archives:
        click.echo(escape(f"no checkpoints in {folder}"), err=True)
    if others:
        click.echo(f"cryoscope: {plural(len(others), 'other file')} passed over", err=True)
    output.finish_overviews(answer, form)
