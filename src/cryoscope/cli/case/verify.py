"""`cryoscope case verify`."""

from __future__ import annotations

from typing import Any

import click

from cryoscope.cli import options, output
from cryoscope.errors import UsageError


@click.command("verify")
@click.argument("names", metavar="[CASE]...", nargs=-1)
@click.option("--piece", metavar="PIECE", help="Of the evidence, only this piece.")
@click.option(
    "--bundle", type=click.Path(), metavar="DIR", help="What `case export` wrote, instead of the store."
)
@click.option(
    "--expect-head",
    "expect",
    metavar="WITNESS",
    help="What `case head` printed once, or the file to which it was added.",
)
@click.option(
    "--trusted-key",
    "trusted",
    type=click.Path(),
    multiple=True,
    metavar="FILE",
    help="Count this public key (repeatable).",
)
@options.identities
@options.reason
@options.formats("text")
def command(names: tuple[str, ...], bundle: str | None, reason: str | None, form: str, **given: Any) -> None:
    """Read everything of a case again and tell exactly what is wrong; without CASE, of every case.

    Ends with 1 where anything is. What is encrypted is verified as it is stored; with its key also as it was.
    """
    from cryoscope.cli.progress import progress_of
    from cryoscope.report.cases import verified
    from cryoscope.workflows.case_verify import Verifying, verify, verify_exported

    verifying = Verifying(
        reason=output.reason(reason), progress=lambda name: progress_of(name, "verifying"), **given
    )
    if bundle is not None and names:
        raise UsageError("a bundle is verified without its case", hint="leave CASE out", code="verify.case")
    found = verify(names, verifying) if bundle is None else verify_exported(bundle, verifying)
    output.finish(found, form, verified)
