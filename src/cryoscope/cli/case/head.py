"""`cryoscope case head`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output


@click.command("head")
@click.argument("names", metavar="[CASE]...", nargs=-1)
@options.formats("text")
def command(names: tuple[str, ...], form: str) -> None:
    """A witness of each case's custody log: one line, to be kept where nobody who can write the store can.

    `case verify --expect-head` then finds an older store that was put back, and a log that was written anew.
    """
    from cryoscope.report.cases import heads
    from cryoscope.workflows.cases import heads as witnesses

    output.finish_together(witnesses(names), form, heads)
