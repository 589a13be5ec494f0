"""`cryoscope core`."""

from __future__ import annotations

import os
import sys

import click

from cryoscope.cli import options, output
from cryoscope.errors import CryoscopeError, UsageError
from cryoscope.report.core import cores
from cryoscope.workflows.access import REVEAL
from cryoscope.workflows.core import CoresPart, Writing, debugger, write_cores
from cryoscope.workflows.examine import Answer


@click.command("core")
@options.one_archive
@options.formats("table")
@options.pids
@click.option("--all", "everything", is_flag=True, help="Every process that has memory.")
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(),
    required=True,
    metavar="DIR",
    help="The folder for the files, made if it is not there.",
)
@click.option(
    "--rootfs",
    type=click.Path(),
    metavar="DIR",
    help="The root file system of the container's image, for what only its files hold.",
)
@click.option("--force", is_flag=True, help="Replace cores that are there already.")
@click.option("--gdb", "debug", is_flag=True, help="Open the core in gdb when it is written.")
@options.no_cache
def command(
    archive: str,
    form: str,
    pids: tuple[int, ...],
    everything: bool,
    folder: str,
    rootfs: str | None,
    force: bool,
    debug: bool,
    no_cache: bool,
) -> None:
    """Processes as ELF core files: DIR/core.PID, mode 0600.

    Pages that are neither in the archive nor in a file that is known to be the mapped one are left out of
    the core, and named. Nothing is masked.
    """
    if everything and pids:
        raise UsageError("--all and --pid exclude each other", hint="give one of them", code="core.which")
    if debug and (everything or len(pids) > 1):
        raise UsageError("gdb opens one core", hint="choose one with --pid", code="core.gdb")
    writing = Writing(folder=folder, pids=pids, everything=everything, rootfs=rootfs, force=force)
    answer = write_cores(archive, writing, output.asking(no_cache=no_cache, action=REVEAL))
    argv = _gdb(answer, rootfs) if debug else None
    try:
        output.finish(answer, form, cores)
    finally:
        if argv is not None:
            _run(argv)


def _gdb(answer: Answer, rootfs: str | None) -> list[str] | None:
    """gdb's command line for the core that was written; None if there is none."""
    parts: list[CoresPart] = answer.document.archives
    written = [core for part in parts for core in part.cores]
    return debugger(written[0], rootfs) if written else None


def _run(argv: list[str]) -> None:
    sys.stdout.flush()
    try:
        os.execvp(argv[0], argv)  # noqa: S606  (no shell is wanted)
    except FileNotFoundError:
        raise CryoscopeError("gdb is not installed", hint="install gdb", code="core.gdb-missing") from None
