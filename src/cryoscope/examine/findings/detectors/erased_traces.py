"""Traces that were taken away: histories that lead nowhere, logs that are empty or gone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_file, of_process
from cryoscope.examine.findings.known.files import fresh, links, written
from cryoscope.examine.findings.scene import Scene

HISTORY = re.compile(r"/(?:.+/)?\.(?:bash|ash|zsh|sh|ksh|fish|python|mysql|psql|rediscli)_?(?:history|hist)$")
LOGS = re.compile(r"/var/log/(?:.+/)?(?:wtmp|btmp|lastlog|utmp|auth\.log|secure|messages|syslog|audit\.log)$")
LOG = re.compile(r"/var/log/")
ROUTINE = re.compile(
    r"/var/log/(?:apt|dpkg\.log|alternatives\.log|bootstrap\.log|faillog|dnf|yum|fontconfig)"
)
SILENT = {"HISTFILE": ("", "/dev/null"), "HISTSIZE": ("0",), "HISTFILESIZE": ("0",)}


def look(scene: Scene) -> Iterator[Suspicion]:
    """Histories, logs, and environments that keep a shell from remembering."""
    yield from _linked(scene)
    yield from _emptied(scene)
    yield from _deleted(scene)
    yield from _told(scene)


def _linked(scene: Scene) -> Iterator[Suspicion]:
    for entry in links(scene):
        if entry.link == "/dev/null" and (HISTORY.match(entry.path) or LOGS.match(entry.path)):
            yield Suspicion([of_file(entry, "leads to /dev/null", text=f"-> {entry.link}")])


def _emptied(scene: Scene) -> Iterator[Suspicion]:
    title = "A history or a log of logins is empty"
    for entry in written(scene):
        asked = HISTORY.match(entry.path) or LOGS.match(entry.path)
        if asked and entry.size == 0 and fresh(scene, entry):
            yield Suspicion([of_file(entry, "was emptied, or made empty")], "low", title)


def _deleted(scene: Scene) -> Iterator[Suspicion]:
    for entry in scene.files:
        if entry.change != "deleted" or ROUTINE.match(entry.path):
            continue
        if HISTORY.match(entry.path) or LOG.match(entry.path):
            yield Suspicion([of_file(entry, "was deleted")], "low", "Logs or histories were deleted")


def _told(scene: Scene) -> Iterator[Suspicion]:
    title = "A process was told to keep no history"
    for process in scene.processes:
        environment = scene.environment(process.pid)
        for name, values in SILENT.items():
            if environment.get(name, "-") in values:
                text = f"{name}={environment[name]}"
                yield Suspicion([of_process(process, "is told to remember nothing", text=text)], "low", title)


DETECTOR = Detector(
    name="erased-traces",
    title="A history or a log leads to /dev/null",
    severity="medium",
    why="Who links a history to /dev/null or empties the logs of logins does not want it known what was "
    "typed. Programs link their own logs to the container's output instead.",
    next=[
        "cryoscope bash-history ARCHIVE: what a shell still remembers is in its memory",
        "cryoscope timeline ARCHIVE shows what else happened at that time",
    ],
    techniques=["T1070.002", "T1070.003", "T1562.003"],
    references=[
        "MITRE ATT&CK T1070.003, Indicator Removal: Clear Command History",
    ],
    look=look,
)
