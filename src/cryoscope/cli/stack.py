"""`cryoscope stack`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output


@click.command("stack")
@options.archives
@options.formats("tree")
@options.pids
@click.option(
    "--rootfs",
    type=click.Path(),
    metavar="DIR",
    help="The root file system of the container's image, for symbols and the interpreter.",
)
@click.option("--no-gdb", is_flag=True, help="Tell frames of machine code without gdb.")
@click.option("--no-python", is_flag=True, help="Leave out the frames of Python.")
@click.option("--locals", "with_locals", is_flag=True, help="Local variables of the frames of Python.")
@options.reveal
@options.no_cache
def command(
    archives: tuple[str, ...],
    form: str,
    pids: tuple[int, ...],
    rootfs: str | None,
    no_gdb: bool,
    no_python: bool,
    with_locals: bool,
    reveal: bool,
    no_cache: bool,
) -> None:
    """The stack of every thread, and the frames of Python in processes that run it."""
    from cryoscope.examine.stack import Options
    from cryoscope.report.stack import stacks as draw
    from cryoscope.workflows.stack import Asked, stacks

    asking = output.asking(no_cache=no_cache, reveal=reveal)
    wanted = Options(native=not no_gdb, python=not no_python, locals=with_locals)
    found = stacks(archives, Asked(pids=pids, rootfs=rootfs, options=wanted), asking)
    output.finish(found, form, draw, masker=asking.masker)
