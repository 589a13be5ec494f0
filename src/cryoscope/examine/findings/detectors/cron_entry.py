"""A command that somebody else will run later: cron, anacron, at."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.known.files import written
from cryoscope.examine.findings.known.settings import judged
from cryoscope.examine.findings.scene import Scene

PATHS = re.compile(
    r"/etc/(?:crontab$|anacrontab$|crontabs/|cron\.(?:d|hourly|daily|weekly|monthly)/|periodic/[^/]+/)"
    r"|/var/spool/(?:cron/(?!atspool)|at/(?!spool/))|/var/spool/cron/atjobs/"
)
IGNORED = re.compile(r"/(?:\.placeholder|\.SEQ|cron\.update)$")


def look(scene: Scene) -> Iterator[Suspicion]:
    """Tables and scripts of timed commands that the container wrote."""
    for entry in written(scene):
        if PATHS.match(entry.path) and not IGNORED.search(entry.path):
            yield judged(scene, entry, "a timed command", "medium")


DETECTOR = Detector(
    name="cron-entry",
    title="Timed commands were added or changed",
    severity="medium",
    why="What cron starts comes back after its process was ended, and on every start of the container "
    "where the file lies in a volume or on the host. It is high where the command itself is an "
    "attacker's.",
    next=[
        "cryoscope fs cat ARCHIVE PATH shows the table",
        (
            "look whether a cron runs at all (cryoscope ps): if not, the folder may be the host's "
            "(cryoscope mounts)"
        ),
    ],
    techniques=["T1053.003", "T1053.002"],
    references=[
        "MITRE ATT&CK T1053.003, Scheduled Task/Job: Cron",
        "crontab(5), at(1)",
    ],
    look=look,
)
