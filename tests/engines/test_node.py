"""A node leaves nothing behind, however it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import cgroups
from lab.errors import LabError
from lab.node import CommandFailed, Node

OWNER = """
import sys, time
from lab.node import Node
node = Node()
node.sh("podman create --rootfs /usr /bin/true > /dev/null; ip link add there type bridge; ip netns add left")
node.sh("mkdir -p /sys/fs/cgroup/memory/deep/er; sleep 1000 > /dev/null 2>&1 & disown")
node.sh("setsid sh -c 'echo $$ > /sys/fs/cgroup/memory/deep/er/cgroup.procs; exec sleep 1000' "
        "< /dev/null > /dev/null 2>&1 & sleep 0.2")
print(node.name, node.keeper, node.pid, flush=True)
time.sleep(1000)
"""
"""A run of the lab in a process of its own, with daemons, links, a network namespace and deep cgroups."""


class Owner:
    """A process that owns a node: its number, and those of the node's keeper and first process."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", OWNER]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.name, keeper, first = self.process.stdout.readline().split()
        self.keeper, self.first = int(keeper), int(first)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def owner(node: Node) -> Iterator[Owner]:
    found = Owner()
    yield found
    found.kill()
    found.process.stdout.close()  # type: ignore[union-attr]


def left(name: str) -> list[str]:
    """What is there of a node: its cgroups, and processes in them."""
    found = [str(group) for group in cgroups.groups_of(name)]
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if name in (folder / "cgroup").read_text():
                found.append(f"{folder} {(folder / 'comm').read_text()}")
        except OSError:
            continue
    return found


def outside() -> list[list[str]]:
    """The host's own mounts, links and named network namespaces."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    netns = Path("/run/netns")
    return [mounts, os.listdir("/sys/class/net"), sorted(os.listdir(netns)) if netns.is_dir() else []]


def nothing_left(name: str) -> None:
    deadline = time.monotonic() + 20
    while left(name) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left(name) == []


def test_stopped(node: Node) -> None:
    before = outside()
    with Node() as other:
        other.sh("ip link add there type bridge; mkdir /sys/fs/cgroup/pids/deep")
        other.sh("sleep 1000 > /dev/null 2>&1 & disown")
        assert len(left(other.name)) > len(cgroups.groups_of(other.name)) > 0
        assert outside() == before
    assert left(other.name) == []
    assert outside() == before


def test_the_owner_is_killed(owner: Owner) -> None:
    before = outside()
    assert left(owner.name)
    owner.kill()
    nothing_left(owner.name)
    assert outside() == before


def test_owner_and_keeper_are_killed_and_the_next_node_sweeps(owner: Owner) -> None:
    os.kill(owner.keeper, signal.SIGKILL)
    owner.kill()
    deadline = time.monotonic() + 20
    while any(line.startswith("/proc") for line in left(owner.name)) and time.monotonic() < deadline:
        time.sleep(0.1)
    groups = left(owner.name)
    assert all(line.startswith("/sys/fs/cgroup") for line in groups), groups
    with Node():
        assert left(owner.name) == []


def test_a_stopped_node_is_swept_when_all_who_kept_it_are_gone(owner: Owner) -> None:
    """Its first process cannot see the end of its owner: the sweep ends it."""
    os.kill(owner.first, signal.SIGSTOP)
    os.kill(owner.keeper, signal.SIGKILL)
    owner.kill()
    assert any(line.startswith("/proc") for line in left(owner.name))
    assert cgroups.sweep() == []
    nothing_left(owner.name)


def test_the_keeper_is_killed_and_the_owner_goes_on(node: Node) -> None:
    with Node() as other:
        os.kill(other.keeper, signal.SIGKILL)
        assert cgroups.sweep() == []
        assert other.run("true").returncode == 0
    nothing_left(other.name)  # the machine's first process reaps it


def test_the_sweep_leaves_living_nodes_alone(node: Node) -> None:
    assert cgroups.sweep() == []
    assert node.run("true").returncode == 0


def test_no_descriptor_is_inherited(node: Node) -> None:
    with open(__file__, "rb") as file:
        os.set_inheritable(file.fileno(), True)
        listed = node.sh("ls -l /proc/self/fd")
    assert Path(__file__).name not in listed
    numbers = {int(line.split()[-3]) for line in listed.splitlines() if "->" in line}
    assert numbers <= {0, 1, 2, 3}  # 3: the folder that ls reads


def test_the_root_cannot_be_written(node: Node) -> None:
    with pytest.raises(CommandFailed, match="Read-only"):
        node.sh("touch /usr/written")
    node.sh("touch /etc/written /var/lib/written /run/written /tmp/written")


def test_each_has_its_own_memory_names_and_network(node: Node) -> None:
    with Node() as other:
        other.sh("echo other > /tmp/whose; echo other > /dev/shm/whose; hostname other")
        assert node.run("cat", "/tmp/whose", "/dev/shm/whose", check=False).returncode
        assert node.sh("hostname").strip() == "node"
        assert other.sh("ip -o link").count("\n") == 1


def test_a_node_that_cannot_start_says_why(node: Node, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="did not start"):
        Node(tmp_path)
    assert not [group for group in cgroups.stale() if str(os.getpid()) in group.name]
