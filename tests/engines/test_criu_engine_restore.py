"""Captures of process trees, opened, and going on where they were: in the sandbox, and live."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from _pytest.mark import ParameterSet

from criu_trees import ALL as EVERYTHING
from criu_trees import Trees, trees, wait
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.engines.port import HARD, CaptureOptions, EngineError, Restored, RestoreOptions
from cryoscope.errors import Incomplete
from cryoscope.workflows.open import open_checkpoint
from lab.engines.criu import Criu as Bare
from lab.node import Node
from lab.workloads import ALL, HTTP_COUNTER, REDIS, SHELL_COUNTER, THREADS, Workload
from sinks import FullSink

pytestmark = pytest.mark.xdist_group("criu")

BARE = [each for each in ALL if not each.needs & {"network", "user-namespace"}]
ALIKE = (
    "locals",
    "locals-o2",
    "locals-static",
    "registers",
    "dlopened",
    "heap",
    "kinds-stopped",
    "kinds-tcp",
)
SANDBOX = RestoreOptions(name="copy", tcp="established")
LIVE = msgspec.structs.replace(SANDBOX, live=True)
GROUPS = "ls -d /sys/fs/cgroup/*/cryoscope-* /sys/fs/cgroup/cryoscope-* 2> /dev/null; ls /var/lib/cryoscope"
GET = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8088/').read())"
POST = (
    "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8088/secret', b'only-in-memory').read())"
)
WRITES = """
import time
out = open("{}", "w")
print("{}", end="", file=out, flush=True)
print("ready")
time.sleep(10000)
"""
CONNECT = """
import socket
for address in [("10.255.255.1", 9), ("1.1.1.1", 53)]:
    try:
        socket.create_connection(address, 2)
        print("connected")
    except OSError as error:
        print(error.strerror)
"""


def marked(workload: Workload) -> ParameterSet:
    """Those that only differ in what is on their stacks and heaps wait for the long run."""
    marks = [pytest.mark.long] if workload.name in ALIKE else []
    return pytest.param(workload, id=workload.name, marks=marks)


@pytest.fixture
def some(node: Node, criu: Bare, tmp_path: Path) -> Iterator[Trees]:
    with trees(node, criu, tmp_path) as made:
        yield made


def lines(some: Trees, pid: int | None, path: str) -> int:
    """How many lines a file has, as a process of the node sees it."""
    return Path(f"/proc/{some.here(pid)}/root{path}").read_bytes().count(b"\n")


def processes_of(some: Trees, restored: Restored, checkpoint: Checkpoint) -> set[str]:
    """Names of the processes in the pid namespace of a copy that the checkpoint has too."""
    told = some.run_in(restored.pid, "ps", "-e", "-o", "pid=,comm=")
    running = {int(pid): comm for pid, _, comm in (line.strip().partition(" ") for line in told.splitlines())}
    return {
        each.comm for each in checkpoint.processes if running.get(each.pid, "").strip().startswith(each.comm)
    }


@pytest.mark.parametrize("workload", [marked(each) for each in BARE])
def test_every_workload_goes_on(some: Trees, workload: Workload) -> None:
    pid = some.start(workload)
    archive, captured = some.capture(pid)
    assert captured.statistics["pages_written"] > 0
    assert some.state(pid) in "RST"
    with open_checkpoint(str(archive)) as checkpoint:
        assert checkpoint.container.engine == "criu"
        assert checkpoint.container.id == str(pid)
        assert checkpoint.container.checkpointed is not None
        assert pid in {each.pid for each in checkpoint.processes}
        copy = some.restore(archive, checkpoint, SANDBOX)
        alive = {each.comm for each in checkpoint.processes if each.state != "zombie"}
        assert processes_of(some, copy, checkpoint) >= {name for name in alive if name != "sleep"}
        some.remove(copy)
    # Ended by the dump: what it wrote after an earlier one, CRIU would find to be of another size.
    archive, _ = some.capture(pid, msgspec.structs.replace(EVERYTHING, stop=True))
    with open_checkpoint(str(archive)) as checkpoint:
        live = restored_live(some, archive, checkpoint)
        assert live.pid == pid
        assert some.state(pid) in "RST"


def restored_live(some: Trees, archive: Path, checkpoint: Checkpoint) -> Restored:
    """Restored with its own numbers, which others of the node may take in the meantime."""
    for tries_left in (2, 1, 0):
        wait(lambda: not taken(some, checkpoint))
        try:
            return some.restore(archive, checkpoint, LIVE)
        except EngineError as error:
            if error.code != "criu.pid-taken" or not tries_left:
                raise
    raise AssertionError


def taken(some: Trees, checkpoint: Checkpoint) -> bool:
    """Whether a number of the checkpoint is in use; what lost its parent is ended first."""
    left = [each.pid for each in checkpoint.processes if some.host.pid(each.pid) is not None]
    for number in left:
        some.kill(number)
    return bool(left)


def test_a_counter_counts_on_in_the_sandbox_and_the_host_keeps_its_own(some: Trees) -> None:
    pid = some.start(SHELL_COUNTER)
    archive, _ = some.capture(pid)
    at = count(some, pid)
    some.kill(pid)
    on_host = count(some, 1)
    with open_checkpoint(str(archive)) as checkpoint:
        copy = some.restore(archive, checkpoint, SANDBOX)
    wait(lambda: count(some, copy.pid) > on_host)
    assert at <= on_host < count(some, copy.pid)
    assert count(some, 1) == on_host


def count(some: Trees, pid: int | None) -> int:
    """How far the counter's log says that it is, as a process of the node sees it."""
    return int(Path(f"/proc/{some.here(pid)}/root/tmp/log").read_text().splitlines()[-1].split()[1])


