"""`cryoscope case keys`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output


@click.command("keys")
@click.option(
    "--trust",
    type=click.Path(),
    multiple=True,
    metavar="FILE",
    help="Count this public key, too (repeatable).",
)
@options.formats("text")
def command(trust: tuple[str, ...], form: str) -> None:
    """The public half of the key that signs here, and the keys whose signatures count."""
    from cryoscope.report.cases import keys as draw
    from cryoscope.workflows.case_keys import keys

    output.finish(keys(trust=trust), form, draw)
