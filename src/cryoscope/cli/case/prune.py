"""`cryoscope case prune`."""

from __future__ import annotations

import click

from cryoscope.cli import options, output
from cryoscope.errors import UsageError

PER = ("all", "case", "namespace", "pod", "container")


@click.command("prune")
@click.argument("name", metavar="[CASE]", required=False)
@click.option("--keep", type=click.IntRange(1), metavar="N", help="At most N of each.")
@click.option("--older", metavar="AGE", help="None older than this: 90d, 12h.")
@click.option("--larger", metavar="SIZE", help="No more bytes of each than this: 20GiB.")
@click.option(
    "--per", type=click.Choice(PER), default="all", show_default=True, help="What these bounds are of."
)
@click.option("--apply", "apply_", is_flag=True, help="Do it; without, only what would go is told.")
@click.option(
    "--kubelet-folder",
    "folder",
    type=click.Path(),
    metavar="DIR",
    help="Of a kubelet's checkpoints (/var/lib/kubelet/checkpoints), not of the store.",
)
@options.reason
@options.formats("table")
def command(
    name: str | None,
    keep: int | None,
    older: str | None,
    larger: str | None,
    per: str,
    apply_: bool,
    folder: str | None,
    reason: str | None,
    form: str,
) -> None:
    """Remove old evidence, the oldest first; what is on hold stays. Without bounds, by the settings' rules.

    The manifest of what goes stays, and the custody log says why it went.
    """
    from cryoscope.report.cases import pruned
    from cryoscope.settings import Retention
    from cryoscope.workflows.prune import prune_store

    rules = []
    if keep or older or larger:
        rules = [Retention(per=per, count=keep or 0, age=older or "", size=larger or "")]
    if folder is None:
        found = prune_store(rules, case=name, dry_run=not apply_, reason=output.reason(reason))
    else:
        from cryoscope.workflows.prune_folder import prune_folder

        if name is not None:
            raise UsageError("a kubelet's folder has no cases", hint="leave CASE out", code="prune.folder")
        found = prune_folder(folder, rules, dry_run=not apply_)
    output.finish(found, form, pruned)
