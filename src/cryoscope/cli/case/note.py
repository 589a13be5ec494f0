"""`cryoscope case note`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output


@click.command("note")
@click.argument("name", metavar="CASE")
@click.argument("text", metavar="TEXT")
@click.option("--piece", metavar="PIECE", help="About this piece.")
@options.formats("text")
def command(name: str, text: str, piece: str | None, form: str) -> None:
    """Write a note into the custody log of a case."""
    from cryoscope.report.cases import entry
    from cryoscope.workflows.cases import note

    output.finish(note(name, text, piece), form, entry)