def test_a_secret_that_is_nowhere_but_in_memory_answers_inside(some: Trees) -> None:
    pid = some.start(HTTP_COUNTER)
    assert "kept" in some.node.run("python3", "-c", POST).stdout
    for visit in (1, 2):
        assert f"{visit}" in some.node.run("python3", "-c", GET).stdout
    archive, _ = some.capture(pid)
    some.kill(pid)
    with open_checkpoint(str(archive)) as checkpoint:
        copy = some.restore(archive, checkpoint, SANDBOX)
        server = next(each.pid for each in checkpoint.processes if each.comm == "python3")
        memory = checkpoint.memory(server)
        assert memory is not None
    assert "3" in some.run_in(copy.pid, "python3", "-c", GET)
    assert some.node.run("python3", "-c", GET, check=False).returncode, "nobody answers outside"


def test_redis_has_its_key_inside_and_nothing_leads_out(some: Trees) -> None:
    pid = some.start(REDIS)
    some.node.run("redis-cli", "set", "word", "remembered")
    archive, _ = some.capture(pid)
    some.kill(pid)
    with open_checkpoint(str(archive)) as checkpoint:
        copy = some.restore(archive, checkpoint, SANDBOX)
    assert some.run_in(copy.pid, "redis-cli", "get", "word").strip() == "remembered"
    assert "connected" not in some.run_in(copy.pid, "python3", "-c", CONNECT)
    links = some.run_in(copy.pid, "ip", "-brief", "link").splitlines()
    assert [line.split()[0] for line in links] == ["lo"]


def test_what_a_copy_is_kept_from_holds(some: Trees) -> None:
    pid = some.start(THREADS)
    archive, _ = some.capture(pid)
    limits = msgspec.structs.replace(SANDBOX, memory=64 << 20, processes=50)
    with open_checkpoint(str(archive)) as checkpoint:
        copy = some.restore(archive, checkpoint, limits)
    status = dict(
        line.split(":\t", 1)
        for line in Path(f"/proc/{some.here(copy.pid)}/status").read_text().splitlines()
        if ":\t" in line
    )
    assert status["NoNewPrivs"] == "1"
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0x5FB
    spaces = ("mnt", "pid", "net", "ipc", "uts", "cgroup")
    ours = {kind: (Path("/proc") / str(some.here(pid)) / "ns" / kind).readlink() for kind in spaces}
    theirs = {kind: (Path("/proc") / str(some.here(copy.pid)) / "ns" / kind).readlink() for kind in spaces}
    assert all(ours[kind] != theirs[kind] for kind in spaces)
    root = Path(f"/proc/{some.here(copy.pid)}/root")
    assert not (root / ".cryoscope").exists()
    assert not (root / ".cryoscope.sh").exists()
    assert [*(root / "var/lib/cryoscope").iterdir()] == []
    for path in ("tmp/made-inside", "etc/made-inside", "usr/made-inside"):
        (root / path).write_text("inside")
        assert not some.node.outside("/" + path).exists()
    with pytest.raises(OSError, match="Read-only"):
        (root / "proc/sys/kernel/hostname").write_text("x")
    assert any("64 MiB" in each and "50 processes" in each for each in copy.sandbox), copy.notes
    assert "cryoscope-copy\n" in Path(f"/proc/{some.here(copy.pid)}/cgroup").read_text()


