"""`cryoscope case hold`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output


@click.command("hold")
@click.argument("name", metavar="CASE")
@click.argument("piece", metavar="[PIECE]", required=False)
@options.reason
@options.formats("text")
def command(name: str, piece: str | None, reason: str | None, form: str) -> None:
    """Keep a case, or one piece of it, from being pruned."""
    from cryoscope.report.cases import entry
    from cryoscope.workflows.cases import hold

    output.finish(hold(name, piece, output.reason(reason)), form, entry)
