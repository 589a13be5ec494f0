"""`cryoscope iocs`."""

from __future__ import annotations

from typing import Any

import click

from cryoscope.cli import options, output
from cryoscope.workflows.access import SEARCH
from cryoscope.workflows.examine import Answer

KINDS = ("sha256", "path", "ip", "domain", "url", "email")
LEVELS = ("low", "medium", "high")
WHOLE = ("csv", "stix")
"""Forms in which all archives are one text."""


@click.command("iocs")
@options.archives
@options.formats("table", *WHOLE)
@click.option(
    "--rules",
    "hunt",
    type=click.Choice(["yara", "sigma"]),
    help="Print rules that look for the indicators elsewhere.",
)
@click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="Only this kind (repeatable).")
@click.option(
    "--min-confidence",
    "least",
    type=click.Choice(LEVELS),
    help="Leave out what is less sure. Default: low; of rules medium.",
)
@click.option(
    "--private", is_flag=True, help="Also addresses and names that only private networks know, and loopback."
)
@click.option("--all", "noise", is_flag=True, help="Also domains that stand in the memory of every program.")
@click.option(
    "--detectors",
    "detectors",
    multiple=True,
    metavar="FILE",
    help="Ask the rules of this YAML file, too, as `scan --rules` does (repeatable).",
)
@options.reveal
@options.no_cache
def command(archives: tuple[str, ...], form: str, no_cache: bool, reveal: bool, **given: Any) -> None:
    """Indicators of compromise: digests, paths, addresses, domains, URLs; and rules to hunt for them."""
    from datetime import UTC, datetime

    from cryoscope.report.iocs.table import iocs
    from cryoscope.workflows.iocs import Wanted, iocs_of
    from cryoscope.workflows.rules import detectors_with

    hunt = given["hunt"]
    wanted = Wanted(
        now=datetime.now(UTC).isoformat(timespec="seconds"),
        kinds=given["kinds"],
        least=given["least"] or ("medium" if hunt else "low"),
        private=given["private"],
        noise=given["noise"],
        more=detectors_with(given["detectors"]),
    )
    asking = output.asking(no_cache=no_cache, action=SEARCH, reveal=reveal)
    found = iocs_of(archives, wanted, asking)
    if hunt or form in WHOLE:
        _print(found, hunt or form)
        output.finish_written(found, masker=asking.masker)
    else:
        output.finish(found, form, iocs, masker=asking.masker)


def _print(found: Answer, form: str) -> None:
    """All archives as one text of another form."""
    from cryoscope.report.iocs import csv, sigma, stix, yara
    from cryoscope.workflows.documents import encode
    from cryoscope.workflows.iocs import huntable

    parts = found.document.archives
    if form == "stix":
        output.emit(encode(stix.bundle(huntable(parts))))
    elif form == "csv":
        click.echo(csv.iocs(parts), nl=False)
    else:
        text = {"yara": yara, "sigma": sigma}[form].rules(huntable(parts))
        click.echo(text or "# nothing to look for: --min-confidence low may give more", nl=not text)