def test_several_copies_of_one_archive_run_at_once_and_leave_nothing(some: Trees) -> None:
    before_all = some.node.run("sh", "-c", GROUPS, check=False).stdout
    pid = some.start(SHELL_COUNTER)
    archive, _ = some.capture(pid)
    some.kill(pid)
    with open_checkpoint(str(archive)) as checkpoint, ThreadPoolExecutor(4) as pool:
        options = [msgspec.structs.replace(SANDBOX, name=f"copy-{number}") for number in range(4)]
        copies = [*pool.map(lambda each: some.restore(archive, checkpoint, each), options)]
        before = [lines(some, copy.pid, "/tmp/log") for copy in copies]
        wait(lambda: all(lines(some, c.pid, "/tmp/log") > at for c, at in zip(copies, before, strict=True)))
        with pytest.raises(EngineError) as caught:
            some.restore(archive, checkpoint, options[0])
        assert caught.value.code == "criu.name-taken"
    assert len({copy.pid for copy in copies}) == 4
    for copy in copies:
        some.remove(copy)
    wait(lambda: some.node.run("sh", "-c", GROUPS, check=False).stdout == before_all)


def test_the_archive_says_what_was_dumped_and_has_what_it_wrote(some: Trees) -> None:
    pid = some.python(WRITES.format("/tmp/kept", "as it was"))
    archive, captured = some.capture(pid)
    with open_checkpoint(str(archive)) as checkpoint:
        container = checkpoint.container
        assert container.engine_evidence == "Cryoscope's process.dump of a process tree"
        assert container.runtime == f"criu {captured.version}"
        assert container.facts["kernel"] == some.node.run("uname", "-r").stdout.strip()
        entry = next(each for each in checkpoint.filesystem.entries if each.path == "/tmp/kept")
        assert entry.size == len("as it was")
        assert checkpoint.dump_log is not None
        assert checkpoint.dump_log.version is not None
        assert checkpoint.statistics is not None
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    pages = [at for at, name in enumerate(names) if name.startswith("checkpoint/pages-")]
    images = [at for at, name in enumerate(names) if name.startswith("checkpoint/")]
    assert names[0] == "process.dump"
    assert images[-len(pages) :] == pages, "pages are behind all other images"


def test_a_stopped_capture_ends_the_tree(some: Trees) -> None:
    pid = some.start(THREADS)
    archive, _ = some.capture(pid, CaptureOptions(stop=True))
    wait(lambda: some.host.pid(pid) is None)
    with open_checkpoint(str(archive)) as checkpoint:
        assert some.restore(archive, checkpoint, LIVE).pid == pid


def test_devices_among_the_hosts_files_are_none_in_the_sandbox(some: Trees) -> None:
    pid = some.start(THREADS)
    archive, _ = some.capture(pid)
    with open_checkpoint(str(archive)) as checkpoint:
        copy = some.restore(archive, checkpoint, SANDBOX)
    lines = [line.split() for line in Path(f"/proc/{some.here(copy.pid)}/mountinfo").read_text().splitlines()]
    layers = [line[5].split(",") for line in lines if "overlay" in line]
    assert layers
    assert all("nodev" in each for each in layers)


def test_a_stopped_tree_whose_archive_cannot_be_written_is_not_lost(some: Trees, tmp_path: Path) -> None:
    pid = some.start(THREADS)
    sink = FullSink(tmp_path / "full.tar")
    with pytest.raises(Incomplete) as caught:
        some.engine.capture(some.engine.find(str(pid)), CaptureOptions(stop=True), sink)
    wait(lambda: some.host.pid(pid) is None)
    folder = next(word for word in caught.value.hint.split() if word.startswith("/"))
    images = some.node.outside(folder)
    assert {"inventory.img", "pstree.img", "pages-1.img"} <= {each.name for each in images.iterdir()}
    command = ["criu", "restore", "--images-dir", folder, "--restore-detached", "--manage-cgroups=ignore"]
    some.node.run(*command)
    assert some.host.pid(pid) is not None
    some.kill(pid)
    shutil.rmtree(images.parent)


