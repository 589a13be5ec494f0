"""Images that name no namespaces put processes into those of the host: seen by every engine, and ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import podman_kit as kit
from cryoscope.checkpoint.criu.framing import parse
from cryoscope.checkpoint.criu.json import from_json, to_json
from cryoscope.engines import escaped, port
from cryoscope.engines.host import Host, below
from cryoscope.engines.vetting import Policy, clean_copy, vet
from cryoscope.workflows.open import open_checkpoint
from lab.engines.podman import Podman
from lab.workloads import SHELL_COUNTER

pytestmark = pytest.mark.xdist_group("podman-crun")
OWN = ("--net", "--ipc", "--uts", "--pid", "--mount")
WORDS = {"--net": "net", "--ipc": "ipc", "--uts": "uts", "--mount": "mnt"}


@pytest.fixture
def crun(podman: Callable[[str], Podman]) -> Podman:
    return podman("crun")


@pytest.fixture
def within() -> Iterator[Callable[..., int]]:
    """Start a process in new namespaces of these kinds; its number."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*kinds: str) -> int:
        words = ["unshare", *kinds, "--fork", "--kill-child", "--", "sh", "-c", "sleep 300 & wait"]
        started.append(subprocess.Popen(words))
        until = time.monotonic() + 20
        while True:
            if len(found := [*below(started[-1].pid)]) == 3:
                return found[1]
            assert time.monotonic() < until, found
            time.sleep(0.02)

    yield start
    for each in started:
        each.kill()
        each.wait()


def test_a_process_with_namespaces_of_its_own_is_no_escape(within: Callable[..., int]) -> None:
    escaped.check(Host(), within(*OWN), "any")


@pytest.mark.parametrize("kind", WORDS)
def test_one_namespace_of_the_host_is_an_escape(within: Callable[..., int], kind: str) -> None:
    with pytest.raises(port.EngineError, match=f"host's {WORDS[kind]} namespace") as caught:
        escaped.check(Host(), within(*(each for each in OWN if each != kind)), "any")
    assert caught.value.code == "any.escaped"


def test_one_that_is_gone_is_not_taken_for_safe() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    for pid in (None, gone.pid):
        with pytest.raises(port.EngineError) as caught:
            escaped.check(Host(), pid, "any")
        assert caught.value.code == "any.escaped"


def nameless(archive: Path, kinds: tuple[str, ...]) -> None:
    """Take the numbers of namespaces out of an archive's images."""
    folder = archive.with_suffix(".d")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="fully_trusted")
    images = folder / "checkpoint"
    for path in [*images.glob("ids-*.img"), images / "inventory.img"]:
        shown: Any = to_json(parse(path.read_bytes(), name=path.name))
        for entry in shown["entries"]:
            entry.pop("_raw", None)
            for kind in kinds:
                entry.get("root_ids", entry).pop(f"{kind}_ns_id", None)
        path.write_bytes(from_json(shown))
    with tarfile.open(archive, "w") as tar:
        for each in sorted(folder.iterdir()):
            tar.add(each, each.name)
    shutil.rmtree(folder)


def prepared(crun: Podman, name: str, tmp_path: Path, **given: Any) -> tuple[Path, port.RestoreOptions]:
    """The cleaned copy of an archive of a counting shell that is gone."""
    started = crun.start(SHELL_COUNTER)
    kit.capture(crun, started, tmp_path / "a.tar")
    crun.remove(started)
    wanted = port.RestoreOptions(name=name, **given)
    with open_checkpoint(str(tmp_path / "a.tar")) as checkpoint:
        verdict = vet(checkpoint, Policy(engine="podman"), kit.driver(crun).edits(checkpoint, wanted))
        with open(tmp_path / "copy.tar", "xb") as to:
            clean_copy(checkpoint.archive, verdict.edits, to)
    return tmp_path / "copy.tar", wanted


def test_a_container_that_podman_restored_into_the_host_is_ended(crun: Podman, tmp_path: Path) -> None:
    copy, wanted = prepared(crun, "leaves", tmp_path)
    nameless(copy, ("ipc", "uts"))
    engine = kit.driver(crun)
    with (
        open_checkpoint(str(tmp_path / "a.tar")) as checkpoint,
        pytest.raises(port.EngineError) as caught,
    ):
        engine.restore(str(copy), checkpoint, wanted)
    assert caught.value.code == "podman.escaped"
    assert "ipc, uts" in caught.value.message
    assert not engine.there("leaves")


def test_a_restore_that_hangs_does_not_stand_in_the_way_of_the_next(crun: Podman, tmp_path: Path) -> None:
    """The runtime is stopped as soon as it is there; Podman waits for it, and holds the container's lock."""
    copy, wanted = prepared(crun, "hangs", tmp_path, timeout=4.0)
    engine, over, stopped = kit.driver(crun), threading.Event(), []

    def stop() -> None:
        while not over.is_set() and not stopped:
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if words[0].endswith(b"crun") and b"restore" in words:
                    os.kill(int(pid), signal.SIGSTOP)
                    stopped.append(int(pid))

    watching = threading.Thread(target=stop)
    watching.start()
    try:
        with open_checkpoint(str(tmp_path / "a.tar")) as checkpoint:
            with pytest.raises(port.EngineHung) as caught:
                engine.restore(str(copy), checkpoint, wanted)
            assert stopped
            assert "may be there" not in caught.value.hint
            assert not engine.there("hangs")
            engine.restore(str(copy), checkpoint, wanted)
    finally:
        over.set()
        watching.join()
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        crun.node.run("podman", "rm", "--force", "--ignore", "--volumes", "--time", "0", "hangs")
