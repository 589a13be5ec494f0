"""`cryoscope capture`."""

from __future__ import annotations

from typing import Any

import click

from cryoscope.cli import options, output, reach_options


@click.command("capture")
@click.argument("target", metavar="TARGET")
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    metavar="FILE",
    help="Where to (a folder with a name of its own; default: here). Nothing is replaced.",
)
@click.option("--all-containers", is_flag=True, help="All running containers of the pod, at the same time.")
@click.option(
    "--with",
    "companions",
    metavar="KINDS",
    help="Save next to it: image, logs, inspect, events, pod (with commas between).",
)
@click.option("--stop", is_flag=True, help="End the container with the checkpoint; it goes on otherwise.")
@click.option(
    "--tcp",
    type=click.Choice(["refuse", "established", "close"]),
    default="refuse",
    show_default=True,
    help="Open TCP connections: no checkpoint, keep them, close them.",
)
@click.option("--file-locks", is_flag=True, help="Take file locks along; CRIU refuses them otherwise.")
@click.option("--ignore-rootfs", is_flag=True, help="Leave changed files out.")
@click.option("--ignore-volumes", is_flag=True, help="Leave volumes out.")
@click.option(
    "--compress",
    "compression",
    type=click.Choice(["none", "gzip", "zstd"]),
    default="none",
    show_default=True,
    help="Where the engine compresses itself.",
)
@click.option("--pre-checkpoint", is_flag=True, help="Memory only, for a later --with-previous.")
@click.option("--with-previous", type=click.Path(), metavar="FILE", help="Only what changed since that one.")
@options.timeout
@click.option(
    "--fetch",
    type=click.Choice(["local", "reader-pod", "none"]),
    default="local",
    show_default=True,
    help="How the archive comes off its node: this is the node, by a short-lived pod, not at all.",
)
@click.option("--case", metavar="CASE", help="Into this case; without -o, only there.")
@options.reason
@click.option("--force", is_flag=True, help="Past concerns that are no certain failure.")
@reach_options.reaching(reach_options.ANY, reach_options.KUBERNETES, reach_options.READER)
@options.formats("text")
def command(target: str, form: str, companions: str | None, **given: Any) -> None:
    """Take a checkpoint of a running container; it goes on running.

    TARGET is podman://NAME, docker://NAME, cri://[containerd|crio]/CONTAINER, pid://1234 or
    k8s://NAMESPACE/POD[/CONTAINER]; `cryoscope targets` lists what is here.
    """
    from cryoscope.cli.progress import progress_of
    from cryoscope.engines.port import CaptureOptions
    from cryoscope.engines.target import parse
    from cryoscope.report.engines import captured
    from cryoscope.workflows.capture import Taking, capture

    reach = reach_options.take(given)
    taking = Taking(
        output=given.pop("output"),
        all_containers=given.pop("all_containers"),
        force=given.pop("force"),
        companions=tuple((companions or "").replace(",", " ").split()),
        case=given.pop("case"),
        reason=output.reason(given.pop("reason")),
        progress=lambda name: progress_of(name, "capturing"),
        options=CaptureOptions(**given),
    )
    output.finish(capture(parse(target), reach, taking), form, captured)
