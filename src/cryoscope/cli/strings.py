"""`cryoscope strings`."""

from __future__ import annotations

import sys

import click

from cryoscope.cli import memory_options, options, output
from cryoscope.cli.memory_options import Range
from cryoscope.examine.memory.regions import TOP, Wanted
from cryoscope.workflows.access import SEARCH
from cryoscope.workflows.strings import ENCODINGS, Strings, form_of, stream


@click.command("strings")
@options.archives
@options.formats("table")
@options.pids
@click.option(
    "-n",
    "--min-length",
    "minimum",
    type=click.IntRange(1, 4096),
    default=6,
    show_default=True,
    metavar="N",
    help="Characters that a string has at least.",
)
@click.option(
    "-e",
    "--encoding",
    type=click.Choice(["all", *ENCODINGS]),
    default="all",
    show_default=True,
    help="ASCII, ASCII in UTF-16 (little endian), or both.",
)
@click.option("--unique", is_flag=True, help="Equal strings once, with their number and first place.")
@memory_options.kinds
@memory_options.perms
@memory_options.address
@options.no_cache
def command(
    archives: tuple[str, ...],
    form: str,
    pids: tuple[int, ...],
    minimum: int,
    encoding: str,
    unique: bool,
    kinds: tuple[str, ...],
    perms: str,
    address: Range | None,
    no_cache: bool,
) -> None:
    """Printable strings in the memory of each process, with their addresses; nothing is masked."""
    start, end = address or (0, None)
    wanted = Wanted(pids=pids, kinds=kinds, perms=perms, start=start, end=TOP if end is None else end)
    encodings = ENCODINGS if encoding == "all" else (encoding,)
    asked = Strings(wanted=wanted, encodings=encodings, minimum=minimum, unique=unique)
    shape = form_of(form, several=len(archives) > 1)
    answer = stream(
        archives, asked, shape, output.asking(no_cache=no_cache, action=SEARCH), sys.stdout.buffer.write
    )
    output.finish_written(answer)
