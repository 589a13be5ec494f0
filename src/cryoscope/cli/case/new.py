"""`cryoscope case new`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output


@click.command("new")
@click.argument("name", metavar="CASE")
@click.option("--description", default="", metavar="TEXT", help="What the case is about.")
@options.reason
@options.formats("text")
def command(name: str, description: str, reason: str | None, form: str) -> None:
    """Make a case: evidence is added to it, and its custody log begins."""
    from cryoscope.report.cases import case
    from cryoscope.workflows.cases import new_case

    output.finish(new_case(name, description=description, reason=output.reason(reason)), form, case)
