"""Environments, command lines and the engine's own record of them, as bytes that rules can be asked about."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.process import Process, Variable
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.secrets.records import Who


class Text(NamedTuple):
    """A variable or an argument: which place it is, its name there, whose, and its bytes."""

    place: str
    name: str
    who: Who | None
    data: bytes


def texts(checkpoint: Checkpoint, pids: Sequence[int], damaged: list[Damaged]) -> Iterator[list[Text]]:
    """The variables and arguments of each process, then those of the container's own description.

    The description is of no process, so it is left out where processes are chosen.
    """
    for process in checkpoint.processes:
        if pids and process.pid not in pids:
            continue
        try:
            yield [*_arguments(process), *_variables(checkpoint, process)]
        except CryoscopeError as error:
            damaged.append(Damaged(f"pid {process.pid}", error.message, error.code))
    spec = None if pids else checkpoint.container.process
    if spec is not None:
        entries = [Text("spec", entry.partition("=")[0], None, _bytes(entry)) for entry in spec.env]
        yield entries + [Text("spec", f"args[{i}]", None, _bytes(arg)) for i, arg in enumerate(spec.args)]


def _arguments(process: Process) -> Iterator[Text]:
    who = Who(process.pid, process.comm)
    for index, argument in enumerate(process.cmdline or []):
        yield Text("cmdline", f"argv[{index}]", who, _bytes(argument))


def _variables(checkpoint: Checkpoint, process: Process) -> Iterator[Text]:
    who = Who(process.pid, process.comm)
    for variable in checkpoint.environment(process.pid) or []:
        if variable.value is not None:
            yield Text("environment", variable.name, who, _bytes(variable.name) + b"=" + _value(variable))


def _value(variable: Variable) -> bytes:
    if variable.value_base64 is not None:
        return base64.b64decode(variable.value_base64)
    return _bytes(variable.value or "")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
