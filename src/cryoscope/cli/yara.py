"""`cryoscope yara`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cryoscope.cli import options, output
from cryoscope.errors import UsageError
from cryoscope.text import escape
from cryoscope.workflows.access import SEARCH

if TYPE_CHECKING:
    from cryoscope.examine.yara import Options


@click.command("yara")
@click.argument("arguments", metavar="[RULES] ARCHIVE...", nargs=-1, required=True, type=options.PLACE)
@options.stream
@options.plain_http
@click.option(
    "-r",
    "--rules",
    multiple=True,
    metavar="PATH",
    help="A file of rules, or a folder of .yar and .yara files.",
)
@click.option(
    "-d", "--define", multiple=True, metavar="NAME=VALUE", help="An external variable (repeatable)."
)
@click.option(
    "-t", "--tag", "tags", multiple=True, metavar="TAG", help="Only rules with this tag (repeatable)."
)
@click.option("--in", "places", metavar="PLACES", help="Only these places, such as memory,rootfs.")
@options.pids
@click.option(
    "--per",
    type=click.Choice(["mapping", "process"]),
    default="mapping",
    show_default=True,
    help="What of memory is scanned at once.",
)
@click.option(
    "--timeout",
    type=click.IntRange(1, 86400),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="How long one scan may take.",
)
@click.option(
    "--matches",
    type=click.IntRange(0, 10_000),
    default=20,
    show_default=True,
    metavar="N",
    help="Matches told of each string.",
)
@click.option("--exit-code", is_flag=True, help="End with 10 if any rule matched.")
@options.formats("table")
@options.no_cache
def command(arguments: tuple[str, ...], form: str, no_cache: bool, **given: Any) -> None:
    """YARA rules over memory, queues, deleted and changed files."""
    from cryoscope.examine.yara import compile_rules
    from cryoscope.examine.yara.rules import variable
    from cryoscope.report.yara import hits
    from cryoscope.workflows.yara import Asked, scan_all

    paths, archives = _paths(arguments, given["rules"])
    wanted = _options(given)
    rules = compile_rules(paths, dict(map(variable, given["define"])))
    for warning in rules.warnings:
        click.echo(escape(f"cryoscope: warning: {warning}"), err=True)
    asked = Asked(rules=rules, options=wanted, exit_code=given["exit_code"])
    output.finish(scan_all(archives, asked, output.asking(no_cache=no_cache, action=SEARCH)), form, hits)


def _paths(arguments: Sequence[str], rules: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Rules and archives: the first argument is rules if no option names any."""
    if rules:
        return rules, arguments
    if len(arguments) < 2:
        raise UsageError("no archive is named", hint="cryoscope yara RULES ARCHIVE...", code="yara.archive")
    return arguments[:1], arguments[1:]


def _options(given: dict[str, Any]) -> Options:
    from cryoscope.examine.search import Where
    from cryoscope.examine.search.where import place_names
    from cryoscope.examine.yara import Options

    where = Where(pids=given["pids"])
    if given["places"] is not None:
        where = Where(pids=given["pids"], places=place_names(given["places"]))
    return Options(
        where=where,
        per_process=given["per"] == "process",
        seconds=given["timeout"],
        matches=given["matches"],
        tags=frozenset(given["tags"]),
    )
