"""A service that starts with the system: units of systemd, init scripts, rc.local."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.known.files import written
from cryoscope.examine.findings.known.settings import judged
from cryoscope.examine.findings.scene import Scene

PATHS = re.compile(
    r"/(?:etc|usr/lib|lib|usr/local/lib|run)/systemd/(?:system|user|system-generators)/"
    r"|/(?:root|home/[^/]+)/\.(?:config|local/share)/systemd/user/"
    r"|/etc/(?:init\.d/|rc\.local$|rc\.d/|local\.d/|inittab$|init/[^/]+\.conf$|update\.d/|runit/|sv/[^/]+/run$)"
)
GENERATED = re.compile(
    r"/run/systemd/(?:system/(?:session|user)-|generator)|/etc/init\.d/(?:README|\.depend)"
)


def look(scene: Scene) -> Iterator[Suspicion]:
    """Descriptions of services that the container wrote; what systemd makes itself is left out."""
    for entry in written(scene):
        if PATHS.match(entry.path) and not GENERATED.match(entry.path):
            yield judged(scene, entry, "a service", "medium")


DETECTOR = Detector(
    name="service-unit",
    title="Services were added or changed",
    severity="medium",
    why="A unit or init script starts its program at every boot. Few containers run an init that reads "
    "them, so one that is written in a container is often meant for the host behind a mount.",
    next=[
        "cryoscope fs cat ARCHIVE PATH shows the unit: look at ExecStart and its kin",
        "cryoscope mounts ARCHIVE: is the folder the host's?",
    ],
    techniques=["T1543.002", "T1037.004"],
    references=[
        "MITRE ATT&CK T1543.002, Create or Modify System Process: Systemd Service",
        "systemd.unit(5)",
    ],
    look=look,
)
