"""`cryoscope cat`."""

from __future__ import annotations

import sys

import click

from cryoscope.cli import options, output
from cryoscope.cli.writing import writing
from cryoscope.errors import UsageError
from cryoscope.text import UNSAFE, escape, readable
from cryoscope.workflows.access import REVEAL
from cryoscope.workflows.members import contents
from cryoscope.workflows.open import open_at


@click.command("cat")
@options.one_archive
@click.argument("members", metavar="MEMBER...", nargs=-1, required=True)
@click.option("-o", "--output", "path", type=click.Path(), help="Write to this new file (mode 0600).")
@options.no_cache
def command(archive: str, members: tuple[str, ...], path: str | None, no_cache: bool) -> None:
    """The contents of members, byte for byte; on a terminal only text, and that made safe."""
    asking = output.asking(no_cache=no_cache, action=REVEAL)
    with open_at(
        archive, cache=asking.cache, access=asking.access, progress=asking.progress(archive)
    ) as opened:
        for index, member in enumerate(members):
            blocks = contents(opened, member)
            if path is None and sys.stdout.isatty():
                for block in blocks:
                    click.echo(safe(block), nl=False)
            else:
                with writing(path, append=index > 0) as file:
                    file.writelines(blocks)


def safe(block: bytes) -> str:
    text = readable(block)
    if b"\0" in block or len(UNSAFE.findall(text)) > len(text) // 4:
        raise UsageError("this member is binary", hint="pipe it on, or give --output FILE", code="cat.binary")
    return "\n".join(escape(line) for line in text.split("\n"))
