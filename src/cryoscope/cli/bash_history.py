"""`cryoscope bash-history`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output


@click.command("bash-history")
@options.archives
@options.formats("table")
@options.pids
@options.reveal
@options.no_cache
def command(
    archives: tuple[str, ...], form: str, pids: tuple[int, ...], reveal: bool, no_cache: bool
) -> None:
    """Commands typed into shells, from their memory and from history files, in order of time."""
    from cryoscope.report import secrets as report
    from cryoscope.workflows.shell_history import history_of

    asking = output.asking(no_cache=no_cache, reveal=reveal)
    found = history_of(archives, pids, asking)
    output.finish(found, form, report.history, masker=asking.masker)
