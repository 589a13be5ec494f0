"""`cryoscope case add`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output


@click.command("add")
@click.argument("name", metavar="CASE")
@options.archives
@click.option(
    "--frames/--no-frames", default=None, help="Compress in frames (zstd), or keep a plain tar as it is."
)
@click.option("--as-is", is_flag=True, help="Also keep archives that are no checkpoints.")
@options.reason
@options.formats("text")
def command(
    name: str, archives: tuple[str, ...], frames: bool | None, as_is: bool, reason: str | None, form: str
) -> None:
    """Keep archives in a case: hashed, sealed, encrypted if the settings name recipients.

    Adding the same archive again changes nothing. The archive itself stays where it is.
    """
    from cryoscope.cli.progress import progress_of
    from cryoscope.report.cases import added
    from cryoscope.workflows.case_add import Adding, add

    adding = Adding(
        reason=output.reason(reason),
        frames=frames,
        as_is=as_is,
        progress=lambda target: progress_of(target, "keeping"),
    )
    output.finish(add(name, archives, adding), form, added)
