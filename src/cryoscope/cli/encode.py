"""`cryoscope encode`."""

from __future__ import annotations

import os
import sys

import click

from cryoscope import limits
from cryoscope.cli import options
from cryoscope.cli.writing import new_folder, writing
from cryoscope.errors import LimitExceeded, UsageError
from cryoscope.workflows import images
from cryoscope.workflows.open import STANDARD_INPUT, unreadable


@click.command("encode")
@click.argument("source", metavar="JSON", type=options.PLACE)
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(),
    help="The new image file; for the JSON of a whole archive, the new folder of its images.",
)
def command(source: str, path: str | None) -> None:
    """A CRIU image from the JSON that `decode` or crit made of it."""
    text = _read(source)
    try:
        image = images.encode(text)
    except UsageError as error:
        if error.code != "encode.many" or path is None:
            raise
        _encode_all(text, path)
        return
    if path is None and sys.stdout.isatty():
        raise UsageError(
            "an image is binary", hint="give --output FILE, or pipe it on", code="encode.terminal"
        )
    with writing(path) as file:
        file.write(image)


def _encode_all(text: bytes, folder: str) -> None:
    new_folder(folder)
    for name, image in images.encode_all(text):
        with writing(os.path.join(folder, name)) as file:
            file.write(image)


def _read(source: str) -> bytes:
    limit = 16 * limits.IMAGE
    try:
        if source == STANDARD_INPUT:
            text = sys.stdin.buffer.read(limit + 1)
        else:
            with open(source, "rb") as file:
                text = file.read(limit + 1)
    except OSError as error:
        raise unreadable(source, error) from None
    if len(text) > limit:
        raise LimitExceeded(f"the document is larger than {limit} bytes", code="limit.document")
    return text
