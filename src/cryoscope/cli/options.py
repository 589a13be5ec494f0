"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from cryoscope.examine.search import Pattern

F = TypeVar("F", bound=Callable[..., Any])

PLACE = click.Path(allow_dash=True, readable=False)
"""Somebody else's file: the opener tells why it cannot be read, and what to do."""


def _allow(_context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and parameter.name is not None:
        from cryoscope.workflows.remote import allow

        allow(**{parameter.name: True})


stream = click.option(
    "--stream",
    is_flag=True,
    expose_value=False,
    callback=_allow,
    help="Fetch all of a compressed archive far away.",
)
plain_http = click.option(
    "--plain-http",
    is_flag=True,
    expose_value=False,
    callback=_allow,
    help="Speak without TLS to registries and servers.",
)


def archives(function: F) -> F:
    """Any number of archives, here or far away."""
    given = click.argument("archives", metavar="ARCHIVE...", nargs=-1, required=True, type=PLACE)
    return given(stream(plain_http(function)))


def one_archive(function: F) -> F:
    """One archive, here or far away."""
    return click.argument("archive", metavar="ARCHIVE", type=PLACE)(stream(plain_http(function)))


no_cache = click.option(
    "--no-cache", is_flag=True, help="Neither read nor write the cache of member indexes."
)
reveal = click.option("--reveal", is_flag=True, help="Show the values of secrets; they are masked otherwise.")
pids = click.option(
    "-p", "--pid", "pids", type=int, multiple=True, metavar="PID", help="Only this process (repeatable)."
)


reason = click.option(
    "--reason", metavar="TEXT", help="Why: it stands in the custody log. Also $CRYOSCOPE_REASON."
)
identities = click.option(
    "--identity",
    "identities",
    type=click.Path(),
    multiple=True,
    metavar="FILE",
    help="A key (age) to read encrypted evidence (repeatable).",
)
timeout = click.option(
    "--timeout",
    type=click.FloatRange(1, 86400),
    default=120,
    show_default=True,
    metavar="SECONDS",
    help="How long the engine may take.",
)


def formats(*human: str) -> Callable[[F], F]:
    """`--format` with the forms for people first, the first one being the default."""
    choices = [*human, "json", "jsonl"]
    return click.option(
        "-f",
        "--format",
        "form",
        type=click.Choice(choices),
        default=human[0],
        show_default=True,
        help="How to print.",
    )


def patterns(texts: Sequence[str], regexes: Sequence[str]) -> list[Pattern]:
    """What to search for: texts, and regular expressions over bytes."""
    from cryoscope.examine.search import literal, regex

    found = [pattern for text in texts for pattern in literal(text)]
    return found + [pattern for expression in regexes for pattern in regex(expression)]
