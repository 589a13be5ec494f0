"""Containers in which nobody did any harm: nothing there may be called severe, and few detectors may speak.

Of the archives in tests/data it is said which detectors speak of at least medium severity: one more is a
detector that has become louder, and is looked at before its name is written down.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cryoscope.errors import NotACheckpoint
from cryoscope.examine.findings import SEVERITIES, FindingsResult, find_findings
from cryoscope.workflows.open import open_checkpoint
from tests.examine.findings.scenes import Fd, Proc, container, inet, severities

MEDIUM = SEVERITIES.index("medium")
ENTRY_POINT = {"account-files"}
"""Its entry point writes /etc/passwd, of which the base is not known."""

SPEAKING: dict[str, set[str]] = {
    "containerd-counter.tar": ENTRY_POINT,
    "containerd-looper.tar": {"host-namespaces"},  # its pod is on the host's network
    "crio-counter.tar": ENTRY_POINT,
    "criu-incremental.tar.zst": set(),
    "ctr-image.tar": set(),
    "docker-looper": {"host-namespaces"},  # it ran with --network=host
    "podman-image.oci.tar": set(),
    "podman-kitchen-sink.tar.zst": set(),
    "podman-looper-criu41.tar": set(),
    "podman-looper-crun.tar": set(),
    "podman-looper-crun.tar.gz": set(),
    "truncated-by-full-disk.tar": set(),
}
FOLDERS = {"docker-looper"}
SUFFIXES = (".tar", ".tar.gz", ".tar.zst")


def scanned(path: Path) -> FindingsResult:
    with open_checkpoint(str(path), stacks=True) as checkpoint:
        result = find_findings(checkpoint)
    assert result.notes == []
    return result


def archives(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.name.endswith(SUFFIXES))


def test_every_archive_is_in_the_table(data: Path) -> None:
    assert {path.name for path in data.glob("*.tar*")} | FOLDERS == SPEAKING.keys()


@pytest.mark.parametrize("name", SPEAKING)
def test_what_speaks_of_the_archives_that_the_repository_ships(name: str, data: Path) -> None:
    found = scanned(data / name).findings
    loud = {each.detector: each.severity for each in found if SEVERITIES.index(each.severity) >= MEDIUM}
    assert loud == dict.fromkeys(SPEAKING[name], "medium")


def test_nothing_in_the_corpus_is_severe(corpus: Path) -> None:
    severe, asked = [], 0
    for path in archives(corpus):
        try:
            found = scanned(path).findings
        except NotACheckpoint:
            continue
        asked += 1
        severe += [(path.name, each.detector) for each in found if each.severity == "high"]
    assert asked > 0
    assert severe == []


# --- what is between decent and severe ------------------------------------------------------
HERE, THERE = ("10.88.0.2", 9100), ("192.0.2.7", 40123)
CAME_IN = dict.fromkeys((0, 1), inet(THERE, HERE))
WENT_OUT = dict.fromkeys((0, 1), inet(THERE, ("10.88.0.2", 51234)))


def served(argv: str, fds: dict[int, Fd], listening: int = HERE[1]) -> list[tuple[str, str]]:
    """What is said of a shell below a server of somebody's own."""
    server = Proc(1, ["server"], fds={3: inet(None, ("0.0.0.0", listening), state=10)})
    shell = Proc(7, argv.split(), exe="/bin/dash", comm="sh", fds=fds)
    return severities(container(server, shell), "reverse-shell")


def test_a_script_that_answers_whoever_comes_to_its_servers_port() -> None:
    assert served("sh /srv/answer.sh", CAME_IN) == [("reverse-shell", "medium")]


@pytest.mark.parametrize(
    ("argv", "fds", "listening"),
    [
        ("sh", CAME_IN, HERE[1]),  # a shell behind a port: whoever comes types commands
        ("sh -i", CAME_IN, HERE[1]),
        ("sh -c id", CAME_IN, HERE[1]),
        ("sh /srv/answer.sh", CAME_IN, 8080),
        ("sh /srv/answer.sh", WENT_OUT, HERE[1]),
    ],
)
def test_what_a_script_behind_a_port_is_not(argv: str, fds: dict[int, Fd], listening: int) -> None:
    assert served(argv, fds, listening) == [("reverse-shell", "high")]


@pytest.mark.parametrize("name", ["root", "toor", "backup2"])
def test_a_second_root_is_severe_by_any_name_but_the_first(name: str) -> None:
    lines = f"root:x:0:0:root:/root:/bin/sh\n{name}:x:0:0::/root:/bin/sh\n"
    checkpoint = container(Proc(1, ["server"]), rootfs={"/etc/passwd": lines.encode()})
    expected = "medium" if name == "root" else "high"
    assert severities(checkpoint, "account-files") == [("account-files", expected)]
