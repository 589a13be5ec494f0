"""The command line: parses, calls a workflow, draws what comes back.

A command is one module of this package; `COMMANDS` names it with its one line of help, so that
`--help` imports none of them.  Exit codes: 0 ok, 1 error, 2 usage, 3 opened with damage, 4 refused,
5 incomplete (see docs/exit-codes.md).
"""

from __future__ import annotations

import gc
import io
import signal
import sys

gc.set_threshold(50_000)  # a run makes few cycles: looking for them is a tenth of the start-up

import click  # noqa: E402

from cryoscope import __version__  # noqa: E402
from cryoscope.cli.lazy import LazyGroup, nobody_reads  # noqa: E402

COMMANDS = {
    "targets": "What can be captured here: every engine's containers.",
    "capture": "Take a checkpoint of a running container, on any engine.",
    "collect": "Bring an archive here that a kubelet left on its node.",
    "restore": "Let a checkpoint go on, in a sandbox unless --live.",
    "doctor": "What works here for capture and restore, what does not, and the cure.",
    "case": "Evidence: sealed, encrypted if wished, every access written down.",
    "image": "Checkpoints as OCI images: build, push, pull, look into.",
    "compare": "What changed in a running container since its checkpoint.",
    "show": "What each checkpoint is: container, image, engine, sizes.",
    "list": "The checkpoints in a folder (default: the kubelet's).",
    "inspect": "Everything in a checkpoint as a tree: processes, files, sockets, metadata.",
    "ps": "The processes that were running, as a tree.",
    "env": "The environment of each process.",
    "files": "Open files of each process, deleted ones included.",
    "sockets": "Sockets of every family, their state and who held them.",
    "maps": "Memory mappings of each process, with dumped and missing pages.",
    "report": "One page that tells it all, for people: findings, processes, files, timeline.",
    "scan": "What is suspicious, why, and what to look at next.",
    "diff": "What is different between checkpoints, memory page by page.",
    "search": "Search memory, queues, deleted and changed files for texts and patterns.",
    "yara": "YARA rules over memory, queues, deleted and changed files.",
    "secrets": "Keys, tokens, passwords and card numbers, wherever they are.",
    "indicators": "URLs, IP addresses, e-mail addresses and domain names in memory.",
    "iocs": "Indicators of compromise, and YARA and Sigma rules that look for them.",
    "bash-history": "Commands typed into shells, from their memory and their files.",
    "timeline": "What happened when: every time in a checkpoint, with what it means.",
    "memory": "Sizes of each process's memory: mapped, dumped, shared, missing.",
    "strings": "Printable strings in memory, with their addresses.",
    "hexdump": "Memory of a process byte by byte.",
    "extract": "Memory of a process as files: mappings, ranges, mapped files.",
    "fs": "Files that the container wrote, deleted or held: list, read, extract, compare.",
    "mounts": "Mounts, and which of them came from outside the container.",
    "log": "The container's own output, or CRIU's log.",
    "ls": "The members of an archive.",
    "cat": "The contents of members of an archive.",
    "core": "Processes as core files, for gdb.",
    "stack": "Where every thread stood: functions, and frames of Python.",
    "info": "Kind and number of entries of CRIU images.",
    "decode": "CRIU images as JSON, in crit's form.",
    "encode": "CRIU images back from that JSON.",
    "cache": "The cache of member indexes: where, how large, clear it.",
    "completion": "Print a completion script for your shell.",
}


class Commands(LazyGroup):
    package, lines = "cryoscope.cli", COMMANDS


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="cryoscope %(version)s")
@click.option(
    "--reason",
    metavar="TEXT",
    expose_value=False,
    callback=lambda context, _option, text: context.meta.update({"cryoscope.reason": text or ""}),
    help="Why: for the custody log, where evidence is used. Also $CRYOSCOPE_REASON.",
)
def cryoscope() -> None:
    """Look inside a frozen container.

    ARCHIVE is a checkpoint by any engine: a tar of the kubelet, CRI-O, containerd or Podman (plain
    or compressed), a Docker or CRIU folder, an OCI image layout, or - for standard input.
    """


def main() -> None:
    """Run the command line."""
    run(cryoscope, "cryoscope")


def run(group: click.Group, program: str) -> None:
    """Run a group; every error ends as one line of what happened and one of what to do."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # An end that is asked for is an interrupt: what a command made is taken away before it goes.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = group.main(standalone_mode=False, prog_name=program)
        sys.stdout.flush()
    except BrokenPipeError:
        code = nobody_reads()
    except BaseException as error:
        from cryoscope.cli.failure import report

        code = report(error)
        try:
            sys.stdout.flush()
        except OSError:  # what could not be written must not be tried again at exit
            nobody_reads()
    sys.exit(code if isinstance(code, int) else 0)
