"""`cryoscope case export`."""

from __future__ import annotations

from typing import Any

import click

from cryoscope.cli import options, output


@click.command("export")
@click.argument("name", metavar="CASE")
@click.argument("pieces", metavar="[PIECE]...", nargs=-1)
@click.option(
    "-o", "--output", "folder", type=click.Path(), required=True, metavar="DIR", help="The new folder."
)
@click.option("--plain", is_flag=True, help="The archives as they were given: decrypted, decompressed.")
@click.option(
    "--recipient", "recipients", multiple=True, metavar="AGE1…", help="Encrypt it to this one (repeatable)."
)
@options.identities
@options.reason
@options.formats("text")
def command(
    name: str, pieces: tuple[str, ...], folder: str, plain: bool, reason: str | None, form: str, **given: Any
) -> None:
    """Evidence as a folder that verifies with sha256sum, age and openssl; its README.txt says how."""
    from cryoscope.cli.progress import progress_of
    from cryoscope.report.cases import exported
    from cryoscope.workflows.case_export import Exporting, export

    exporting = Exporting(
        folder=folder,
        pieces=pieces,
        plain=plain,
        reason=output.reason(reason),
        progress=lambda target: progress_of(target, "exporting"),
        **given,
    )
    output.finish(export(name, exporting), form, exported)
