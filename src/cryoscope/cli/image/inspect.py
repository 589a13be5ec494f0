"""`cryoscope image inspect`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output


@click.command("inspect")
@click.argument("place", metavar="PLACE", type=options.PLACE)
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--arch", metavar="ARCH", help="Which of several platforms: amd64, arm64.")
@options.plain_http
@options.formats("text")
def command(place: str, name: str | None, arch: str | None, form: str) -> None:
    """What an image says of itself: digests, layers, annotations; no layer is read.

    PLACE is an OCI layout, folder or tar, and NAME which image in it; or REGISTRY/REPOSITORY:TAG.
    """
    from cryoscope.report.image import inspected
    from cryoscope.workflows.image_inspect import inspect

    output.finish(inspect(place, name, architecture=arch), form, inspected)
