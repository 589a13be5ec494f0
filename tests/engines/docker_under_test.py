"""Cryoscope's Docker, pointed at the daemon of the lab, and what the tests ask of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryoscope.engines.docker import connect
from cryoscope.engines.docker.engine import Docker as Engine
from cryoscope.engines.host import Host
from cryoscope.engines.port import Captured, CaptureOptions, Edits, Reach, Restored, RestoreOptions
from cryoscope.engines.target import parse
from cryoscope.engines.vetting import clean_copy
from cryoscope.workflows.open import open_checkpoint
from lab.engines import Running
from lab.engines.docker import SOCKET, ApiError, Docker
from lab.engines.freezer import thawing
from lab.engines.port import wait_for_word
from lab.workloads import IMAGES, Workload
from sinks import FileSink

PORT = 8088
"""Where `http-counter` listens."""


def engine_of(docker: Docker, endpoint: str = SOCKET) -> Engine:
    """Cryoscope's engine for the lab's daemon."""
    return connect(parse("docker://any"), Reach(host=Host(docker.node.pid), endpoint=endpoint))


def run(docker: Docker, image: str, argv: Sequence[str], name: str, **config: Any) -> Running:
    """Run a container with settings of the test's own; it is ready when it has printed `ready`."""
    workload = Workload(name, image, tuple(argv))
    settings = {"Image": loaded(docker, image), "Entrypoint": list(argv)} | config
    id_ = ask(docker, "POST", f"/containers/create?name={name}", settings)["Id"]
    ask(docker, "POST", f"/containers/{id_}/start")
    pid = docker.node.pid_outside(inspect(docker, id_)["State"]["Pid"])
    return wait_for_word(docker, Running(id_, pid, workload))


def loaded(docker: Docker, name: str) -> str:
    """The name of an image of the lab, which the daemon has."""
    with open(docker.node.outside(IMAGES[name].archive), "rb") as archive:
        docker._bytes("POST", "/images/load?quiet=1", archive)
    return IMAGES[name].reference


def ask(docker: Docker, method: str, path: str, body: object = None) -> Any:
    """A request to the daemon, past Cryoscope."""
    return docker._ask(method, path, body)


def inspect(docker: Docker, id_: str) -> Any:
    return ask(docker, "GET", f"/containers/{id_}/json")


def capture(docker: Docker, running: Running, path: Path, options: CaptureOptions | None = None) -> Captured:
    """Capture a workload into a file."""
    engine = engine_of(docker)
    with thawing(running.pid):
        return engine.capture(engine.find(running.id), options or CaptureOptions(), FileSink(path))


def restore(docker: Docker, path: Path, name: str, **options: Any) -> Restored:
    """Restore an archive, with what the engine wants changed in it."""
    wanted, engine = RestoreOptions(name=name, **options), engine_of(docker)
    with open_checkpoint(str(path)) as checkpoint:
        edits = engine.edits(checkpoint, wanted)
        if edits == Edits():
            return engine.restore(str(path), checkpoint, wanted)
        copy = path.with_name(f"{name}-copy.tar")
        with open(copy, "xb") as to:
            clean_copy(checkpoint.archive, edits, to)
        try:
            return engine.restore(str(copy), checkpoint, wanted)
        finally:
            copy.unlink()


def against(docker: Docker, path: Path, name: str, **options: Any) -> dict[str, str]:
    """Codes and weights of what stands against restoring an archive."""
    with open_checkpoint(str(path)) as checkpoint:
        found = engine_of(docker).restore_concerns(checkpoint, RestoreOptions(name=name, **options))
    return {each.code: each.weight for each in found}


@contextmanager
def removed(docker: Docker, *names: str) -> Iterator[None]:
    """Take containers away at the end, those as well that a failed test left."""
    try:
        yield
    finally:
        for name in names:
            for each in (name, name + "-network"):
                try:
                    ask(docker, "DELETE", f"/containers/{each}?force=1&v=1")
                except ApiError:
                    continue


def visits(docker: Docker, pid: int) -> int:
    """What `http-counter` answers, asked inside the network namespace of a process."""
    url = f"http://127.0.0.1:{PORT}/"
    done = docker.node.run("nsenter", f"--target={pid}", "--net", "busybox", "wget", "-qO-", url)
    return int(done.stdout)


def in_container(docker: Docker, pid: int) -> Callable[[str], Path]:
    """Where a path of a container is for the test."""
    outside = docker.node.pid_outside(pid)
    return lambda path: Path(f"/proc/{outside}/root{path}")
