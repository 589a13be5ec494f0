"""`cryoscope secrets`."""

from __future__ import annotations

from typing import Any

import click

from cryoscope.cli import options, output
from cryoscope.errors import UsageError
from cryoscope.workflows.access import SEARCH

SURE = ("low", "medium", "high", "certain")


@click.command("secrets")
@click.argument("archives", metavar="ARCHIVE...", nargs=-1, type=options.PLACE)
@options.stream
@options.plain_http
@options.formats("table")
@click.option(
    "--rule", "rules", multiple=True, metavar="RULE", help="Only what this rule finds (repeatable)."
)
@click.option("--list-rules", is_flag=True, help="Name the rules and end.")
@options.pids
@click.option(
    "--min-confidence",
    "least",
    type=click.Choice(SURE),
    default="medium",
    show_default=True,
    help="Leave out what is less sure.",
)
@click.option("--exit-code", is_flag=True, help="End with 10 if anything was found.")
@options.reveal
@options.no_cache
def command(archives: tuple[str, ...], form: str, no_cache: bool, reveal: bool, **given: Any) -> None:
    """Keys, tokens, passwords and card numbers in memory, environments, queues and files."""
    from cryoscope.report import secrets as report
    from cryoscope.workflows.secrets import Wanted, secrets_of

    if given["list_rules"]:
        _list(form)
        return
    if not archives:
        raise UsageError("no archive is named", hint="cryoscope secrets ARCHIVE...", code="secrets.archive")
    wanted = Wanted(
        rules=given["rules"], pids=given["pids"], least=given["least"], exit_code=given["exit_code"]
    )
    asking = output.asking(no_cache=no_cache, action=SEARCH, reveal=reveal)
    found = secrets_of(archives, wanted, asking)
    if reveal:
        click.echo("cryoscope: the values of secrets are revealed", err=True)
    output.finish(found, form, report.secrets, masker=asking.masker)


def _list(form: str) -> None:
    from cryoscope.report.secrets import rules
    from cryoscope.workflows.documents import encode
    from cryoscope.workflows.secrets import list_rules

    lines = list_rules()
    if form == "table":
        for line in rules(lines, output.terminal_width()):
            click.echo(line)
    elif form == "json":
        output.emit(encode(lines))
    else:
        for found in lines:
            output.emit(encode(found, indent=0))
