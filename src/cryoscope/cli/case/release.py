"""`cryoscope case release`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output


@click.command("release")
@click.argument("name", metavar="CASE")
@click.argument("piece", metavar="[PIECE]", required=False)
@options.reason
@options.formats("text")
def command(name: str, piece: str | None, reason: str | None, form: str) -> None:
    """Take one hold away."""
    from cryoscope.report.cases import entry
    from cryoscope.workflows.cases import release

    output.finish(release(name, piece, output.reason(reason)), form, entry)
