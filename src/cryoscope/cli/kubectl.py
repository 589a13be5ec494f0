"""`kubectl cryoscope`: the same commands, told of pods as kubectl is.

    kubectl cryoscope capture POD [-c CONTAINER]     kubectl cryoscope targets
    kubectl cryoscope doctor [POD]                   kubectl cryoscope show FILE, and all the others

kubectl runs the program `kubectl-cryoscope` for it, and `kubectl_complete-cryoscope` when Tab is pressed
(kubernetes.io, Extend kubectl with plugins).  Flags stand after the command: kubectl takes none before.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from cryoscope import __version__
from cryoscope.cli import COMMANDS, Commands, cryoscope, run
from cryoscope.errors import UsageError

PROGRAM = "kubectl cryoscope"
TAKES_POD = ("capture", "doctor", "compare")
"""Commands whose argument TARGET is a pod here."""
ELSEWHERE = ("host", "endpoint", "engines")
"""Options for engines that are no cluster's."""
POD = "POD is NAME or pod/NAME, in the context's namespace unless -n is given."
POD_TYPES = ("pod", "pods", "po")
NO_FILES, FILES = 4, 0
"""What a shell adds to completions (cobra, ShellCompDirective)."""

Callback = Callable[..., Any]


class Plugin(Commands):
    """The group `cryoscope`, some commands of which take pods."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in super().list_commands(ctx) if name != "completion"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        if command is None or cmd_name not in (*TAKES_POD, "targets"):
            return command
        return _targets(command) if cmd_name == "targets" else _of_pods(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx)])
        formatter.write_paragraph()
        formatter.write_text(POD)


def _of_pods(command: click.Command) -> click.Command:
    """A command with POD, -c and -n in place of TARGET; the rest of it as it is."""
    target = next(each for each in command.params if each.name == "target")
    pod = click.Argument(
        ["pod"],
        metavar="POD" if target.required else "[POD]",
        required=target.required,
        shell_complete=_pods,
    )
    left = {each.name or "": () if each.multiple else None for each in _left_out(command)}
    kept = [pod if each is target else each for each in command.params if each.name not in left]
    added = [
        click.Option(["-c", "--container"], metavar="NAME", help="The container (default: the only one)."),
        click.Option(["-n", "--namespace"], metavar="NAME", help="The pod's namespace."),
    ]
    return _like(command, [*kept, *added], _told(command.callback or _nothing, left))


def _left_out(command: click.Command) -> list[click.Option]:
    return [each for each in command.params if each.name in ELSEWHERE and isinstance(each, click.Option)]


def _told(callback: Callback, left: dict[str, Any]) -> Callback:
    """The callback, called with the URL of a pod, and with nothing for what was left out."""

    def told(pod: str | None, container: str | None, namespace: str | None, **given: Any) -> Any:
        if pod is None and (container or namespace):
            raise UsageError("-c and -n go with a POD", hint=f"{PROGRAM} doctor POD", code="kubectl.pod")
        target = "k8s" if pod is None else _target(pod, container, namespace, given)
        return callback(target=target, **left, **given)

    return told


def _target(pod: str, container: str | None, namespace: str | None, given: dict[str, Any]) -> str:
    """The URL of a pod's container; a URL stays what it is."""
    from urllib.parse import quote

    if pod.startswith("k8s://"):
        return pod
    kind, slash, name = pod.rpartition("/")
    if slash and kind not in POD_TYPES:
        raise UsageError(
            "only pods can be captured", hint="give the name of a pod, or pod/NAME", code="kubectl.kind"
        )
    space = namespace or _namespace(given.get("kubeconfig"), given.get("context"))
    parts = [space, name] + ([container] if container else [])
    return "k8s://" + "/".join(quote(part, safe="") for part in parts)


def _namespace(kubeconfig: str | None, context: str | None) -> str:
    from cryoscope.kubeapi.config import choose

    return choose(kubeconfig, context).namespace


def _nothing(**_given: Any) -> None:
    """The callback of a command that has none."""


def _like(command: click.Command, params: list[click.Parameter], callback: Callback) -> click.Command:
    return click.Command(
        command.name,
        params=params,
        callback=callback,
        help=(command.help or "").partition("\n\n")[0] + f"\n\n{POD}",
        short_help=command.short_help,
        context_settings=command.context_settings,
    )


def _targets(command: click.Command) -> click.Command:
    """`targets` of the cluster alone, and of one namespace."""
    kept = [each for each in command.params if each.name not in ELSEWHERE]
    added = [
        click.Option(["-n", "--namespace"], metavar="NAME", help="Only this namespace."),
        click.Option(["-A", "--all-namespaces"], is_flag=True, help="All namespaces."),
    ]
    return _like(command, [*kept, *added], _listed)


def _listed(form: str, namespace: str | None, all_namespaces: bool, **given: Any) -> None:
    import msgspec

    from cryoscope.cli import output, reach_options
    from cryoscope.report.engines import containers
    from cryoscope.workflows.engines import targets

    only = None if all_namespaces else namespace or _namespace(given["kubeconfig"], given["context"])
    found = targets(reach_options.take(given), ("kubelet",))
    for at, part in enumerate(found.document.archives):
        shown = [each for each in part.containers if only in (None, each.namespace)]
        found.document.archives[at] = msgspec.structs.replace(part, containers=shown)
    output.finish(found, form, containers)


# --- completion -----------------------------------------------------------------------------


def _pods(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names of pods that begin so; none if the cluster does not answer."""
    from cryoscope.errors import CryoscopeError
    from cryoscope.kubeapi.client import connect

    try:
        with connect(ctx.params.get("kubeconfig"), ctx.params.get("context")) as client:
            pods = client.pods(ctx.params.get("namespace") or client.namespace)
            names = [str((pod.get("metadata") or {}).get("name") or "") for pod in pods]
    except CryoscopeError:
        return []
    return [name for name in names if name.startswith(incomplete)]


@click.command(cls=Plugin, help=cryoscope.help, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="cryoscope %(version)s")
def plugin() -> None:
    """The group itself does nothing."""


def main() -> None:
    """Run the plugin; the exit code is the command's."""
    run(plugin, PROGRAM)


def complete() -> None:
    """`kubectl_complete-cryoscope`: a completion a line, then what the shell may add."""
    from click.shell_completion import ShellComplete

    arguments = sys.argv[1:] or [""]
    asking = ShellComplete(plugin, {}, PROGRAM, "_CRYOSCOPE_COMPLETE")
    found = asking.get_completions(arguments[:-1], arguments[-1])
    for each in found:
        if each.type == "plain":
            click.echo(f"{each.value}\t{each.help}" if each.help else each.value)
    click.echo(f":{FILES if any(each.type != 'plain' for each in found) else NO_FILES}")
