"""`cryoscope completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

USE = {
    "bash": 'eval "$(cryoscope completion bash)" in ~/.bashrc',
    "zsh": 'eval "$(cryoscope completion zsh)" in ~/.zshrc',
    "fish": "cryoscope completion fish > ~/.config/fish/completions/cryoscope.fish",
}


@click.command("completion", epilog="Use it: " + "; ".join(USE.values()))
@click.argument("shell", type=click.Choice(list(USE)))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script for your shell."""
    kind = get_completion_class(shell)
    if kind is not None:
        click.echo(kind(ctx.find_root().command, {}, "cryoscope", "_CRYOSCOPE_COMPLETE").source())
