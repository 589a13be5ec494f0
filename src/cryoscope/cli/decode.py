"""`cryoscope decode`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import BinaryIO

import click
import msgspec

from cryoscope.cli import options, output
from cryoscope.cli.failure import say
from cryoscope.cli.writing import writing
from cryoscope.errors import CryoscopeError
from cryoscope.text import escape_json, readable
from cryoscope.workflows import images
from cryoscope.workflows.access import REVEAL
from cryoscope.workflows.documents import DamagedIn, damage, encode
from cryoscope.workflows.examine import Asking, exit_code, failure
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
    asking = output.asking(no_cache=no_cache, action=REVEAL)
    told = Told()
    with writing(path) as file:
        _decode(archives, form, indent and form == "json", asking, file, told)
    code = exit_code(told.failures, told.damaged)
    if code:
        raise click.exceptions.Exit(code)


class Told:
    """What has gone wrong so far, each part of it said on standard error as it is found."""

    def __init__(self) -> None:
        self.damaged: list[DamagedIn] = []
        self.failures: list[tuple[str, CryoscopeError]] = []

    def damage(self, target: str, found: images.Decoded) -> None:
        records = damage(target, found.damaged)
        output.name_damage(records)
        self.damaged += records

    def failure(self, target: str, error: CryoscopeError) -> None:
        say(error, target)
        self.failures.append((target, error))
        self.damaged.append(failure(target, error))


def _decode(
    archives: tuple[str, ...], form: str, pretty: bool, asking: Asking, file: BinaryIO, told: Told
) -> None:
    if len(archives) == 1 and form == "json":
        found = _single(archives[0], asking, pretty)
        if found is not None:
            file.write(escape_json(found.text) + b"\n")
            told.damage(archives[0], found)
            return
    if form == "json":
        _document(archives, asking, file, pretty, told)
        return
    for target in archives:
        _lines(target, asking, file, told)


def _single(target: str, asking: Asking, pretty: bool) -> images.Decoded | None:
    if target != STANDARD_INPUT and os.path.isfile(target):
        return images.decode_file(target, pretty=pretty) if images.is_image(target) else None
    _, member = images.place_and_member(target)
    return images.decode_member(target, asking, pretty=pretty) if member else None


def _images(target: str, asking: Asking, told: Told) -> Iterator[images.Decoded]:
    """The images of a target; what keeps them from being read is told."""
    try:
        single = _single(target, asking, pretty=False)
        if single is not None:
            yield single
            return
        with open_at(
            target, cache=asking.cache, access=asking.access, progress=asking.progress(target)
        ) as archive:
            yield from images.decode_all(archive)
    except CryoscopeError as error:
        told.failure(target, error)


def _lines(target: str, asking: Asking, file: BinaryIO, told: Told) -> None:
    """One line an image: its archive, its name, and the image itself."""
    for found in _images(target, asking, told):
        if found.text:
            head = encode({"archive": readable(target), "image": readable(found.name)}, indent=0)
            file.write(head[:-1] + b"," + escape_json(found.text)[1:] + b"\n")
        told.damage(target, found)


def _document(archives: tuple[str, ...], asking: Asking, file: BinaryIO, pretty: bool, told: Told) -> None:
    """All images of all archives, written as they are decoded: memory holds one image."""
    file.write(b'{"schema":"cryoscope.decoded/1","archives":[')
    for index, target in enumerate(archives):
        name = encode(readable(target), indent=0)
        file.write(b"," * (index > 0) + b'{"archive":' + name + b',"images":{')
        before = b"\n"
        for found in _images(target, asking, told):
            told.damage(target, found)
            if found.text:
                text = msgspec.json.format(found.text, indent=2) if pretty else found.text
                file.write(before + encode(readable(found.name), indent=0) + b":" + escape_json(text))
                before = b",\n"
        file.write(b"}}")
    file.write(b'],"damaged":' + encode(told.damaged, indent=0) + b"}\n")
