"""Vetted copies of checkpoints that real engines have just made: none is refused, and the copies go on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cryoscope.checkpoint.archive import FileSource, open_archive, open_folder
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.engines.vetting import Policy, Verdict, clean_copy, vet
from lab import workloads
from lab.engines import Running
from lab.engines.containerd import Containerd
from lab.engines.podman import Podman
from lab.node import CommandFailed, Node
from taken import Take

RUNTIMES = [pytest.param(name, marks=pytest.mark.xdist_group(f"podman-{name}")) for name in ("crun", "runc")]
LOOP = workloads.Workload(
    "loop",
    "busybox",
    ("/bin/busybox", "sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done"),
    word="1",
)
"""Deletes nothing: libpod would delete what a link leads to (`engines.podman.deleted`)."""

POLICIES = {"podman-crun": "podman", "podman-runc": "podman"}
WORKLOADS = (workloads.SHELL_COUNTER, workloads.KINDS, workloads.INNOCENT, workloads.REDIS, workloads.NGINX)


def judged(path: Path, engine: str) -> tuple[Checkpoint, Verdict]:
    checkpoint = Checkpoint(open_folder(path) if path.is_dir() else open_archive(FileSource(path)))
    return checkpoint, vet(checkpoint, Policy(engine=POLICIES.get(engine, engine)))


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_no_workload_is_refused_in_the_sandbox_of_its_engine(
    engine_name: str, workload: workloads.Workload, take: Take
) -> None:
    checkpoint, verdict = judged(take(engine_name, workload).path, engine_name)
    with checkpoint:
        assert verdict.against() == []


def write(path: Path, copy: Path, engine: str) -> Verdict:
    checkpoint, verdict = judged(path, engine)
    with checkpoint, open(copy, "wb") as out:
        clean_copy(checkpoint.archive, verdict.edits, out)
    return verdict


def lines(node: Node, name: str, runtime: str) -> int:
    return len(node.run("podman", "--runtime", runtime, "logs", name).stdout.splitlines())


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_copy_goes_on_in_podman(runtime: str, podman: Callable[[str], Podman], node: Node) -> None:
    engine = podman(runtime)
    running = engine.start(LOOP)
    try:
        path = engine.checkpoint(running)
    finally:
        engine.remove(running)
    copy = path.with_suffix(".copy.tar")
    verdict = write(path, copy, engine.name)
    assert verdict.against() == []
    inside, name = f"/var/lib/lab/{copy.name}", f"copy-{runtime}-{time.monotonic_ns()}"
    node.run("podman", "--runtime", runtime, "container", "restore", "--import", inside, "--name", name)
    try:
        before = lines(node, name, runtime)
        for _ in range(50):
            if lines(node, name, runtime) > before:
                break
            time.sleep(0.2)
        assert lines(node, name, runtime) > before
    finally:
        node.run("podman", "rm", "--force", "--time", "0", name)


def checkpointed(engine: Podman, *options: str) -> Path:
    """An archive of a container that was made with other rights than usual."""
    name = f"other-{time.monotonic_ns()}"
    image = workloads.IMAGES["busybox"].reference
    always = ("--network", "none", "--log-driver", "k8s-file")
    engine.node.run("podman", "run", "-d", "--name", name, *always, *options, image, *LOOP.argv)
    try:
        pid = int(engine.node.run("podman", "inspect", "--format", "{{.State.Pid}}", name).stdout)
        return engine.checkpoint(Running(name, engine.node.pid_outside(pid), LOOP))
    finally:
        engine.node.run("podman", "rm", "--force", "--time", "0", name)


@contextlib.contextmanager
def restored(node: Node, copy: Path) -> Iterator[str]:
    """The name of a container that goes on from a copy."""
    name = f"copy-{time.monotonic_ns()}"
    node.run("podman", "container", "restore", "--import", f"/var/lib/lab/{copy.name}", "--name", name)
    try:
        yield name
    finally:
        node.run("podman", "rm", "--force", "--time", "0", name)


@pytest.mark.xdist_group("podman-crun")
def test_an_unprotected_proc_is_read_only_in_the_copy(podman: Callable[[str], Podman], node: Node) -> None:
    path = checkpointed(podman("crun"), "--security-opt", "unmask=ALL")
    copy = path.with_suffix(".copy.tar")
    found = {claim.code: (claim.weight, claim.cleaned) for claim in write(path, copy, "podman").claims}
    assert found["criu.mount-unprotected"] == ("hard", True)
    script = "echo x > /proc/sys/kernel/domainname"
    with restored(node, copy) as name, pytest.raises(CommandFailed, match="Read-only"):
        node.run("podman", "exec", name, "/bin/busybox", "sh", "-c", script)


@pytest.mark.xdist_group("podman-crun")
def test_capabilities_beyond_the_policy_are_gone_in_the_copy(
    podman: Callable[[str], Podman], node: Node
) -> None:
    path = checkpointed(podman("crun"), "--cap-add", "NET_ADMIN")
    copy = path.with_suffix(".copy.tar")
    cleaned = {claim.code for claim in write(path, copy, "podman").claims if claim.cleaned}
    assert cleaned == {"spec.capabilities", "criu.capabilities"}
    with restored(node, copy) as name:
        status = node.run("podman", "exec", name, "/bin/busybox", "cat", "/proc/1/status").stdout
    held = {line.split()[0]: int(line.split()[1], 16) for line in status.splitlines() if line[:3] == "Cap"}
    assert held["CapEff:"]
    assert not any(mask >> 12 & 1 for mask in held.values()), held


@pytest.mark.xdist_group("containerd")
def test_a_copy_goes_on_in_containerd(containerd: Containerd) -> None:
    running = containerd.start(workloads.SHELL_COUNTER)
    try:
        path = containerd.checkpoint(running)
    finally:
        containerd.remove(running)
    copy = path.with_suffix(".copy.tar")
    assert write(path, copy, "containerd").against() == []
    restored = containerd.restore(copy, workloads.SHELL_COUNTER)
    containerd.remove(restored)
