"""`cryoscope extract`."""

from __future__ import annotations

import click

from cryoscope.cli import memory_options, options, output
from cryoscope.cli.memory_options import AddressRange, Range
from cryoscope.errors import UsageError
from cryoscope.report.memory import extracted
from cryoscope.workflows.access import REVEAL
from cryoscope.workflows.extract import Choice, extract
from cryoscope.workflows.open import open_checkpoint
from cryoscope.workflows.sparse import Folder


@click.command("extract")
@options.one_archive
@options.formats("table")
@memory_options.one_pid
@click.option("--vma", type=AddressRange(), metavar="START", help="The mapping that holds this address.")
@click.option(
    "--address", type=AddressRange(), metavar="RANGE", help="START-END or START+LENGTH, across mappings."
)
@click.option("--all", "everything", is_flag=True, help="A file a mapping.")
@click.option("--file", "path", metavar="PATH", help="A mapped file, as far as its pages are there.")
@click.option("-o", "--output", "folder", type=click.Path(), required=True, help="Into this folder.")
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@options.no_cache
def command(
    archive: str,
    form: str,
    pid: int,
    vma: Range | None,
    address: Range | None,
    everything: bool,
    path: str | None,
    folder: str,
    force: bool,
    no_cache: bool,
) -> None:
    """Memory of a process as sparse files (mode 0600), and a manifest of them; nothing is masked.

    Missing pages are holes, which read as zero: the manifest names them, with the reason.
    """
    choice = _choice(vma, address, everything, path)
    asking = output.asking(no_cache=no_cache, action=REVEAL)
    progress = asking.progress(archive)
    with open_checkpoint(
        archive, cache=asking.cache, access=asking.access, stacks=True, progress=progress
    ) as checkpoint:
        checkpoint.process(pid)
        with Folder(folder, force=force) as opened:
            answer = extract(archive, checkpoint, pid, choice, opened)
    output.finish(answer, form, extracted)


def _choice(vma: Range | None, address: Range | None, everything: bool, path: str | None) -> Choice:
    if sum((vma is not None, address is not None, everything, path is not None)) != 1:
        raise UsageError(
            "say what to extract: one of --vma, --address, --all and --file",
            hint="`cryoscope maps` lists the mappings",
            code="extract.choice",
        )
    if address is not None and address[1] is None:
        raise UsageError("--address needs an end", hint="START-END or START+LENGTH", code="extract.range")
    found = None if address is None or address[1] is None else (address[0], address[1])
    return Choice(vma=vma[0] if vma else None, address=found, path=path)
