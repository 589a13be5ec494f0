"""`cryoscope memory`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output
from cryoscope.report.memory import memory as draw
from cryoscope.workflows.examine import ask
from cryoscope.workflows.memory import memory


@click.command("memory")
@options.archives
@options.formats("table")
@options.pids
@click.option("--vmas", is_flag=True, help="Each mapping, not only their sums.")
@options.no_cache
def command(archives: tuple[str, ...], form: str, pids: tuple[int, ...], vmas: bool, no_cache: bool) -> None:
    """Sizes of each process's memory: mapped, dumped, shared, missing."""
    answer = ask("memory", archives, memory(pids, vmas=vmas), output.asking(no_cache=no_cache), stacks=True)
    output.finish(answer, form, draw)
