"""`cryoscope diff`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cryoscope.cli import memory_options, options, output

if TYPE_CHECKING:
    from cryoscope.examine.diff import Wanted

ASPECTS = (
    "processes", "environment", "descriptors", "sockets", "mounts", "rights", "mappings", "memory", "files",
    "metadata",
)  # fmt: skip


@click.command("diff")
@click.argument("archives", metavar="BEFORE AFTER...", nargs=-1, required=True, type=options.PLACE)
@options.stream
@options.plain_http
@options.formats("table", "tree")
@click.option(
    "--only",
    "only",
    type=click.Choice(ASPECTS),
    multiple=True,
    metavar="ASPECT",
    help=f"Compare only this (repeatable): {', '.join(ASPECTS)}.",
)
@click.option(
    "--against-first", is_flag=True, help="Compare each with the first, not with the one before it."
)
@click.option(
    "--hexdump", "hexdump", is_flag=True, help="Show the bytes of differing pages, before and after."
)
@options.pids
@memory_options.address
@click.option(
    "--search",
    "texts",
    multiple=True,
    metavar="TEXT",
    help="Search this text in changed and new pages of the later one (repeatable).",
)
@click.option(
    "--regex", "regexes", multiple=True, metavar="REGEX", help="The same for a regular expression over bytes."
)
@click.option("--exit-code", is_flag=True, help="End with 10 if there is a difference.")
@options.reveal
@options.no_cache
def command(archives: tuple[str, ...], form: str, no_cache: bool, reveal: bool, **given: Any) -> None:
    """What is different between checkpoints: processes, sockets, rights, memory page by page, files.

    They may be of one container seen twice, or of different containers and engines. With more than two,
    each is compared with the one before it.
    """
    from cryoscope.report import diff as report
    from cryoscope.workflows.diff import Asked, diff_all

    asking = output.asking(no_cache=no_cache, reveal=reveal)
    asked = Asked(wanted=_wanted(given), against_first=given["against_first"], exit_code=given["exit_code"])
    found = diff_all(archives, asked, asking)
    output.finish(found, form, report.tree if form == "tree" else report.table, masker=asking.masker)


def _wanted(given: dict[str, Any]) -> Wanted:
    from cryoscope.examine.diff import Wanted
    from cryoscope.workflows.diff import aspects, dump_of

    dump = dump_of(given["address"]) if given["hexdump"] else None
    patterns = options.patterns(given["texts"], given["regexes"])
    only, pids = given["only"], given["pids"]
    if only and (dump is not None or patterns):
        only = (*only, "memory")
    return Wanted(aspects=aspects(only, of_processes=bool(pids)), pids=pids, dump=dump, patterns=patterns)
