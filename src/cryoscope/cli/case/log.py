"""`cryoscope case log`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output


@click.command("log")
@click.argument("name", metavar="CASE")
@click.option("--after", type=click.IntRange(0), default=0, metavar="N", help="Only behind entry N.")
@options.formats("table")
def command(name: str, after: int, form: str) -> None:
    """The custody log of a case: who did what, when, from where and why."""
    from cryoscope.report.cases import log
    from cryoscope.workflows.cases import custody_log

    output.finish(custody_log(name, after=after), form, log)
