"""`cryoscope image`: one subcommand a module."""

from __future__ import annotations

import click

from cryoscope.cli.lazy import LazyGroup

COMMANDS: dict[str, str] = {
    "build": "Build an OCI image of a checkpoint, which runtimes restore.",
    "inspect": "What an image says of itself: digests, layers, annotations.",
    "list": "The images of a layout, or the tags of a repository.",
    "push": "Push a layout, an archive or an image to a registry.",
    "pull": "Pull an image into a layout, or the archive in it.",
}


class ImageCommands(LazyGroup):
    package, lines = "cryoscope.cli.image", COMMANDS


@click.command("image", cls=ImageCommands)
def command() -> None:
    """Checkpoints as OCI images: build, push, pull, look into."""
