"""`cryoscope decode`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import BinaryIO

import click
import msgspec

from cryoscope.cli import options, output
from cryoscope.cli.writing import writing
from cryoscope.text import escape_json
from cryoscope.workflows import images
from cryoscope.workflows.documents import damage, encode
from cryoscope.workflows.examine import DAMAGED, Asking
from cryoscope.workflows.open import STANDARD_INPUT, open_at


@click.command("decode")
@options.archives
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["json", "jsonl"]),
    default="json",
    show_default=True,
    help="One document, or one line an image.",
)
@click.option(
    "--pretty/--compact", default=None, help="Indent (the default on a terminal), or one line an image."
)
@click.option("-o", "--output", "path", type=click.Path(), help="Write to this new file (mode 0600).")
@options.no_cache
def command(
    archives: tuple[str, ...], form: str, pretty: bool | None, path: str | None, no_cache: bool
) -> None:
    """CRIU images as JSON with crit's field names and values.

    ARCHIVE is an image file, a member (ARCHIVE::checkpoint/core-1.img), or a whole archive or folder.
    `cryoscope encode` makes the images again, byte for byte.  Secrets are not masked here.
    """
    indent = (path is None and sys.stdout.isatty()) if pretty is None else pretty
    asking = output.asking(no_cache=no_cache)
    with writing(path) as file:
        code = _decode(archives, form, indent and form == "json", asking, file)
    if code:
        raise click.exceptions.Exit(code)


def _decode(archives: tuple[str, ...], form: str, pretty: bool, asking: Asking, file: BinaryIO) -> int:
    if len(archives) == 1 and form == "json":
        found = _single(archives[0], asking, pretty)
        if found is not None:
            file.write(escape_json(found.text) + b"\n")
            return _complain(archives[0], found)
    if form == "jsonl":
        return max([_lines(target, asking, file) for target in archives])
    return _document(archives, asking, file, pretty)


def _single(target: str, asking: Asking, pretty: bool) -> images.Decoded | None:
    if target != STANDARD_INPUT and os.path.isfile(target):
        return images.decode_file(target, pretty=pretty) if images.is_image(target) else None
    return images.decode_member(target, asking, pretty=pretty) if images.SEPARATOR in target else None


def _lines(target: str, asking: Asking, file: BinaryIO) -> int:
    """One line an image: its archive, its name, and the image itself."""
    code = 0
    for found in _images(target, asking):
        if found.text:
            head = encode({"archive": target, "image": found.name}, indent=0)
            file.write(head[:-1] + b"," + escape_json(found.text)[1:] + b"\n")
        code = max(code, _complain(target, found))
    return code


def _images(target: str, asking: Asking) -> Iterator[images.Decoded]:
    single = _single(target, asking, pretty=False)
    if single is not None:
        yield single
        return
    with open_at(target, cache=asking.cache, progress=asking.progress(target)) as archive:
        yield from images.decode_all(archive)


def _document(archives: tuple[str, ...], asking: Asking, file: BinaryIO, pretty: bool) -> int:
    """All images of all archives, written as they are decoded: memory holds one image."""
    code, damaged = 0, []
    file.write(b'{"schema":"cryoscope.decoded/1","archives":[')
    for index, target in enumerate(archives):
        file.write(b"," * (index > 0) + b'{"archive":' + encode(target, indent=0) + b',"images":{')
        first = True
        for found in _images(target, asking):
            damaged += damage(target, found.damaged)
            code = max(code, _complain(target, found))
            if found.text:
                text = msgspec.json.format(found.text, indent=2) if pretty else found.text
                file.write(
                    (b"\n" if first else b",\n") + encode(found.name, indent=0) + b":" + escape_json(text)
                )
                first = False
        file.write(b"}}")
    file.write(b'],"damaged":' + encode(damaged, indent=0) + b"}\n")
    return code


def _complain(target: str, found: images.Decoded) -> int:
    output.name_damage(damage(target, found.damaged))
    return DAMAGED if found.damaged else 0
