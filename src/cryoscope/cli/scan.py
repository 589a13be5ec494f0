"""`cryoscope scan`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from cryoscope.cli import options, output
from cryoscope.errors import UsageError

if TYPE_CHECKING:
    from cryoscope.examine.findings import Detector
    from cryoscope.examine.findings.rules import Rule
    from cryoscope.workflows.rules import More

LEVELS = ("info", "low", "medium", "high")


@click.command("scan")
@click.argument("archives", metavar="ARCHIVE...", nargs=-1, type=options.PLACE)
@options.stream
@options.plain_http
@options.formats("table")
@click.option(
    "--severity",
    "least",
    type=click.Choice(LEVELS),
    default="info",
    show_default=True,
    help="Leave out what is less severe.",
)
@click.option(
    "--detector", "names", multiple=True, metavar="NAME", help="Ask only this detector (repeatable)."
)
@click.option(
    "--rules", multiple=True, metavar="FILE", help="Ask the rules of this YAML file, too (repeatable)."
)
@click.option("--list", "list_them", is_flag=True, help="Name the detectors and end.")
@click.option("--fields", "list_fields", is_flag=True, help="Name the fields that rules can ask for and end.")
@click.option("--exit-code", is_flag=True, help="End with 10 if anything was found.")
@options.reveal
@options.no_cache
def command(archives: tuple[str, ...], form: str, no_cache: bool, reveal: bool, **given: Any) -> None:
    """What is suspicious: findings with their evidence, and what to look at next."""
    from cryoscope.report import findings as report
    from cryoscope.workflows.findings import Wanted, findings_of

    if given["list_fields"]:
        _list_fields(form)
        return
    more = _more(given["rules"])
    if given["list_them"]:
        _list(form, [*more.detectors, *more.about_findings])
        return
    if not archives:
        raise UsageError("no archive is named", hint="cryoscope scan ARCHIVE...", code="findings.archive")
    wanted = Wanted(
        names=given["names"],
        least=given["least"],
        exit_code=given["exit_code"],
        detectors=more.detectors,
        about_findings=more.about_findings,
        notes=more.notes,
    )
    asking = output.asking(no_cache=no_cache, reveal=reveal)
    found = findings_of(archives, wanted, asking)
    if reveal:
        click.echo("cryoscope: the values of secrets are revealed", err=True)
    output.finish(found, form, report.findings, masker=asking.masker)


def _more(paths: Sequence[str]) -> More:
    from cryoscope.workflows.rules import detectors_with

    return detectors_with(paths)


def _list(form: str, asked: Sequence[Detector | Rule]) -> None:
    from cryoscope.report.findings import detectors
    from cryoscope.workflows.findings import list_detectors

    _print(list_detectors(asked), form, detectors)


def _list_fields(form: str) -> None:
    from cryoscope.report.findings import fields
    from cryoscope.workflows.rules import list_fields

    _print(list_fields(), form, fields)


def _print(lines: Sequence[Any], form: str, draw: Callable[[Any, int | None], list[str]]) -> None:
    from cryoscope.workflows.documents import encode

    if form == "table":
        for line in draw(lines, output.terminal_width()):
            click.echo(line)
    elif form == "json":
        output.emit(encode(lines))
    else:
        for found in lines:
            output.emit(encode(found, indent=0))
