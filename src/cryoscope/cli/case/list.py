"""`cryoscope case list`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output


@click.command("list")
@options.formats("table")
def command(form: str) -> None:
    """Every case with the number and size of its pieces."""
    from cryoscope.report.cases import cases
    from cryoscope.workflows.cases import list_cases

    output.finish_together(list_cases(), form, cases)
