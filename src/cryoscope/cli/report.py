"""`cryoscope report`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from cryoscope.cli import options, output
from cryoscope.cli.writing import writing
from cryoscope.errors import UsageError
from cryoscope.workflows.digest import begin
from cryoscope.workflows.documents import encode

if TYPE_CHECKING:
    from cryoscope.workflows.examine import Answer

ENDINGS = {
    ".html": "html",
    ".htm": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".json": "json",
    ".jsonl": "jsonl",
}
"""The form that a file's name asks for."""

JSON = ("json", "jsonl")


@click.command("report")
@options.one_archive
@click.option(
    "-o", "--output", "path", metavar="FILE", help="Write to this new file instead of standard output."
)
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["html", "markdown", "json", "jsonl"]),
    help="How to write; without it as FILE's ending says, else html.",
)
@click.option("--title", metavar="TEXT", help="Title of the report instead of the container's name.")
@click.option("--case", metavar="TEXT", help="Number or name of the case, written over the title.")
@click.option("--note", metavar="TEXT", help="A remark of yours, written under the title.")
@click.option("--now", is_flag=True, help="Write the present time into the report; without it there is none.")
@click.option(
    "-t", "--text", "texts", multiple=True, metavar="TEXT", help="Search this text, too (repeatable)."
)
@click.option(
    "-e", "--regex", "regexes", multiple=True, metavar="REGEX", help="Search a regular expression, too."
)
@click.option(
    "--rules", multiple=True, metavar="FILE", help="Ask the rules of this YAML file, too (repeatable)."
)
@click.option("--redact", is_flag=True, help="Leave out arguments, values of variables and contents found.")
@options.reveal
@options.no_cache
def command(
    archive: str, path: str | None, form: str | None, no_cache: bool, reveal: bool, **given: Any
) -> None:
    """One page that tells it all: findings, processes, sockets, memory, files, timeline."""
    form = form or _form_of(path)
    if reveal and given["redact"]:
        raise UsageError("--reveal and --redact exclude each other", hint="give one", code="report.redact")
    _ready(path, form)
    hashing = begin(archive)  # before the rest is imported, which takes a third of the time
    from cryoscope.workflows.report import Wanted, report_of
    from cryoscope.workflows.rules import detectors_with

    wanted = Wanted(
        title=given["title"],
        case=given["case"],
        note=given["note"],
        at=_now() if given["now"] else None,
        more=detectors_with(given["rules"]),
        texts=options.patterns(given["texts"], given["regexes"]),
        redact=given["redact"],
    )
    asking = output.asking(no_cache=no_cache, reveal=reveal)
    found = report_of(archive, wanted, asking, hashing)
    if found.document.archives or form in JSON:
        with writing(path) as file:
            for piece in _written(found, form):
                file.write(piece)
    if reveal:
        click.echo("cryoscope: the values of secrets are revealed", err=True)
    output.finish_written(found, masker=asking.masker)


def _form_of(path: str | None) -> str:
    return ENDINGS.get(os.path.splitext(path)[1].lower(), "html") if path else "html"


def _ready(path: str | None, form: str) -> None:
    """Refuse what would only fail when all the work is done."""
    if path is None and form == "html" and sys.stdout.isatty():
        raise UsageError(
            "a page is not for a terminal", hint="name a file: -o report.html", code="report.terminal"
        )
    if path is not None and os.path.lexists(path):
        raise UsageError(f"{path} is there already", hint="name a new file", code="write.exists")
    if path is not None and not _can_hold(os.path.dirname(path) or "."):
        raise UsageError(
            f"{path} cannot be written",
            hint="name a file in a folder that is there and may be written",
            code="write.folder",
        )
    if form == "html":
        from cryoscope.report.html.page import environment

        environment()


def _can_hold(folder: str) -> bool:
    return os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _written(found: Answer, form: str) -> Iterator[bytes]:
    """The report in pieces, as it is to be written."""
    document = found.document
    if form == "json":
        yield encode(document) + b"\n"
    elif form == "jsonl":
        for row in document.lines():
            yield encode(row, indent=0) + b"\n"
    elif form == "markdown":
        from cryoscope.report.markdown import markdown

        for line in markdown(document.archives[0], document.damaged):
            yield line.encode("utf-8") + b"\n"
    else:
        from cryoscope.report.html import page

        yield page(document.archives[0], document.damaged).encode("utf-8")
