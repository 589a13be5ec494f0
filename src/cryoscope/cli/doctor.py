"""`cryoscope doctor`."""

from __future__ import annotations

from typing import Any

import click

from cryoscope.cli import options, output, reach_options


@click.command("doctor")
@click.argument("target", metavar="[TARGET|k8s]", required=False)
@reach_options.engines
@reach_options.reaching(reach_options.ANY, reach_options.KUBERNETES)
@options.formats("text")
def command(target: str | None, engines: tuple[str, ...], form: str, **given: Any) -> None:
    """What works here for capture and restore, what does not, and the cure.

    With a TARGET: what stands against capturing that container. With k8s: which rights you have there.
    """
    from cryoscope.report.engines import health
    from cryoscope.workflows import engines as workflow

    reach = reach_options.take(given)
    if target is None:
        found = workflow.doctor(reach, engines)
    elif target == "k8s":
        found = workflow.doctor_kubernetes(reach)
    else:
        from cryoscope.engines.port import CaptureOptions
        from cryoscope.engines.target import parse

        found = workflow.doctor_of(parse(target), reach, CaptureOptions())
    output.finish(found, form, health)
