"""`cryoscope compare`."""

from __future__ import annotations

from typing import Any

import click

from cryoscope.cli import options, output, reach_options

ASPECTS = ("processes", "files", "sockets", "rootfs")


@click.command("compare")
@options.one_archive
@click.argument("target", metavar="TARGET")
@click.option(
    "--only",
    type=click.Choice(ASPECTS),
    multiple=True,
    metavar="ASPECT",
    help=f"Compare only this (repeatable): {', '.join(ASPECTS)}.",
)
@click.option("--exit-code", is_flag=True, help="End with 10 if there is a difference.")
@reach_options.reaching(reach_options.ANY, reach_options.KUBERNETES)
@options.formats("table")
@options.reveal
@options.no_cache
def command(
    archive: str,
    target: str,
    only: tuple[str, ...],
    exit_code: bool,
    form: str,
    reveal: bool,
    no_cache: bool,
    **given: Any,
) -> None:
    """What is different now in a container that was captured: processes, open files, sockets, changed files.

    TARGET is as for `capture`; the container must run where its processes can be seen.
    """
    from cryoscope.engines.target import parse
    from cryoscope.report.compare import table
    from cryoscope.workflows.compare import Comparing, compare

    asking = output.asking(no_cache=no_cache, reveal=reveal)
    reach = reach_options.take(given)
    comparing = Comparing(only=only, exit_code=exit_code)
    output.finish(
        compare(archive, parse(target), reach, comparing, asking), form, table, masker=asking.masker
    )
