"""`cryoscope indicators`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output
from cryoscope.workflows.access import SEARCH

KINDS = ("url", "ip", "email", "domain")


@click.command("indicators")
@options.archives
@options.formats("table")
@click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="Only this kind (repeatable).")
@options.pids
@options.reveal
@options.no_cache
def command(
    archives: tuple[str, ...],
    form: str,
    kinds: tuple[str, ...],
    pids: tuple[int, ...],
    reveal: bool,
    no_cache: bool,
) -> None:
    """URLs, IP addresses, e-mail addresses and domain names in memory, the most frequent first."""
    from cryoscope.report import secrets as report
    from cryoscope.workflows.indicators import indicators_of

    asking = output.asking(no_cache=no_cache, action=SEARCH, reveal=reveal)
    found = indicators_of(archives, kinds, pids, asking)
    output.finish(found, form, report.indicators, masker=asking.masker)
