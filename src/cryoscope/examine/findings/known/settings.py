"""Files that say what is run: who put them there, and whether what they run gives an attacker away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryoscope import limits
from cryoscope.examine.findings.detector import Suspicion
from cryoscope.examine.findings.evidence import of_file, shown
from cryoscope.examine.findings.known.commands import hostile, runs_temporary
from cryoscope.examine.findings.known.files import lines
from cryoscope.examine.findings.known.packages import packages

if TYPE_CHECKING:
    from cryoscope.checkpoint.rootfs import FileEntry
    from cryoscope.examine.findings.scene import Scene


def judged(scene: Scene, entry: FileEntry, what: str, usual: str) -> Suspicion:
    """A file of commands: low where a package brought it, high where a line is an attacker's."""
    data = scene.content(entry, limits.FINDING_COMMANDS)
    for command, found in hostile(data):
        if command.severity != "low":
            severe = command.severity == "high" or command.name.startswith("download")
            evidence = of_file(entry, f"{what}: {command.what}", text=shown(found))
            return Suspicion([evidence], "high" if severe else "medium")
    said = lines(data)
    for line in said:
        if runs_temporary(line):
            text = f"{what}: runs a program in a folder that everybody may write to"
            return Suspicion([of_file(entry, text, text=shown(line))], "high")
    text = shown("; ".join(said[-3:]))
    if packages(scene).brought(entry):
        return Suspicion([of_file(entry, f"{what}, as a package has it", text=text)], "low")
    return Suspicion([of_file(entry, what, text=text)], usual)
