"""`cryoscope targets`."""

from __future__ import annotations

from typing import Any

import click

from cryoscope.cli import options, output, reach_options


@click.command("targets")
@reach_options.engines
@reach_options.reaching(reach_options.ANY, reach_options.KUBERNETES)
@options.formats("table")
def command(engines: tuple[str, ...], form: str, **given: Any) -> None:
    """What can be captured here: every engine's containers, as targets."""
    from cryoscope.report.engines import containers
    from cryoscope.workflows.engines import targets

    found = targets(reach_options.take(given), engines)
    output.finish(found, form, containers)
    if not found.document.archives:
        click.echo("cryoscope: no engine was found\n  `cryoscope doctor` says what works here", err=True)
