"""Groups of commands that are imported when they are called, not before."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from cryoscope.errors import Incomplete


class LazyGroup(click.Group):
    """A group whose commands are modules of `package` (`command` in each), `lines` their one line of help."""

    package: str
    lines: Mapping[str, str]

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.lines]  # `list` is a module of this package once that command has run

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lines:
            return None
        from importlib import import_module

        command: click.Command = import_module(f"{self.package}.{cmd_name.replace('-', '_')}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; click's own ways with Ctrl-C and closed pipes differ between its releases."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Incomplete("interrupted") from None
        except BrokenPipeError:
            return nobody_reads()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([*self.lines.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            close = difflib.get_close_matches(args[0], self.lines, n=1)
            if not close:
                raise
            message = f"{error.message.rstrip('.')}: did you mean {close[0]}?"
            raise click.UsageError(message, ctx=error.ctx) from None


def nobody_reads() -> int:
    """Whoever read the pipe has seen enough; nothing may be flushed into it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
