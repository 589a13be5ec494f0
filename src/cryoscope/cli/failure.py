"""How an error reaches the user: one line of what happened, one of what to do, an exit code."""

from __future__ import annotations

import os
import sys

import click

from cryoscope.errors import CryoscopeError
from cryoscope.text import escape

INTERRUPTED = 5


def report(error: BaseException) -> int:
    """Print `error` to standard error; gives the exit code."""
    if isinstance(error, CryoscopeError):
        say(error)
        return error.exit_code
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    if isinstance(error, click.ClickException):
        return _usage(error)
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        click.echo("cryoscope: interrupted", err=True)
        return INTERRUPTED
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    return _unexpected(error)


def _usage(error: click.ClickException) -> int:
    """What is wrong with the command line, in the two lines that every error has."""
    click.echo(escape(f"cryoscope: {error.format_message()}"), err=True)
    if isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(escape(f"  `{error.ctx.command_path} --help` shows what there is"), err=True)
    return error.exit_code


def say(error: CryoscopeError, target: str | None = None) -> None:
    """The two lines of an error, about `target` if it is given."""
    about = "" if target is None else f"{'standard input' if target == '-' else target}: "
    click.echo(escape(f"cryoscope: {about}{error.message}"), err=True)
    if error.hint:
        click.echo(escape(f"  {error.hint}"), err=True)


def _unexpected(error: BaseException) -> int:
    """What nobody foresaw: no traceback unless CRYOSCOPE_DEBUG is set."""
    if os.environ.get("CRYOSCOPE_DEBUG"):
        raise error
    if isinstance(error, OSError):
        click.echo(escape(f"cryoscope: {error.strerror or error} {error.filename or ''}".rstrip()), err=True)
        return 1
    click.echo(escape(f"cryoscope: internal error: {type(error).__name__}: {error}"[:300]), err=True)
    click.echo("  this is a bug: CRYOSCOPE_DEBUG=1 shows where; please report it", err=True)
    sys.stderr.flush()
    return 1