def test_what_it_has_open_and_is_gone_is_named(some: Trees) -> None:
    pid = some.python(WRITES.format("/tmp/gone", "1"))
    archive, _ = some.capture(pid)
    some.kill(pid)
    some.node.outside("/tmp/gone").unlink()
    with open_checkpoint(str(archive)) as checkpoint:
        with pytest.raises(EngineError) as caught:
            some.restore(archive, checkpoint, LIVE)
        assert caught.value.code == "criu.file-missing"
        assert "tmp/gone" in caught.value.message
        copy = some.restore(archive, checkpoint, SANDBOX)
    assert Path(f"/proc/{some.here(copy.pid)}/root/tmp/gone").read_text() == "1"
    assert not some.node.outside("/tmp/gone").exists()


def test_a_number_that_is_taken_is_told_before(some: Trees) -> None:
    pid = some.start(THREADS)
    archive, _ = some.capture(pid)
    with open_checkpoint(str(archive)) as checkpoint:
        concerns = some.engine.restore_concerns(checkpoint, LIVE)
        assert [each.code for each in concerns if each.weight == HARD] == ["criu.pid-taken"]
        with pytest.raises(EngineError) as caught:
            some.restore(archive, checkpoint, LIVE)
    assert caught.value.code == "criu.pid-taken"


@pytest.mark.parametrize("tcp", ["refuse", "close", "established"])
def test_connections_are_refused_unless_asked_for(some: Trees, tcp: str) -> None:
    pid = some.python(
        """
        import socket, time
        listening = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(listening.getsockname())
        server, _ = listening.accept()
        print("ready")
        while True:
            time.sleep(0.1)
            try:
                client.send(b"x")
                open("/tmp/heard", "ab").write(server.recv(1) + b"\\n")
            except OSError:
                open("/tmp/closed", "a").close()
        """
    )
    archive, _ = some.capture(pid)
    some.kill(pid)
    options = msgspec.structs.replace(SANDBOX, tcp=tcp)
    with open_checkpoint(str(archive)) as checkpoint:
        hard = [
            each.code for each in some.engine.restore_concerns(checkpoint, options) if each.weight == HARD
        ]
        assert hard == (["criu.tcp-established"] if tcp == "refuse" else [])
        if tcp == "refuse":
            return
        copy = some.restore(archive, checkpoint, options)
    inside = Path(f"/proc/{some.here(copy.pid)}/root/tmp")
    if tcp == "close":
        wait((inside / "closed").exists)
    else:
        before = lines(some, copy.pid, "/tmp/heard")
        wait(lambda: lines(some, copy.pid, "/tmp/heard") > before + 3)


def test_an_archive_that_was_not_cleaned_does_not_get_into_the_sandbox(some: Trees) -> None:
    archive, _ = some.capture(some.start(THREADS))
    with open_checkpoint(str(archive)) as checkpoint, pytest.raises(EngineError) as caught:
        some.engine.restore(str(archive), checkpoint, SANDBOX)
    assert caught.value.code == "criu.not-cleaned"


def test_containers_are_left_to_their_engines(some: Trees, corpus: Path) -> None:
    with open_checkpoint(str(corpus / "podman-looper-crun" / "checkpoint.tar")) as checkpoint:
        concerns = some.engine.restore_concerns(checkpoint, SANDBOX)
    assert "criu.namespaces" in {each.code for each in concerns if each.weight == HARD}


def test_lists_what_runs_and_says_what_it_is(some: Trees) -> None:
    pid = some.start(THREADS)
    found = {each.pid: each for each in some.engine.list()}
    assert found[pid].name == "threads"
    assert found[pid].target == f"pid://{pid}"
    assert found[pid].capture.can
    assert 1 not in found
    probe = some.engine.probe()
    assert probe.capture.can
    assert probe.version.startswith("4.")
    assert {each.code for each in probe.checks} == {"criu.soft-dirty", "criu.rlimit-user"}
