"""`cryoscope image pull`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output


@click.command("pull")
@click.argument("image", metavar="IMAGE")
@click.option("-o", "--output", "place", metavar="PLACE", help="An OCI layout: a folder, or a new .tar.")
@click.option("--archive", metavar="FILE", help="The checkpoint archive in the image, as a new file.")
@options.plain_http
@options.formats("text")
def command(image: str, place: str | None, archive: str | None, form: str) -> None:
    """Pull an image from a registry; every digest is checked.

    To look into an image there is no need to pull it: cryoscope inspect oci://IMAGE.
    """
    from cryoscope.cli.progress import progress_of
    from cryoscope.report.transfer import transfer
    from cryoscope.workflows.image_transfer import pull, pull_archive

    if (place is None) == (archive is None):
        raise click.UsageError("give either -o PLACE or --archive FILE")
    progress = progress_of(image, "pulling")
    if archive is not None:
        answer = pull_archive(image, archive, progress=progress)
    else:
        answer = pull(image, place or "", progress=progress)
    output.finish(answer, form, transfer)
