"""`cryoscope case`: one subcommand a module."""

from __future__ import annotations

import click

from cryoscope.cli.lazy import LazyGroup

COMMANDS: dict[str, str] = {}


class CaseCommands(LazyGroup):
    package, lines = "cryoscope.cli.case", COMMANDS


@click.command("case", cls=CaseCommands)
def command() -> None:
    """Evidence: sealed, encrypted if wished, every access written down."""
