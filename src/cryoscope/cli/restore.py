"""`cryoscope restore`."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import click

from cryoscope.cli import options, output, reach_options
from cryoscope.errors import UsageError

if TYPE_CHECKING:
    from cryoscope.workflows.restore_kubernetes import InCluster

CLUSTER = {
    "namespace": "",
    "node": "",
    "pull_secret": "",
    "base": "",
    "push": False,
    "apply": False,
}
"""Options for a cluster by what they are when they are left out."""
NOT_THERE = ("publish", "pod", "ignore_rootfs", "ignore_volumes")
"""Options that no cluster has."""


@click.command("restore")
@options.one_archive
@click.option(
    "--to",
    required=True,
    type=click.Choice(["podman", "docker", "cri", "containerd", "crio", "criu", "k8s"]),
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
@click.option(
    "--image",
    metavar="REFERENCE",
    help="The base image, if not the one that the archive names; for k8s the checkpoint's own image.",
)
@click.option(
    "--mount",
    "mounts",
    multiple=True,
    metavar="PATH=WHAT",
    help="What is mounted at PATH: a path of the host (Podman, --live); pvc/NAME, secret/NAME … (k8s).",
)
@click.option("--memory", default="2g", show_default=True, metavar="SIZE", help="What a sandbox may use.")
@click.option(
    "--processes", type=click.IntRange(1), default=1024, show_default=True, help="How many it may have."
)
@click.option("--cpus", type=click.FloatRange(0.01), default=1.0, show_default=True, help="Its share.")
@click.option("--apply", is_flag=True, help="Create what is printed otherwise, and wait for it (k8s).")
@click.option("-n", "--namespace", default="", metavar="NAME", help="Where (k8s; cryoscope-sandbox).")
@click.option("--node", default="", metavar="NAME", help="On this node, past the scheduler (k8s).")
@click.option("--push", is_flag=True, help="Make the image --image of the cleaned archive first (k8s).")
@click.option("--base-image", "base", default="", metavar="NAME@DIGEST", help="What it is based on (--push).")
@click.option("--pull-secret", default="", metavar="NAME", help="The secret that pulls the image (k8s).")
@click.option("--writable-volumes", is_flag=True, help="A sandbox may write to its copies of volumes.")
@options.timeout
@click.option("--scratch", type=click.Path(), metavar="DIR", help="Where the cleaned copy lies meanwhile.")
@reach_options.reaching(reach_options.ANY, reach_options.CLUSTER)
@options.formats("text")
def command(archive: str, form: str, name: str | None, memory: str, to: str, **given: Any) -> None:
    """Let a checkpoint go on, in a sandbox unless --live.

    The sandbox has no network, no mounts of the host, no service-account token, and bounded memory,
    processes and CPU. A sandbox on a shared kernel is no boundary against an exploit of the kernel.

    For k8s the manifests are printed, and created with --apply.
    """
    from cryoscope.cli.progress import progress_of
    from cryoscope.engines.port import RestoreOptions
    from cryoscope.report.manifests import manifests
    from cryoscope.workflows.restore import Restoring, restore

    mounts = dict(_mount(each) for each in given.pop("mounts"))
    cluster = _cluster(to, mounts, given)
    reach = reach_options.take(given)
    names = ("copies", "force", "trust_archive", "dry_run", "scratch")
    ours = {key: given.pop(key) for key in names}
    how = RestoreOptions(
        name=name or _name(archive, to), memory=_bytes(memory), publish=[*given.pop("publish")], **given
    )
    restoring = Restoring(options=how, to=to, mounts=mounts, cluster=cluster, progress=progress_of, **ours)
    output.finish(restore(archive, reach, restoring), form, manifests)


def _cluster(to: str, mounts: dict[str, str], given: dict[str, Any]) -> InCluster | None:
    """What is said of a cluster, out of the options, which lose it; raises `UsageError` for no cluster."""
    said = {name: given.pop(name) for name, unsaid in CLUSTER.items() if given[name] != unsaid}
    for name in CLUSTER.keys() & given.keys():
        del given[name]
    wrong = [name for name in NOT_THERE if given[name]] if to == "k8s" else [*said]
    if wrong:
        option = "--" + wrong[0].replace("_", "-")
        where = "a cluster" if to == "k8s" else f"--to {to}"
        raise UsageError(f"{option} means nothing to {where}", hint="leave it out", code="restore.option")
    if to != "k8s":
        return None
    from cryoscope.workflows.restore_kubernetes import InCluster

    return InCluster(mounts=mounts, **said)


def _mount(text: str) -> tuple[str, str]:
    path, equals, what = text.partition("=")
    if not equals or not path.startswith("/") or not what:
        raise click.BadParameter("PATH=WHAT, such as /data=pvc/copy", param_hint="--mount")
    return path, what


def _name(archive: str, to: str) -> str:
    """A name for the container, out of the archive's."""
    base = re.split(r"[.@:]", os.path.basename(archive.rstrip("/")))[0]
    if to == "k8s":
        return re.sub(r"[^a-z0-9]+", "-", base.lower()).strip("-")[:50].strip("-") + "-restored"
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", base).strip("-._")[:60] + "-restored"


def _bytes(text: str) -> int:
    """A size such as 512m or 2g, in bytes."""
    match = re.fullmatch(r"(\d{1,12})([kmgt]?)", text.lower())
    if match is None:
        raise click.BadParameter("a number with k, m, g or t", param_hint="--memory")
    return int(match[1]) << (10 * " kmgt".index(match[2] or " "))
