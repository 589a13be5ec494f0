"""`cryoscope image build`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output
from cryoscope.errors import UsageError

COMPRESSIONS = ("none", "gzip", "zstd")
RUNTIMES = ("any", "containerd", "crio", "podman")


@click.command("build")
@options.one_archive
@click.argument("reference", metavar="REF")
@click.option(
    "-o",
    "--output",
    "place",
    type=click.Path(),
    metavar="PLACE",
    help="A layout to write: FILE.tar, or a folder that is new or a layout already.",
)
@click.option("--push", is_flag=True, help="Straight to the registry in REF.")
@click.option(
    "--for",
    "runtime",
    type=click.Choice(RUNTIMES),
    default="any",
    show_default=True,
    help="Who is to restore it; any: whoever took it.",
)
@click.option(
    "--base",
    metavar="IMAGE@DIGEST",
    default="",
    help="The container's own image, where the archive has none.",
)
@click.option(
    "--compress",
    type=click.Choice(COMPRESSIONS),
    default="none",
    show_default=True,
    help="The layer; zstd in frames that are read where they lie.",
)
@click.option(
    "--annotation", "pairs", multiple=True, metavar="KEY=VALUE", help="One more, or another (repeatable)."
)
@click.option("--force", is_flag=True, help="Of a checkpoint that is not complete, too.")
@options.formats("text")
def command(
    archive: str,
    reference: str,
    place: str | None,
    push: bool,
    runtime: str,
    base: str,
    compress: str,
    pairs: tuple[str, ...],
    force: bool,
    form: str,
) -> None:
    """Build an OCI image of a checkpoint, which runtimes restore.

    REF is what the image is called: REGISTRY/REPOSITORY:TAG. Whoever can pull it can read all memory in it.
    """
    from cryoscope.cli.progress import progress_of
    from cryoscope.report.image import built
    from cryoscope.workflows.image_build import Building, image, pushed

    if push == bool(place):
        raise UsageError(
            "say where the image goes", hint="either -o PLACE or --push", code="image.destination"
        )
    how = Building(
        compress=compress,
        runtime=runtime,
        base=base,
        extra=_annotations(pairs),
        force=force,
        progress=progress_of(archive, "building"),
    )
    answer = (
        image(archive, reference, output=place, how=how) if place else pushed(archive, reference, how=how)
    )
    output.finish(answer, form, built)


def _annotations(pairs: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise UsageError(f"{pair!r} is no annotation", hint="--annotation KEY=VALUE")
        found[key] = value
    return found
