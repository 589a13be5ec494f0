"""`cryoscope image push`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output


@click.command("push")
@click.argument("source", metavar="SOURCE", type=options.PLACE)
@click.argument("image", metavar="IMAGE")
@click.option("--name", metavar="NAME", help="Which image of a layout that holds several.")
@options.plain_http
@options.formats("text")
def command(source: str, image: str, name: str | None, form: str) -> None:
    """Push an image to a registry.

    SOURCE is an OCI layout (folder or tar), an image of a registry (oci://), or a checkpoint archive,
    which becomes an image on the way.
    """
    from cryoscope.cli.progress import progress_of
    from cryoscope.report.transfer import transfer
    from cryoscope.workflows.image_transfer import push

    answer = push(source, image, name=name, progress=progress_of(source, "pushing"))
    output.finish(answer, form, transfer)
