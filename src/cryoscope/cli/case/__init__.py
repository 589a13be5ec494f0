"""`cryoscope case`: one subcommand a module."""

from __future__ import annotations

import click

from cryoscope.cli.lazy import LazyGroup

COMMANDS = {
    "new": "Make a case.",
    "add": "Keep archives in a case: hashed, sealed, encrypted if wished.",
    "list": "Every case.",
    "show": "The pieces of a case, or one of them.",
    "log": "Who did what with a case: its custody log.",
    "note": "Write a note into the custody log.",
    "hold": "Keep a case or a piece from being pruned.",
    "release": "Take one hold away.",
    "verify": "Read everything again; tell exactly what is wrong.",
    "head": "A witness of the custody log, to be kept elsewhere.",
    "export": "Evidence as a folder that verifies without Cryoscope.",
    "prune": "Remove old evidence by rules; also a kubelet's old checkpoints.",
    "keys": "The public key of this place, and the keys that count.",
}


class CaseCommands(LazyGroup):
    package, lines = "cryoscope.cli.case", COMMANDS


@click.command("case", cls=CaseCommands)
def command() -> None:
    """Evidence: sealed, encrypted if wished, every access written down."""
