"""`cryoscope restore`."""

from __future__ import annotations

import os
import re
from typing import Any

import click

from cryoscope.cli import options, output, reach_options


@click.command("restore")
@options.one_archive
@click.option(
    "--to",
    required=True,
    type=click.Choice(["podman", "docker", "cri", "containerd", "crio", "criu"]),
    help="The engine.",
)
@click.option("--name", metavar="NAME", help="Of the container; NAME-1, NAME-2 … with --copies.")
@click.option("--copies", type=click.IntRange(1, 64), default=1, show_default=True, help="How many, at once.")
@click.option("--live", is_flag=True, help="For real: with its network and mounts, not in the sandbox.")
@click.option("--trust-archive", is_flag=True, help="Restore although no trusted key signed it.")
@click.option("--dry-run", is_flag=True, help="Only look: what stands against it, what would be cleaned.")
@click.option("--force", is_flag=True, help="Past concerns that are no certain failure.")
@click.option(
    "--tcp",
    type=click.Choice(["established", "close"]),
    default="close",
    show_default=True,
    help="Connections that were open: go on with them, or find them closed.",
)
@click.option("--ignore-rootfs", is_flag=True, help="Leave changed files out.")
@click.option("--ignore-volumes", is_flag=True, help="Leave volumes out.")
@click.option("--publish", multiple=True, metavar="PORTS", help="Publish a port (with --live; Podman).")
@click.option(
    "--pod",
    metavar="NAME",
    help="Podman's pod, Docker's container to join (--live); the new pod's name (CRI).",
)
@click.option("--image", metavar="REFERENCE", help="The base image, if not the one that the archive names.")
@click.option("--memory", default="2g", show_default=True, metavar="SIZE", help="What a sandbox may use.")
@click.option(
    "--processes", type=click.IntRange(1), default=1024, show_default=True, help="How many it may have."
)
@click.option("--cpus", type=click.FloatRange(0.01), default=1.0, show_default=True, help="Its share.")
@options.timeout
@click.option("--scratch", type=click.Path(), metavar="DIR", help="Where the cleaned copy lies meanwhile.")
@reach_options.reaching(reach_options.ANY)
@options.formats("text")
def command(archive: str, form: str, name: str | None, memory: str, **given: Any) -> None:
    """Let a checkpoint go on, in a sandbox unless --live.

    The sandbox has no network, no mounts of the host, no service-account token, and bounded memory,
    processes and CPU. A sandbox on a shared kernel is no boundary against an exploit of the kernel.
    """
    from cryoscope.cli.progress import progress_of
    from cryoscope.engines.port import RestoreOptions
    from cryoscope.report.engines import restored
    from cryoscope.workflows.restore import Restoring, restore

    reach = reach_options.take(given)
    names = ("to", "copies", "force", "trust_archive", "dry_run", "scratch")
    ours = {key: given.pop(key) for key in names}
    how = RestoreOptions(
        name=name or _name(archive), memory=_bytes(memory), publish=[*given.pop("publish")], **given
    )
    restoring = Restoring(options=how, progress=progress_of, **ours)
    output.finish(restore(archive, reach, restoring), form, restored)


def _name(archive: str) -> str:
    """A name for the container, out of the archive's."""
    base = os.path.basename(archive).partition(".")[0]
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", base).strip("-._")[:60] + "-restored"


def _bytes(text: str) -> int:
    """A size such as 512m or 2g, in bytes."""
    match = re.fullmatch(r"(\d{1,12})([kmgt]?)", text.lower())
    if match is None:
        raise click.BadParameter("a number with k, m, g or t", param_hint="--memory")
    return int(match[1]) << (10 * " kmgt".index(match[2] or " "))
