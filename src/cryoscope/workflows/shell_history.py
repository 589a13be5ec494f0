"""`bash-history`: the commands that were typed into the shells of each archive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import Damaged
from cryoscope.examine.shell_history import Command, shell_history
from cryoscope.text import readable
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, Asking, answer, each
from cryoscope.workflows.masking import Masker
from cryoscope.workflows.open import open_at


class HistoryPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `bash-history`; `notes` says what was left out."""

    commands: list[Command]
    notes: list[str] = []

    def rows(self) -> list[Any]:
        return list(self.commands)


def history_of(targets: Sequence[str], pids: Sequence[int], asking: Asking) -> Answer:
    """The commands in each target; secrets in them are masked as in command lines."""

    def read(target: str) -> tuple[HistoryPart, list[Damaged]]:
        with open_at(
            target, cache=asking.cache, access=asking.access, progress=asking.progress(target)
        ) as archive:
            checkpoint = Checkpoint(archive)
            found = shell_history(checkpoint, pids=pids)
            commands = [_masked(command, asking.masker) for command in found.commands]
            notes = [readable(note) for note in found.notes]
            part = HistoryPart(archive=readable(target), commands=commands, notes=notes)
            return part, list(dict.fromkeys([*checkpoint.damaged, *found.damaged]))

    return answer("shell-history", *each(targets, read))


def _masked(command: Command, masker: Masker) -> Command:
    """Options such as `--password VALUE` are two words in a command line, and words here."""
    words = masker.arguments(command.command.split(" "))
    text = masker.text(" ".join(words))
    if text == command.command:
        return command
    return msgspec.structs.replace(command, command=text, command_base64=None)
