"""`cryoscope hexdump`."""

from __future__ import annotations

import sys

import click

from cryoscope.cli import memory_options, options, output
from cryoscope.cli.memory_options import AddressRange, Range
from cryoscope.errors import UsageError
from cryoscope.examine.memory.reading import REASONS
from cryoscope.report.memory import hexdump
from cryoscope.workflows.access import REVEAL
from cryoscope.workflows.memory import Dump, dumped, written
from cryoscope.workflows.open import open_checkpoint


@click.command("hexdump")
@options.one_archive
@options.formats("table")
@memory_options.one_pid
@click.option(
    "--address",
    type=AddressRange(),
    required=True,
    metavar="RANGE",
    help="START (256 bytes), START-END or START+LENGTH: addresses in hexadecimal, bytes or K, M, G.",
)
@click.option("--raw", is_flag=True, help="The bytes alone, into a pipe or a file; none may be missing.")
@options.no_cache
def command(archive: str, form: str, pid: int, address: Range, raw: bool, no_cache: bool) -> None:
    """Memory of a process byte by byte; nothing is masked.

    Missing pages are named, with the reason; they are not zero. Runs of lines of zero are one `*`.
    """
    asking = output.asking(no_cache=no_cache, action=REVEAL)
    progress = asking.progress(archive)
    with open_checkpoint(
        archive, cache=asking.cache, access=asking.access, stacks=True, progress=progress
    ) as checkpoint:
        dump = Dump(checkpoint, pid, *address)
        if raw:
            _raw(dump)
        elif form == "table":
            for line in hexdump(dump.pieces(), REASONS):
                click.echo(line)
        else:
            output.finish(dumped(archive, dump), form, lambda _part, _width: [])
            return
        output.finish_written(written(archive, dump.damaged))


def _raw(dump: Dump) -> None:
    if sys.stdout.isatty():
        raise UsageError("memory is binary", hint="pipe it on, or leave out --raw", code="hexdump.binary")
    for block in dump.raw():
        sys.stdout.buffer.write(block)
