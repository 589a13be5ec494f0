"""`cryoscope collect`."""

from __future__ import annotations

from typing import Any

import click

from cryoscope.cli import options, output, reach_options


@click.command("collect")
@click.argument("where", metavar="NODE|k8s://NAMESPACE/POD")
@click.argument("path", metavar="PATH")
@click.option(
    "-o", "--output", type=click.Path(), metavar="FILE", help="The file; by default its own name, here."
)
@click.option(
    "--fetch",
    "how",
    type=click.Choice(["reader-pod", "local"]),
    default="reader-pod",
    show_default=True,
    help="How it comes: by a short-lived pod on the node, or copied, where this is the node.",
)
@click.option("--remove", is_flag=True, help="Remove the node's copy, once it is compared (--fetch local).")
@reach_options.reaching(reach_options.ANY[:1], reach_options.CLUSTER, reach_options.READER)
@options.formats("text")
def command(where: str, path: str, form: str, how: str, remove: bool, **given: Any) -> None:
    """Bring an archive here that a kubelet left on its node.

    PATH is what the capture told (`captured, not collected: PATH`), or the file's name alone.
    """
    from cryoscope.cli.progress import progress_of
    from cryoscope.report.engines import collected
    from cryoscope.workflows.collect import Collecting, collect

    reach = reach_options.take(given)
    collecting = Collecting(
        output=given.pop("output"),
        how=how,
        remove=remove,
        progress=lambda name: progress_of(name, "collecting"),
    )
    output.finish(collect(where, path, reach, collecting), form, collected)
