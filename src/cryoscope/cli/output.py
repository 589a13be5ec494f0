"""What every command does with an answer: print it, name the damage, end with the right code."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from cryoscope.checkpoint.archive import IndexCache
from cryoscope.text import escape
from cryoscope.workflows.access import READ
from cryoscope.workflows.documents import DamagedIn, encode
from cryoscope.workflows.examine import Answer, Asking

if TYPE_CHECKING:
    from cryoscope.workflows.masking import Masker

Draw = Callable[[Any, int | None], Iterable[str]]
REASON = "cryoscope.reason"
NAMED = 12
"""Damaged parts named to a person; JSON has them all."""


def asking(*, no_cache: bool, reveal: bool = False, action: str = READ) -> Asking:
    """How to ask, from the options of a command; `action` is what it does with evidence."""
    from cryoscope.cli.progress import progress_of

    return Asking(
        cache=None if no_cache else default_cache(),
        progress=progress_of,
        reveal=reveal,
        action=action,
        reason=reason(),
    )


def reason(given: str | None = None) -> str:
    """Why, as the user said behind the command, before it, or in the environment."""
    if given is not None:
        return given
    context = click.get_current_context(silent=True)
    found: str = context.meta.get(REASON, "") if context is not None else ""
    return found or os.environ.get("CRYOSCOPE_REASON", "")


def default_cache() -> IndexCache:
    """The user's own cache."""
    from cryoscope.workflows.cache import FolderCache

    return FolderCache()


def terminal_width() -> int | None:
    """Columns of the terminal, None if the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def finish(answer: Answer, form: str, draw: Draw, *, masker: Masker | None = None) -> None:
    """Print an answer in the form asked for and leave with its exit code."""
    if form == "json":
        emit(encode(answer.document))
    elif form == "jsonl":
        for line in answer.document.lines():
            emit(encode(line, indent=0))
    else:
        _draw(answer.document.archives, draw)
    complain(answer, masker)
    if answer.exit_code:
        sys.stdout.flush()
        raise click.exceptions.Exit(answer.exit_code)


def _draw(parts: Sequence[Any], draw: Draw) -> None:
    width = terminal_width()
    for index, part in enumerate(parts):
        if len(parts) > 1 and not hasattr(part, "overview"):
            about = part.archive or getattr(part, "target", "")
            click.echo("\n" * (index > 0) + escape(f"==> {about} <=="))
        for line in draw(part, width):
            click.echo(line)


def emit(text: bytes) -> None:
    """A line of JSON to standard output."""
    sys.stdout.buffer.write(text + b"\n")


def complain(answer: Answer, masker: Masker | None = None) -> None:
    """Say on standard error what could not be read and what was masked."""
    from cryoscope.cli.failure import say

    sys.stdout.flush()
    for target, error in answer.failures:
        say(error, target)
    name_damage([d for d in answer.document.damaged if d.part != "archive"])
    if masker is not None and masker.count:
        values = "value" if masker.count == 1 else "values"
        click.echo(f"cryoscope: {masker.count} {values} masked; --reveal shows them", err=True)


def name_damage(damaged: Sequence[DamagedIn]) -> None:
    """The damaged parts, the first few of them one a line."""
    for d in damaged[:NAMED]:
        click.echo(escape(f"cryoscope: damaged: {d.archive}: {d.part}: {d.problem}"), err=True)
    if len(damaged) > NAMED:
        click.echo(
            f"cryoscope: damaged: and {len(damaged) - NAMED} parts more; --format json names all", err=True
        )


def finish_written(answer: Answer, *, masker: Masker | None = None) -> None:
    """As `finish`, for an answer whose records are written already."""
    complain(answer, masker)
    if answer.exit_code:
        raise click.exceptions.Exit(answer.exit_code)


def finish_overviews(answer: Answer, form: str) -> None:
    """As `finish`, with all archives in one table."""
    from cryoscope.report.views import overviews

    finish_together(answer, form, overviews)


def finish_together(answer: Answer, form: str, draw: Draw) -> None:
    """As `finish`, with one drawing of all parts."""
    if form.startswith("json"):
        finish(answer, form, lambda _part, _width: [])
        return
    if answer.document.archives:
        for line in draw(answer.document.archives, terminal_width()):
            click.echo(line)
    complain(answer)
    if answer.exit_code:
        raise click.exceptions.Exit(answer.exit_code)
