"""Options that say how engines are reached."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cryoscope.text import escape

if TYPE_CHECKING:
    from cryoscope.engines.port import Reach

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(exists=False)
ENGINES = ("podman", "docker", "cri", "criu", "kubelet", "apiserver")
engines = click.option(
    "--engine", "engines", multiple=True, type=click.Choice(ENGINES), help="Only this one (repeatable)."
)

ANY = (
    click.option(
        "--host",
        type=click.IntRange(1),
        envvar="CRYOSCOPE_HOST",
        metavar="PID",
        help="The engines' machine, seen through a process of it (1 in a pod with hostPID).",
    ),
    click.option("--endpoint", metavar="ADDRESS", help="The engine's socket, if not the usual one."),
)
KUBECONFIG = (
    click.option("--kubeconfig", type=FILE, metavar="FILE", help="Credentials, as kubectl has them."),
    click.option("--context", metavar="NAME", help="The context in the kubeconfig."),
)
AUTHORITY = (
    click.option(
        "--certificate-authority", "authority", type=FILE, metavar="FILE", help="Who signed its certificate."
    ),
    click.option("--insecure", is_flag=True, help="Do not verify the kubelet's or API server's certificate."),
)
CLUSTER = (*KUBECONFIG, *AUTHORITY)
"""What leads to an API server."""
KUBERNETES = (
    *KUBECONFIG,
    click.option("--kubelet", metavar="ADDRESS", help="Its address, if the API server may not be asked."),
    click.option("--token-file", type=FILE, metavar="FILE", help="A bearer token for the kubelet."),
    click.option("--client-certificate", "certificate", type=FILE, metavar="FILE", help="For the kubelet."),
    click.option("--client-key", "key", type=FILE, metavar="FILE", help="For the kubelet."),
    *AUTHORITY,
)
READER = (
    click.option(
        "--reader-namespace",
        default="cryoscope",
        show_default=True,
        metavar="NAME",
        help="Where the pod of --fetch reader-pod runs.",
    ),
    click.option("--reader-image", metavar="REFERENCE", help="Its image, by digest."),
    click.option("--reader-token-file", type=FILE, metavar="FILE", help="A token that may run it."),
)


def reaching(*groups: tuple[Callable[[Any], Any], ...]) -> Callable[[F], F]:
    """The options of some groups, in their order."""

    def add(command: F) -> F:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return add


def take(given: dict[str, Any]) -> Reach:
    """How engines are reached, out of a command's options, which lose these."""
    from cryoscope.engines.host import Host
    from cryoscope.engines.port import Reach

    names = {option for option in Reach.__struct_fields__ if option in given}
    found = {name: given.pop(name) for name in sorted(names)}
    return Reach(host=Host(found.pop("host", None)), say=_say, **found)


def _say(line: str) -> None:
    click.echo(escape(f"cryoscope: {line}"), err=True)
