"""`cryoscope inspect`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output
from cryoscope.report.inspection import inspection
from cryoscope.workflows.examine import ask
from cryoscope.workflows.inspect import PARTS, Inspection

HELP = {
    "ps": "The process tree.",
    "env": "The environment of each process.",
    "files": "The open files of each process.",
    "sockets": "Sockets, network devices and packet filter rules.",
    "mounts": "The mounts as CRIU saw them.",
    "maps": "The memory mappings of each process.",
    "stats": "What CRIU measured and logged during the dump.",
    "metadata": "Everything the engine recorded, namespaces and System V IPC.",
    "rootfs": "Files that were changed or deleted, and deleted ones still open.",
}


def parts(function: click.decorators.FC) -> click.decorators.FC:
    """One flag a part."""
    for name in reversed(PARTS):
        function = click.option(f"--{name}", is_flag=True, help=HELP[name])(function)
    return function


@click.command("inspect")
@options.archives
@options.formats("tree")
@parts
@click.option("--all", "everything", is_flag=True, help="All of these.")
@options.pids
@options.reveal
@options.no_cache
def command(
    archives: tuple[str, ...],
    form: str,
    everything: bool,
    pids: tuple[int, ...],
    reveal: bool,
    no_cache: bool,
    **flags: bool,
) -> None:
    """Everything in a checkpoint; without flags, the process tree and the metadata."""
    question = Inspection.of([part for part in PARTS if flags[part]], pids, everything=everything)
    asking = output.asking(no_cache=no_cache, reveal=reveal)
    answer = ask("inspection", archives, question, asking, stacks=True)
    output.finish(answer, form, inspection, masker=asking.masker)
