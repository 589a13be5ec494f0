"""Commands that run whenever somebody opens a shell."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.known.files import written
from cryoscope.examine.findings.known.settings import judged
from cryoscope.examine.findings.scene import Scene

PATHS = re.compile(
    r"/etc/(?:profile$|profile\.d/|bash\.bashrc$|bashrc$|bash\.bash_logout$|environment$|zsh/|zshrc$|zprofile$|csh\.)"
    r"|/(?:.+/)?\.(?:bashrc|bash_profile|bash_login|bash_logout|bash_aliases|profile|zshrc|zshenv|zprofile|zlogin"
    r"|kshrc|cshrc|tcshrc|login|vimrc|inputrc)$"
    r"|/(?:.+/)?\.config/fish/config\.fish$"
)


def look(scene: Scene) -> Iterator[Suspicion]:
    """Start-up files of shells that the container wrote."""
    for entry in written(scene):
        if PATHS.match(entry.path):
            yield judged(scene, entry, "runs with every shell", "low")


DETECTOR = Detector(
    name="shell-startup",
    title="Start-up files of shells were changed",
    severity="low",
    why="Administrators who look into a container run what these files say before their first prompt. "
    "Tools that are installed at run time write them too, mostly a line for PATH.",
    next=[
        (
            "cryoscope fs cat ARCHIVE PATH: look for aliases of sudo and ssh, and for commands in the "
            "background"
        ),
    ],
    techniques=["T1546.004"],
    references=[
        "MITRE ATT&CK T1546.004, Event Triggered Execution: Unix Shell Configuration Modification",
    ],
    look=look,
)
