"""`cryoscope timeline`."""

from __future__ import annotations

from typing import Any

import click

from cryoscope.cli import options, output
from cryoscope.text import escape


@click.command("timeline")
@options.archives
@options.formats("table", "timesketch", "timesketch-csv", "bodyfile", "l2tcsv")
@click.option("--from", "since", metavar="TIME", help="Nothing before this day or moment (UTC).")
@click.option("--to", "until", metavar="TIME", help="Nothing after this day or moment (UTC).")
@click.option(
    "--source", "sources", multiple=True, metavar="SOURCE", help="Only from this source (repeatable)."
)
@click.option(
    "--kind", "kinds", multiple=True, metavar="WORDS", help="Only kinds with these words (repeatable)."
)
@click.option("--no-memory", is_flag=True, help="Leave out what takes a look through memory.")
@click.option(
    "--zone", metavar="ZONE", help="Zone of log lines and options that do not say theirs (Europe/Berlin)."
)
@options.reveal
@options.no_cache
def command(archives: tuple[str, ...], form: str, no_cache: bool, reveal: bool, **given: Any) -> None:
    """What happened when: every time in a checkpoint, with what it means."""
    from cryoscope.report.timeline.table import table
    from cryoscope.workflows.timeline import timelines_of, wanted_of

    given["memory"] = not given.pop("no_memory")
    wanted = wanted_of(**given)
    asking = output.asking(no_cache=no_cache, reveal=reveal)
    found = timelines_of(archives, wanted, asking)
    if form in ("table", "json", "jsonl"):
        output.finish(found, form, table, masker=asking.masker)
    else:
        _write(found, form, asking)


def _write(found: Any, form: str, asking: Any) -> None:
    """The lines for another tool; what it is not told goes to standard error."""
    from cryoscope.report.timeline import FORMATS

    parts = found.document.archives
    notes = [note for part in parts for note in part.notes]
    for line in FORMATS[form](parts, notes):
        output.emit(line.encode("utf-8", "backslashreplace"))
    for note in notes:
        click.echo(escape(f"cryoscope: note: {note}"), err=True)
    output.finish_written(found, masker=asking.masker)
