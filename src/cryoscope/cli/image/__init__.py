"""`cryoscope image`: one subcommand a module."""

from __future__ import annotations

import click

from cryoscope.cli.lazy import LazyGroup

COMMANDS: dict[str, str] = {}


class ImageCommands(LazyGroup):
    package, lines = "cryoscope.cli.image", COMMANDS


@click.command("image", cls=ImageCommands)
def command() -> None:
    """Checkpoints as OCI images: build, push, pull, look into."""
