"""`cryoscope fs`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, TypeVar

import click

from cryoscope.checkpoint.rootfs.records import CHANGES, ORIGINS
from cryoscope.cli import options, output
from cryoscope.cli.writing import writing
from cryoscope.errors import Damaged
from cryoscope.workflows.access import REVEAL
from cryoscope.workflows.open import open_checkpoint

F = TypeVar("F", bound=Callable[..., Any])

paths = click.argument("paths", metavar="[PATH]...", nargs=-1)
base = click.option(
    "--base", type=click.Path(), metavar="IMAGE", help="Compare with this image: OCI layout, tar or folder."
)
origin = click.option(
    "--origin", "origins", type=click.Choice(ORIGINS), multiple=True, help="Only files of there (repeatable)."
)
everything = click.option(
    "--all", "by_engine", is_flag=True, help="Also what engines make in every container."
)


def selection(command: F) -> F:
    """The options that say which files are meant."""
    for option in (
        click.option("--deleted", "deleted", is_flag=True, help="Only deleted files."),
        click.option("--changed", "changed", is_flag=True, help="Only changed files (needs --base)."),
        click.option("--added", "added", is_flag=True, help="Only added files (needs --base)."),
        click.option(
            "--change", "kinds", type=click.Choice(CHANGES), multiple=True, help="Only these (repeatable)."
        ),
        everything,
        origin,
        base,
        paths,
        options.one_archive,
    ):
        command = option(command)
    return command


def _wanted(given: dict[str, Any], *, hashes: bool = False) -> Any:
    """What was asked for, from the options of a command."""
    from cryoscope.workflows.fs import Wanted

    short = [name for name in ("added", "changed", "deleted") if given.get(name)]
    return Wanted(
        paths=given["paths"],
        changes=[*given.get("kinds", ()), *short],
        origins=given["origins"],
        base=given["base"],
        hashes=hashes,
        by_engine=given["by_engine"],
    )


@click.group("fs")
def command() -> None:
    """The files that a container wrote, deleted or held open.

    PATH is a path of the container, a folder with all below it, or a pattern: * and ? stay in one name,
    ** goes through folders, and a pattern without a slash is of the last name.
    """


@command.command("ls")
@selection
@options.formats("table")
@options.no_cache
def ls(archive: str, form: str, no_cache: bool, **given: Any) -> None:
    """What changed: mode, owner, size, time, path, and which process uses it."""
    from cryoscope.report.fs import files
    from cryoscope.workflows.fs import list_files

    output.finish(list_files([archive], _wanted(given), output.asking(no_cache=no_cache)), form, files)


@command.command("tree")
@selection
@options.formats("tree")
@options.no_cache
def tree(archive: str, form: str, no_cache: bool, **given: Any) -> None:
    """The same as a tree of folders."""
    from cryoscope.report.fs import tree as draw
    from cryoscope.workflows.fs import list_files

    output.finish(list_files([archive], _wanted(given), output.asking(no_cache=no_cache)), form, draw)


@command.command("hash")
@selection
@options.formats("table", "sums")
@options.no_cache
def hash_(archive: str, form: str, no_cache: bool, **given: Any) -> None:
    """SHA-256 of every file; --format sums is for `sha256sum --check` where `fs extract` wrote them."""
    from cryoscope.report import fs as report
    from cryoscope.workflows.fs import list_files

    draw = report.sums if form == "sums" else report.files
    wanted = _wanted(given, hashes=True)
    output.finish(list_files([archive], wanted, output.asking(no_cache=no_cache)), form, draw)


@command.command("diff")
@options.one_archive
@paths
@click.option(
    "--base",
    type=click.Path(),
    metavar="IMAGE",
    required=True,
    help="OCI layout, tar or folder of the image.",
)
@origin
@everything
@options.formats("text")
@options.reveal
@options.no_cache
def diff(archive: str, form: str, no_cache: bool, reveal: bool, **given: Any) -> None:
    """What changed in the contents of files, as unified diffs; of what is no text, sizes and digests."""
    from cryoscope.report.fs import diffs
    from cryoscope.workflows.fs import diff_files

    asking = output.asking(no_cache=no_cache, reveal=reveal)
    found = diff_files([archive], _wanted(given), asking)
    output.finish(found, form, diffs, masker=asking.masker)


@command.command("cat")
@options.one_archive
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--origin", type=click.Choice(ORIGINS), help="Of several files at a path, that of there.")
@click.option("-o", "--output", "path", type=click.Path(), help="Write to this new file (mode 0600).")
@options.no_cache
def cat(archive: str, paths: tuple[str, ...], origin: str | None, path: str | None, no_cache: bool) -> None:
    """The contents of files, byte for byte; on a terminal only text, and that made safe."""
    from cryoscope.cli.cat import safe
    from cryoscope.workflows.fs import contents_of

    asking = output.asking(no_cache=no_cache, action=REVEAL)
    with open_checkpoint(
        archive, cache=asking.cache, access=asking.access, progress=asking.progress(archive)
    ) as checkpoint:
        for index, wanted in enumerate(paths):
            blocks = contents_of(checkpoint, wanted, origin)
            if path is None and sys.stdout.isatty():
                for block in blocks:
                    click.echo(safe(block), nl=False)
            else:
                with writing(path, append=index > 0) as file:
                    file.writelines(blocks)


@command.command("extract")
@selection
@click.option("-o", "--output", "folder", type=click.Path(), required=True, help="Into this folder.")
@click.option("--force", is_flag=True, help="Into a folder that is not empty; replaces files.")
@options.formats("table")
@options.no_cache
def extract(archive: str, form: str, no_cache: bool, folder: str, force: bool, **given: Any) -> None:
    """Files into a folder, safe whatever they are called, and a manifest of them.

    They are private (0600) and cannot be run; links and devices are not made. Nothing is masked.
    """
    from cryoscope.report.fs import extracted
    from cryoscope.workflows.fs import opened_base, select
    from cryoscope.workflows.fs_extract import OutFolder, extract_files

    wanted, asking = _wanted(given), output.asking(no_cache=no_cache, action=REVEAL)
    wanted.check()
    damaged: list[Damaged] = []
    with ExitStack() as stack:
        compared_with = opened_base(wanted.base, stack, damaged)
        progress = asking.progress(archive)
        checkpoint = stack.enter_context(
            open_checkpoint(archive, cache=asking.cache, access=asking.access, progress=progress)
        )
        entries, _ = select(checkpoint, wanted, compared_with, damaged)
        opened = stack.enter_context(OutFolder(folder, force=force))
        answer = extract_files(archive, checkpoint, entries, opened, damaged)
    output.finish(answer, form, extracted)
