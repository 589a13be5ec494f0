"""A node with real engines for each worker of a test run, and the engines in it.

Each is started when a test first asks for it and ends with the node.  Where there is no lab, the tests
are skipped with the reason; with CRYOSCOPE_LAB=required they fail.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from lab.engines import Engine, Refused
from lab.engines.containerd import Containerd
from lab.engines.criu import Criu
from lab.engines.docker import Docker
from lab.engines.podman import Podman
from lab.engines.registry import Registry
from lab.errors import LabError, NoLab
from lab.node import Node
from lab.workloads import Workload
from taken import Take, Taken
from taken import take as take_now

NAMES = ("podman-crun", "podman-runc", "docker", "containerd", "criu")


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """A running node."""
    try:
        found = Node()
    except NoLab as error:
        if os.environ.get("CRYOSCOPE_LAB") == "required":
            raise
        pytest.skip(f"no lab: {error}")
    with found:
        yield found


@pytest.fixture(scope="session")
def podman(node: Node) -> Callable[[str], Podman]:
    """Podman with a runtime, `crun` or `runc`."""
    started: dict[str, Podman] = {}

    def with_runtime(runtime: str) -> Podman:
        if runtime not in started:
            started[runtime] = Podman(node, runtime)
        return started[runtime]

    return with_runtime


@pytest.fixture(scope="session")
def docker(node: Node) -> Docker:
    """dockerd with checkpoints switched on."""
    return Docker(node)


@pytest.fixture(scope="session")
def registry(node: Node) -> Registry:
    """A registry of images inside the node."""
    return Registry(node)


@pytest.fixture(scope="session")
def containerd(node: Node, registry: Registry) -> Containerd:
    """containerd and its CRI socket; images come from the registry."""
    return Containerd(node, registry)


@pytest.fixture(scope="session")
def criu(node: Node) -> Criu:
    """CRIU without an engine."""
    return Criu(node)


@pytest.fixture(
    scope="session", params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in NAMES]
)
def engine_name(request: pytest.FixtureRequest) -> str:
    """Each engine in turn; the tests of one run on one worker, which starts it once."""
    return str(request.param)


@pytest.fixture(scope="session")
def engine_of(request: pytest.FixtureRequest) -> Callable[[str], Engine]:
    """An engine by its name, started when it is first asked for."""

    def of(name: str) -> Engine:
        kind, _, runtime = name.partition("-")
        found = request.getfixturevalue(kind)
        return found(runtime) if runtime else found

    return of


@pytest.fixture(scope="session")
def take(engine_of: Callable[[str], Engine]) -> Take:
    """The checkpoint of a workload by an engine, taken once a run; what an engine refuses is skipped."""
    found: dict[tuple[str, str], Taken | LabError] = {}

    def taken(name: str, workload: Workload) -> Taken:
        key = name, workload.name
        if key not in found:
            try:
                found[key] = take_now(engine_of(name), workload)
            except LabError as reason:
                found[key] = reason
        result = found[key]
        if isinstance(result, Refused):
            pytest.skip(f"{name} refuses {workload.name}: {result}")
        if isinstance(result, LabError):
            raise result
        return result

    return taken


@pytest.fixture
def unconfigured(node: Node) -> Iterator[None]:
    """CRIU without the node's own options, which drivers of other engines write (`runc.conf`)."""
    node.sh("mkdir -p /etc/criu; mv /etc/criu /etc/criu.away")
    yield
    node.sh("rm -rf /etc/criu; mv /etc/criu.away /etc/criu")
