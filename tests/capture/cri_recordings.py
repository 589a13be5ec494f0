"""Our own recordings of three real runtimes (tests/data/cri), and a replayed runtime for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryoscope.engines.cri import Cri, abilities, messages
from cryoscope.engines.host import Host
from cryoscope.engines.port import Container, Reach
from cryoscope.testing.cri import ReplayedRuntime

DATA = Path(__file__).parent.parent / "data"
RUNTIMES = ("containerd", "crio")
STATUS = "container-status-verbose-looper"
NAMES = ("containerd", "containerd-main", "crio")
ARCHIVES = {"containerd": DATA / "containerd-counter.tar", "crio": DATA / "crio-counter.tar"}


def recording(name: str) -> Path:
    """The file of a runtime's recording."""
    return DATA / "cri" / f"{name}.jsonl.xz"


@contextmanager
def replayed(name: str, folder: Path, **options: Any) -> Iterator[tuple[ReplayedRuntime, Cri]]:
    """A replayed runtime, and the engine that speaks to it."""
    with ReplayedRuntime([recording(name)], folder / "cri.sock", **options) as runtime:
        engine = Cri(str(runtime.socket), Reach(host=Host()))
        yield runtime, engine
        engine.close()


class LendingSink:
    """A sink that lends a path of this machine, as the workflow's does: an empty file."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def write(self, block: bytes | memoryview) -> None:
        raise AssertionError("a runtime writes its archive itself")

    @contextmanager
    def lend(self, host: Host) -> Iterator[str]:
        Path(self.path).touch()
        yield self.path


def running(id_: str = "ab" * 32) -> Container:
    """A container that runs."""
    return Container(
        engine="cri",
        id=id_,
        name="looper",
        state="running",
        target=f"cri://{id_}",
        capture=abilities.CAN,
        restore=abilities.CAN,
    )


def asked(runtime: ReplayedRuntime, call: str) -> list[Any]:
    """The requests of a method that came, decoded."""
    return [
        messages.decode(call + "Request", request)
        for method, request in runtime.calls
        if method.endswith("/" + call)
    ]


class Elsewhere(Host):
    """A host whose files are below a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = str(folder)

    @property
    def root(self) -> str:
        return self.folder

    def path(self, inside: str) -> str:
        return self.folder + inside


def lending(inside: str) -> Any:
    """The `lend` of a sink that lends this place."""

    @contextmanager
    def lend(host: Host) -> Iterator[str]:
        yield inside

    return lend
