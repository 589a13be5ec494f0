"""`cryoscope case show`."""

from __future__ import annotations

from typing import Any

import click

from cryoscope.cli import options, output


@click.command("show")
@click.argument("name", metavar="CASE")
@click.argument("piece", metavar="[PIECE]", required=False)
@click.option("--engine", metavar="NAME", help="Only of this engine.")
@click.option("--container", metavar="NAME", help="Only of this container.")
@click.option("--pod", metavar="NAME", help="Only of this pod.")
@click.option("--namespace", metavar="NAME", help="Only of this namespace.")
@click.option("--node", metavar="NAME", help="Only of this node.")
@click.option("--image", metavar="REFERENCE", help="Only of this image.")
@click.option("--state", type=click.Choice(["kept", "pruning", "pruned"]), help="Only in this state.")
@click.option("--held", is_flag=True, default=None, help="Only what is on hold.")
@click.option(
    "--from", "added_from", metavar="TIME", help="Only what was added then (ISO 8601, UTC) or later."
)
@click.option("--to", "added_to", metavar="TIME", help="Only what was added then or before.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="The newest N.")
@options.formats("table")
def command(name: str, piece: str | None, form: str, **given: Any) -> None:
    """The pieces of a case, newest first; of one PIECE its manifest, who signed it, and who used it.

    PIECE is a name, or the first digits (4 or more) of a SHA-256.
    """
    from cryoscope.report import cases as report
    from cryoscope.workflows.cases import show_case, show_piece

    if piece is not None:
        output.finish(show_piece(name, piece), form, report.piece)
        return
    from cryoscope.evidence.ports import Filter

    output.finish(show_case(name, Filter(**given)), form, report.pieces)
