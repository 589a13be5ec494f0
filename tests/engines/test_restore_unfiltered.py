"""A process that was dumped without a seccomp filter comes back without one, whatever is asked for it.

That is why vetting weighs it as it does: no runtime puts its own profile on what CRIU restores.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import containerd_kit as kit
import podman_kit
from cryoscope.engines.port import SOFT, RestoreOptions
from cryoscope.engines.vetting import Policy, clean_copy, vet
from cryoscope.workflows.open import open_checkpoint
from lab.engines import Running
from lab.engines.containerd import Containerd
from lab.engines.podman import Podman

IMAGE = "localhost/workloads:lab"
SLEEPS = ["sh", "-c", "echo ready; while :; do sleep 0.2; done"]


def filtered(pid: int) -> str:
    """`Seccomp` of /proc/PID/status: 0 none, 2 a filter (proc(5))."""
    rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(row.split()[1] for row in rows if row.startswith("Seccomp:"))


def weights(path: Path, engine: str) -> set[str]:
    with open_checkpoint(str(path)) as checkpoint:
        claims = vet(checkpoint, Policy(engine=engine)).claims
    return {claim.weight for claim in claims if claim.code == "criu.seccomp-none"}


@pytest.mark.xdist_group("containerd")
def test_containerd_restores_it_without_a_filter_though_asked_for_its_own_profile(
    containerd: Containerd, tmp_path: Path
) -> None:
    path = tmp_path / "a.tar"
    image = containerd._image("busybox")
    with kit.mounted(containerd, image, SLEEPS, {}) as running:
        assert filtered(running.pid) == "0"
        kit.capture(containerd, running, path)
    assert weights(path, "cri") == {SOFT}
    with kit.restored(containerd, path, name="unfiltered") as done:
        assert done.pid is not None
        assert filtered(containerd.node.pid_outside(done.pid)) == "0"


@pytest.mark.parametrize(
    "runtime",
    [pytest.param(each, marks=pytest.mark.xdist_group(f"podman-{each}")) for each in ("crun", "runc")],
)
def test_podman_restores_it_without_a_filter_too(
    podman: Callable[[str], Podman], runtime: str, tmp_path: Path
) -> None:
    lab, name, path = podman(runtime), f"unconfined-{runtime}", tmp_path / "a.tar"
    made = ("--security-opt", "seccomp=unconfined", "--network", "none", "--name", name)
    argv = ("podman", "--runtime", runtime, "run", "--detach", *made, IMAGE, *SLEEPS)
    lab.node.run(*argv)
    try:
        pid = int(lab.node.run("podman", "inspect", "--format", "{{.State.Pid}}", name).stdout)
        running = Running(name, lab.node.pid_outside(pid), podman_kit.REMEMBERS)
        assert filtered(running.pid) == "0"
        podman_kit.capture(lab, running, path)
    finally:
        lab.node.run("podman", "rm", "--force", "--time", "0", name)
    assert weights(path, "podman") == {SOFT}
    engine, wanted = podman_kit.driver(lab), RestoreOptions(name=f"{name}-again")
    copy = tmp_path / "copy.tar"
    with open_checkpoint(str(path)) as checkpoint:
        with open(copy, "xb") as to:
            clean_copy(checkpoint.archive, engine.edits(checkpoint, wanted), to)
        done = engine.restore(str(copy), checkpoint, wanted)
    try:
        assert filtered(lab.node.pid_outside(done.pid)) == "0"
    finally:
        lab.node.run(*done.remove.split(), "--time", "0")
