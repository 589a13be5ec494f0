"""Packages that were installed while the container ran."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_file
from cryoscope.examine.findings.known.packages import packages
from cryoscope.examine.findings.scene import Scene


def look(scene: Scene) -> Iterator[Suspicion]:
    """Changed databases of package managers."""
    for entry in packages(scene).changed:
        yield Suspicion([of_file(entry, "the database of a package manager was written")])


DETECTOR = Detector(
    name="package-installed",
    title="Packages were installed while the container ran",
    severity="info",
    why="The container is no longer what its image says. Other findings about files of these packages "
    "are judged milder for it, where the database's digests fit.",
    next=[
        ("cryoscope fs ls ARCHIVE '/var/lib/dpkg/info/*' (or /lib/apk/db, /var/lib/rpm) names the packages"),
    ],
    techniques=["T1105"],
    references=[
        "dpkg(1), apk(5), rpm(8)",
    ],
    look=look,
)
