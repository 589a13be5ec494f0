"""`restore --to podman --live --mount PATH=SOURCE`: a folder of the user in place of the archive's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import podman_kit as kit
from cryoscope.engines.host import Host
from cryoscope.engines.port import Reach, RestoreOptions
from cryoscope.errors import UsageError
from cryoscope.workflows.restore import Restoring, restore
from lab.engines import Running
from lab.engines.podman import Podman

pytestmark = pytest.mark.xdist_group("podman-crun")
IMAGE = "localhost/workloads:lab"
PLACE = "/var/lib/lab/declared"


@pytest.fixture
def archive(podman: Callable[[str], Podman], tmp_path: Path) -> tuple[Podman, Path]:
    """A checkpoint of a container with a folder of the host."""
    lab, path = podman("crun"), tmp_path / "a.tar"
    lab.node.sh(f"mkdir -p {PLACE}/old {PLACE}/new; echo old > {PLACE}/old/file; echo new > {PLACE}/new/file")
    made = ("--network", "none", "--name", "declared", "-v", f"{PLACE}/old:/hosted")
    argv = ("sh", "-c", "echo ready; while :; do sleep 0.2; done")
    lab.node.run("podman", "--runtime", "crun", "run", "--detach", *made, IMAGE, *argv)
    try:
        pid = int(lab.node.run("podman", "inspect", "--format", "{{.State.Pid}}", "declared").stdout)
        kit.capture(lab, Running("declared", lab.node.pid_outside(pid), kit.REMEMBERS), path)
    finally:
        lab.node.run("podman", "rm", "--force", "--time", "0", "declared")
    return lab, path


def restoring(lab: Podman, *, live: bool, mounts: dict[str, str]) -> tuple[Reach, Restoring]:
    reach = Reach(host=Host(lab.node.pid), endpoint="unix:///run/podman-crun.sock")
    options = RestoreOptions(name="declared-again", live=live)
    return reach, Restoring(options=options, to="podman", mounts=mounts, trust_archive=True, force=True)


def test_the_declared_folder_takes_the_place_of_the_archives(archive: tuple[Podman, Path]) -> None:
    lab, path = archive
    answer = restore(str(path), *restoring(lab, live=True, mounts={"/hosted": f"{PLACE}/new"}))
    assert answer.failures == []
    [done] = answer.document.archives[0].restored
    try:
        assert lab.node.run("podman", "exec", done.name, "cat", "/hosted/file").stdout == "new\n"
        codes = {each.code for each in answer.document.archives[0].concerns}
        assert "mount.host-path" not in codes
    finally:
        lab.node.run(*done.remove.split(), "--time", "0")


@pytest.mark.parametrize(
    ("live", "mounts", "code"),
    [
        (False, {"/hosted": f"{PLACE}/new"}, "restore.option"),
        (True, {"/elsewhere": f"{PLACE}/new"}, "restore.mount"),
        (True, {"/hosted": "relative"}, "restore.mount"),
        (True, {"/hosted": f"{PLACE}/../x"}, "restore.mount"),
    ],
)
def test_what_cannot_be_mounted_is_usage(
    archive: tuple[Podman, Path], live: bool, mounts: dict[str, str], code: str
) -> None:
    lab, path = archive
    answer = restore(str(path), *restoring(lab, live=live, mounts=mounts))
    [(_, error)] = answer.failures
    assert isinstance(error, UsageError)
    assert error.code == code
