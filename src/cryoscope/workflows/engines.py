"""What can be captured here, and what works: every engine that is found, asked in turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing

from cryoscope.engines import connect, discover
from cryoscope.engines.port import CaptureOptions, Check, Concern, Container, Engine, Probe, Reach
from cryoscope.engines.target import Target
from cryoscope.errors import CryoscopeError, UsageError
from cryoscope.workflows.concerns import concerns_of
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, Failure, answer

CLUSTER = ("no kubeconfig, and this is no pod", "give --kubeconfig FILE, or set KUBECONFIG")
WHERE = {
    "podman": ("no socket of its service", "systemctl start podman.socket, or give --endpoint"),
    "docker": ("no socket of its daemon", "start it, set DOCKER_HOST, or give --endpoint"),
    "cri": ("no socket of containerd or CRI-O", "give --endpoint"),
    "criu": ("no program", "install criu 4.0 or newer"),
    "kubelet": CLUSTER,
    "apiserver": CLUSTER,
}
"""Each engine by its name: what was looked for, and what to do where that is elsewhere."""


class TargetsPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """The containers of one engine; `archive` is the engine's endpoint."""

    engine: str
    version: str = ""
    containers: list[Container] = []

    def rows(self) -> list[Container]:
        """One a line."""
        return self.containers


class DoctorPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """What works with one engine or on the host; `archive` is the engine's endpoint, or "host"."""

    probe: Probe | None = None
    checks: list[Check] = []
    concerns: list[Concern] = []


def targets(reach: Reach, engines: Sequence[str] = ()) -> Answer:
    """Every container that is found here, or of some `engines`."""
    parts: list[Part] = []
    failures: list[Failure] = []
    for each in _found(reach, engines):
        with closing(each) as engine:
            probe = engine.probe()
            try:
                found = engine.list()
            except CryoscopeError as error:
                failures.append((probe.endpoint, error))
                continue
        name = f"{engine.name} {probe.endpoint}"
        parts.append(TargetsPart(archive=name, engine=engine.name, version=probe.version, containers=found))
    return answer("targets", parts, [], failures)


def doctor(reach: Reach, engines: Sequence[str] = ()) -> Answer:
    """What works here for capture and restore, and why not: the host, then each engine."""
    from cryoscope.engines.preflight import host_checks

    parts: list[Part] = [DoctorPart(archive="host", checks=[*host_checks(reach.host)])]
    found = set()
    for each in _found(reach, engines):
        found.add(each.name)
        with closing(each) as engine:
            probe = engine.probe()
        parts.append(DoctorPart(archive=f"{engine.name} {probe.endpoint}", probe=probe, checks=probe.checks))
    missing = [name for name in engines or WHERE if name not in found]
    if missing:
        parts.append(DoctorPart(archive="not found here", checks=[*map(_missing, missing)]))
    return answer("doctor", parts, [], [])


def _missing(name: str) -> Check:
    what, cure = WHERE[name]
    return Check(code=f"{name}.not-found", state="warn", what=f"{name}: {what}", cure=cure)


def doctor_of(target: Target, reach: Reach, options: CaptureOptions) -> Answer:
    """What stands against capturing one container."""
    with closing(connect(target, reach)) as engine:
        container = engine.find(target.reference)
        concerns = concerns_of(engine, container, options, ".")
        part = DoctorPart(archive=container.target, probe=engine.probe(), concerns=concerns)
    return answer("doctor", [part], [], [])


def _found(reach: Reach, engines: Sequence[str]) -> Iterable[Engine]:
    if reach.endpoint is not None and len(engines) != 1:
        raise UsageError(
            "whose endpoint that is nobody said",
            hint="name one --engine with --endpoint",
            code="targets.endpoint",
        )
    return discover(reach, engines)


def doctor_kubernetes(reach: Reach) -> Answer:
    """Which rights the caller has in a cluster, and what its nodes can do."""
    from cryoscope.engines.kubelet.rights import rights
    from cryoscope.kubeapi.client import connect as connect_api

    with connect_api(reach.kubeconfig, reach.context, insecure=reach.insecure) as client:
        part = DoctorPart(archive="k8s", checks=rights(client, None, None, reach))
    return answer("doctor", [part], [], [])
