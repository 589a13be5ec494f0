"""What only some machines and engines can do: each test asks first, and is skipped with the answer."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import pytest

from cryoscope.errors import CryoscopeError
from cryoscope.workflows.open import open_checkpoint
from lab import probe, workloads
from lab.engines.criu import Criu
from lab.engines.podman import Podman
from lab.node import Node
from lab.workloads import HEAP, SHELL_COUNTER, Workload

pytestmark = pytest.mark.xdist_group("criu")


def need(node: Node, ability: Callable[[Node], str | None]) -> None:
    """Skip with the reason of whoever refuses."""
    if reason := ability(node):
        pytest.skip(reason)


def test_pages_of_an_incremental_dump_are_found_in_its_parent(node: Node, criu: Criu) -> None:
    need(node, probe.memory_tracking)
    running = criu.start(HEAP)
    try:
        first = criu.checkpoint(running, "--track-mem")
        second = criu.checkpoint(running, "--track-mem", "--prev-images-dir", f"../{first.name}")
    finally:
        criu.remove(running)
    with open_checkpoint(str(first)) as whole, open_checkpoint(str(second)) as changed:
        (pid,) = (process.pid for process in changed.processes)
        space, full = changed.memory(pid), whole.memory(pid)
        assert space is not None
        assert full is not None
        assert sum(vma.parent for vma in space.vmas) > 1000
        for vma in space.vmas:
            for run in space.runs(vma.start, vma.size):
                if run.state == "parent":
                    assert space.read(run.start, 4096) == full.read(run.start, 4096)


def test_a_process_of_another_user(node: Node, criu: Criu) -> None:
    need(node, probe.foreign_users)
    user = ("setpriv", "--reuid=1000", "--regid=1000", "--clear-groups")
    running = criu.start(Workload("user", "busybox", (*user, "sh", "-c", "echo ready; exec sleep 10000")))
    try:
        with open_checkpoint(str(criu.checkpoint(running))) as checkpoint:
            credentials = checkpoint.processes[0].credentials
            assert credentials is not None
            assert credentials.uid == 1000
    finally:
        criu.remove(running)


def test_compressed_pages_are_refused_with_a_reason(node: Node, criu: Criu) -> None:
    need(node, probe.compressed_pages)
    running = criu.start(HEAP)
    try:
        with (
            pytest.raises(CryoscopeError),
            open_checkpoint(str(criu.checkpoint(running, "--compress"))) as found,
        ):
            found.processes  # noqa: B018
    finally:
        criu.remove(running)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_compressed_archives(podman: Callable[[str], Podman], compression: str) -> None:
    engine = podman("crun")
    running = engine.start(workloads.THREADS)
    try:
        plain, packed = engine.checkpoint(running), engine.checkpoint(running, "--compress", compression)
    finally:
        engine.remove(running)
    with open_checkpoint(str(plain)) as one, open_checkpoint(str(packed)) as other:
        assert other.archive.form == f"tar+{compression}"
        assert other.processes == one.processes


def test_what_was_ignored_is_not_there(podman: Callable[[str], Podman]) -> None:
    engine = podman("crun")
    running = engine.start(SHELL_COUNTER)
    try:
        whole, bare = engine.checkpoint(running), engine.checkpoint(running, "--ignore-rootfs")
    finally:
        engine.remove(running)
    with open_checkpoint(str(whole)) as one, open_checkpoint(str(bare)) as other:
        assert {"/log", "/newfile", "/usr/bin/nc"} <= {change.path for change in one.changes}
        assert other.changes == []


def test_the_probes_say_why(node: Node) -> None:
    """A reason is one line that names who gave it."""
    for ability in (probe.memory_tracking, probe.foreign_users, probe.compressed_pages):
        reason = ability(node)
        assert reason is None or (len(reason) > 20 and "\n" not in reason)
    done = node.run("criu", "check", "--feature", "no-such-feature", check=False)
    assert done.returncode, shlex.join(done.args)
