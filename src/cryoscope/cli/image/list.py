"""`cryoscope image list`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output


@click.command("list")
@click.argument("place", metavar="PLACE", type=options.PLACE)
@options.plain_http
@options.formats("table")
def command(place: str, form: str) -> None:
    """The images of an OCI layout, or the tags of a registry's repository."""
    from cryoscope.report.image import listed
    from cryoscope.workflows.image_inspect import listing

    output.finish(listing(place), form, listed)
