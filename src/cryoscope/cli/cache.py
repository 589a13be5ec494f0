"""`cryoscope cache`."""

from __future__ import annotations

import click

from cryoscope.report.units import plural, size
from cryoscope.workflows.cache import FolderCache


@click.group("cache")
def command() -> None:
    """The cache of member indexes and overviews of compressed archives.

    It holds names, sizes and offsets, nothing of the contents; only you may read it.
    """


@command.command("info")
def info() -> None:
    """Where the cache is and how large it is."""
    cache = FolderCache()
    entries = cache.entries()
    click.echo(
        f"{cache.folder}: {plural(len(entries), 'file')}, {size(sum(length for _, length, _ in entries))}"
    )


@command.command("clear")
def clear() -> None:
    """Remove everything from the cache."""
    count, total = FolderCache().clear()
    click.echo(f"removed {plural(count, 'file')}, {size(total)}")
