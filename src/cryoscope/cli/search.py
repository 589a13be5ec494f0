"""`cryoscope search`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from cryoscope.cli import options, output
from cryoscope.errors import UsageError
from cryoscope.workflows.access import SEARCH

if TYPE_CHECKING:
    from cryoscope.examine.search import Pattern, Where

ENCODINGS = {"both": ("utf-8", "utf-16le"), "utf-8": ("utf-8",), "utf-16le": ("utf-16le",)}

Options = dict[str, Any]


def _many(*names: str, metavar: str, text: str) -> Callable[[options.F], options.F]:
    return click.option(*names, multiple=True, metavar=metavar, help=text)


@click.command("search")
@click.argument("arguments", metavar="[PATTERN] ARCHIVE...", nargs=-1, required=True, type=options.PLACE)
@options.stream
@options.plain_http
@_many("-t", "--text", "texts", metavar="TEXT", text="Search this text (repeatable).")
@_many("-e", "--regex", "regexes", metavar="REGEX", text="Search a regular expression over bytes.")
@_many("--hex", "hexes", metavar="BYTES", text="Search bytes written as hex digits.")
@_many("-P", "--patterns", "files", metavar="FILE", text="Search the patterns of a file, one a line.")
@click.option("-i", "--ignore-case", is_flag=True, help="Ignore the case of ASCII letters.")
@click.option(
    "--encoding",
    type=click.Choice([*ENCODINGS]),
    default="both",
    show_default=True,
    help="How texts are written in memory.",
)
@click.option("--in", "places", metavar="PLACES", help="Only these places, such as memory,pipe.")
@options.pids
@_many("--address", "addresses", metavar="FROM-TO", text="Only these addresses, in hex (repeatable).")
@_many("--vma-type", "kinds", metavar="KIND", text="Only mappings of this kind, such as heap (repeatable).")
@click.option("--perm", "perms", default="", metavar="PERMS", help="Only mappings with these, such as rw?p.")
@click.option("--file", "file", default="", metavar="GLOB", help="Only files with such a path.")
@click.option("-c", "--count", is_flag=True, help="Only how often each pattern was found.")
@click.option("-l", "--files-only", is_flag=True, help="Only the archives in which something was found.")
@click.option("--exit-code", is_flag=True, help="End with 10 if anything was found.")
@options.formats("table")
@options.no_cache
def command(arguments: tuple[str, ...], form: str, no_cache: bool, **given: Any) -> None:
    """Search memory, queues, deleted and changed files for texts and patterns."""
    from cryoscope.report import search as report
    from cryoscope.workflows.search import Asked, search_all

    patterns, archives = _patterns(arguments, given)
    only = given["count"] or given["files_only"]
    asked = Asked(patterns=patterns, where=_where(given), only_counts=only, exit_code=given["exit_code"])
    found = search_all(archives, asked, output.asking(no_cache=no_cache, action=SEARCH))
    draw = report.files if given["files_only"] else report.counts if given["count"] else report.hits
    if given["files_only"] and form == "table":
        _names(found, draw)
        return
    output.finish(found, form, draw)


def _names(found: Any, draw: output.Draw) -> None:
    """The archives alone, one a line, for the next program in a pipe."""
    for part in found.document.archives:
        for line in draw(part, None):
            click.echo(line)
    output.complain(found)
    if found.exit_code:
        raise click.exceptions.Exit(found.exit_code)


def _patterns(arguments: Sequence[str], given: Options) -> tuple[list[Pattern], Sequence[str]]:
    """What to search, and in which archives: the first argument is a text if no option names one."""
    named = [*_named(given)]
    if any(given[option] for option in ("texts", "regexes", "hexes", "files")):
        if not named:
            raise UsageError("there is no pattern in the file", code="search.pattern")
        return named, arguments
    if len(arguments) < 2:
        raise UsageError(
            "no archive is named", hint="cryoscope search PATTERN ARCHIVE...", code="search.archive"
        )
    return [*_texts(arguments[:1], given)], arguments[1:]


def _texts(texts: Sequence[str], given: Options) -> Iterator[Pattern]:
    from cryoscope.examine.search import literal

    for text in texts:
        yield from literal(text, ignore_case=given["ignore_case"], encodings=ENCODINGS[given["encoding"]])


def _named(given: Options) -> Iterator[Pattern]:
    from cryoscope.examine.search import hexadecimal, pattern_file, regex

    yield from _texts(given["texts"], given)
    for expression in given["regexes"]:
        yield from regex(expression, ignore_case=given["ignore_case"])
    for digits in given["hexes"]:
        yield from hexadecimal(digits)
    for path in given["files"]:
        yield from pattern_file(_read(path), ignore_case=given["ignore_case"])


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", code="search.pattern-file") from None


def _where(given: Options) -> Where:
    from cryoscope.examine.search import Where
    from cryoscope.examine.search.where import address_range, place_names

    places = {} if given["places"] is None else {"places": place_names(given["places"])}
    return Where(
        pids=given["pids"],
        addresses=tuple(address_range(text) for text in given["addresses"]),
        kinds=given["kinds"],
        perms=given["perms"],
        file=given["file"],
        **places,
    )
