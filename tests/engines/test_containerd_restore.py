"""Restores through the CRI into a real containerd: in the sandbox, live, several at once, and refused."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

import containerd_kit as kit
from cryoscope.engines.port import EngineError, Restored, RestoreOptions
from cryoscope.errors import ArchiveError
from cryoscope.workflows.open import open_checkpoint
from lab.engines import containerd as lab_containerd
from lab.engines.containerd import Containerd
from lab.workloads import HTTP_COUNTER, KINDS, REDIS, SHELL_COUNTER, Workload
from podman_kit import REMEMBERS, asked

pytestmark = pytest.mark.xdist_group("containerd")
COPIES = 3


@pytest.fixture(scope="module")
def archive(containerd: Containerd, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, int]:
    """A checkpoint of a server that keeps a secret and a count in its memory, with both."""
    path = tmp_path_factory.mktemp("remembers") / "a.tar"
    running = containerd.start(REMEMBERS)
    try:
        secret, count = asked(running.pid).split()
        kit.capture(containerd, running, path)
    finally:
        containerd.remove(running)
    return path, secret, int(count)


def captured(
    lab: Containerd, workload: Workload, path: Path, do: Callable[[int], None] | None = None
) -> Path:
    """A checkpoint of a workload to which something was done before."""
    running = lab.start(workload)
    try:
        if do is not None:
            do(running.pid)
        kit.capture(lab, running, path)
    finally:
        lab.remove(running)
    return path


def outside(lab: Containerd, done: Restored) -> int:
    """The number by which this process knows a restored container."""
    assert done.pid is not None
    return lab.node.pid_outside(done.pid)


@pytest.mark.parametrize("live", [False, True], ids=["sandbox", "live"])
def test_the_process_goes_on_where_it_was(
    live: bool, containerd: Containerd, archive: tuple[Path, str, int]
) -> None:
    path, secret, count = archive
    with kit.restored(containerd, path, name="again", live=live) as done:
        remembered, now = asked(outside(containerd, done)).split()
        time.sleep(0.3)
        assert int(asked(outside(containerd, done)).split()[1]) > int(now)
        assert done.pid is not None
        assert kit.links(containerd, done.pid) == (["lo", "eth0"] if live else ["lo"])
        assert done.live == live
        assert bool(done.sandbox) == (not live)
    assert remembered == secret
    assert int(now) >= count


def test_several_copies_at_once(containerd: Containerd, archive: tuple[Path, str, int]) -> None:
    path, secret, _ = archive
    before = kit.pods(containerd)
    with open_checkpoint(str(path)) as checkpoint, ThreadPoolExecutor(COPIES) as pool:
        engine = kit.engine_of(containerd)
        waiting = [
            pool.submit(engine.restore, str(path), checkpoint, RestoreOptions(name=f"copy-{number}"))
            for number in range(COPIES)
        ]
        copies = [each.result() for each in waiting]
        engine.close()
    try:
        assert len({each.id for each in copies}) == COPIES
        for each in copies:
            assert asked(outside(containerd, each)).split()[0] == secret
            assert each.pid is not None
            assert kit.links(containerd, each.pid) == ["lo"]
    finally:
        for each in copies:
            kit.remove(containerd, each)
    assert kit.pods(containerd) == before


@pytest.mark.long
def test_ten_copies_at_once(containerd: Containerd, archive: tuple[Path, str, int]) -> None:
    path, secret, _ = archive
    with open_checkpoint(str(path)) as checkpoint, ThreadPoolExecutor(10) as pool:
        engine = kit.engine_of(containerd)
        names = [f"ten-{number}" for number in range(10)]
        copies = [*pool.map(lambda n: engine.restore(str(path), checkpoint, RestoreOptions(name=n)), names)]
        engine.close()
    try:
        assert [asked(outside(containerd, each)).split()[0] for each in copies] == [secret] * 10
    finally:
        for each in copies:
            kit.remove(containerd, each)


def test_a_sandbox_is_bounded(containerd: Containerd, archive: tuple[Path, str, int]) -> None:
    with kit.restored(containerd, archive[0], name="small", memory=256 << 20, cpus=0.5) as done:
        if containerd.node.outside("/sys/fs/cgroup/cgroup.controllers").exists():
            found = bounds(containerd, done, {"": ("memory.max", "pids.max", "cpu.max")})
            assert found == [str(256 << 20), "1024", "50000 100000"]
        else:
            files = {"memory": ("memory.limit_in_bytes",), "cpu": ("cpu.cfs_quota_us",)}
            assert bounds(containerd, done, files) == [str(256 << 20), "50000"]
        assert "256 MiB of memory" in done.sandbox


def bounds(lab: Containerd, done: Restored, files: dict[str, tuple[str, ...]]) -> list[str]:
    """What the files of a container's cgroups say, by the controller of each (cgroups(7))."""
    rows = [row.split(":", 2) for row in lab.node.sh(f"cat /proc/{done.pid}/cgroup").splitlines()]
    groups = {kind: f"/sys/fs/cgroup/{kinds}{path}" for _, kinds, path in rows for kind in kinds.split(",")}
    return [
        lab.node.sh(f"cat {groups[kind]}/{name}").strip() for kind, names in files.items() for name in names
    ]


def test_the_counter_counts_on(containerd: Containerd, tmp_path: Path) -> None:
    path = captured(containerd, SHELL_COUNTER, tmp_path / "a.tar", lambda _pid: time.sleep(1))
    with open_checkpoint(str(path)) as checkpoint:
        last = checkpoint.archive.read("rootfs-diff.tar")
        assert last
    with kit.restored(containerd, path, name="counts") as done:
        root = f"/proc/{outside(containerd, done)}/root"
        counted = Path(root + "/log").read_text().splitlines()
        time.sleep(1)
        more = Path(root + "/log").read_text().splitlines()
        assert not Path(root + "/bin/nc").exists()
        assert Path(root + "/newfile").exists()
    numbers = [int(line.split()[1]) for line in more]
    assert numbers == [*range(1, len(numbers) + 1)], "it went on, and lost nothing"
    assert len(more) > len(counted) > 3


def test_a_key_is_there_in_the_restored_redis(containerd: Containerd, tmp_path: Path) -> None:
    def keep(pid: int) -> None:
        containerd.node.sh(f"nsenter --target={inside(containerd, pid)} --net redis-cli set cold case")

    path = captured(containerd, REDIS, tmp_path / "a.tar", keep)
    with kit.restored(containerd, path, name="redis") as done:
        assert containerd.node.sh(f"nsenter --target={done.pid} --net redis-cli get cold").strip() == "case"


def inside(lab: Containerd, pid: int) -> int:
    """How the node counts a process that this one knows as `pid`."""
    row = next(row for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row[:6] == "NSpid:")
    depth = len(
        Path(f"/proc/{lab.node.pid}/status").read_text().partition("NSpid:")[2].split("\n")[0].split()
    )
    return int(row.split()[depth])


def test_processes_of_one_job_go_on(containerd: Containerd, tmp_path: Path) -> None:
    path = captured(containerd, HTTP_COUNTER, tmp_path / "a.tar", lambda pid: _visit(pid, 2))
    with kit.restored(containerd, path, name="job") as done:
        assert asked(outside(containerd, done), "http://127.0.0.1:8088/").strip() == "3"


def _visit(pid: int, times: int) -> None:
    for _ in range(times):
        asked(pid, "http://127.0.0.1:8088/")


def test_mounts_of_the_node_are_empty_in_the_sandbox(containerd: Containerd, tmp_path: Path) -> None:
    """The archive names them; nothing of the node is to be seen or changed through them."""
    volume = f"{kit.PLACE}/volume"
    containerd.node.sh(f"mkdir -p {volume} && echo precious > {volume}/file && echo one > {volume}/single")
    script = "exec 5<>/kept/open; echo written >&5; while :; do date > /kept/now; sleep 0.1; done"
    mounts = {"/kept": volume, "/etc/hosts": f"{volume}/single", "/var/run/secrets/t": volume}
    image = containerd._image("busybox")
    path = tmp_path / "a.tar"
    with kit.mounted(containerd, image, ["sh", "-c", script], mounts) as started:
        time.sleep(0.5)
        kit.capture(containerd, started, path)
    containerd.node.sh(f"rm {volume}/now")
    with kit.restored(containerd, path, name="mounts") as done:
        root = Path(f"/proc/{outside(containerd, done)}/root")
        time.sleep(0.5)
        assert {each.name for each in (root / "kept").iterdir()} == {"open", "now"}
        assert (root / "kept/open").read_bytes() == bytes(len("written\n")), (
            "of its size, without its contents"
        )
        assert (root / "etc/hosts").read_text().startswith("127.0.0.1")
        assert [*(root / "var/run/secrets/t").iterdir()] == []
        assert not containerd.node.outside(f"{volume}/now").exists()
        assert containerd.node.outside(f"{volume}/file").read_text() == "precious\n"
        assert {"empty: /kept", "empty: /etc/hosts", "empty: /var/run/secrets/t"} <= {*done.notes}
    assert not list(containerd.node.outside(kit.OWN).glob("restored-*"))


def test_a_container_of_the_hosts_network_does_not_get_into_a_sandbox(
    containerd: Containerd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CRIU puts it onto the host's network whatever pod it is given: seen before, and seen after if not."""
    monkeypatch.setattr(
        lab_containerd, "_security", lambda _workload: {"namespace_options": {"network": 2, "pid": 1}}
    )
    path = captured(containerd, SHELL_COUNTER, tmp_path / "a.tar")
    monkeypatch.undo()
    before = kit.pods(containerd)
    engine = kit.engine_of(containerd)
    with open_checkpoint(str(path)) as checkpoint:
        codes = {each.code for each in engine.restore_concerns(checkpoint, RestoreOptions(name="no"))}
        assert "cri.host-network" in codes
        monkeypatch.setattr("cryoscope.engines.cri.restore.on_host_network", lambda _checkpoint: False)
        with pytest.raises(EngineError) as error:
            engine.restore(str(path), checkpoint, RestoreOptions(name="no"))
    engine.close()
    assert error.value.code == "cri.escaped"
    assert kit.pods(containerd) == before


def test_a_restore_that_criu_refuses_says_why_and_leaves_nothing(
    containerd: Containerd, tmp_path: Path
) -> None:
    """containerd says only that CRIU failed, and takes the log away: it was opened before."""
    path = captured(containerd, KINDS, tmp_path / "a.tar")
    before = kit.pods(containerd)
    engine = kit.engine_of(containerd)
    with open_checkpoint(str(path)) as checkpoint:
        concerns = engine.restore_concerns(checkpoint, RestoreOptions(name="kinds"))
        assert "cri.shared-memory" in {each.code for each in concerns}
        with pytest.raises(EngineError) as error:
            engine.restore(str(path), checkpoint, RestoreOptions(name="kinds"))
    engine.close()
    assert error.value.code.startswith("criu.")
    assert error.value.code not in ("criu.reason-elsewhere", "criu.failed")
    assert "lab-posix" in error.value.message
    assert kit.pods(containerd) == before
    own = containerd.node.outside(kit.OWN)
    assert not [*own.glob("restored-*"), *own.glob("*scratch-*")]


def test_a_packed_archive_and_a_broken_one(
    containerd: Containerd, archive: tuple[Path, str, int], tmp_path: Path
) -> None:
    path, secret, _ = archive
    packed = tmp_path / "a.tar.gz"
    packed.write_bytes(gzip.compress(path.read_bytes(), 1))
    with kit.restored(containerd, packed, name="packed") as done:
        assert asked(outside(containerd, done)).split()[0] == secret
    before = kit.pods(containerd)
    engine = kit.engine_of(containerd)
    cut = tmp_path / "cut.tar"
    with open_checkpoint(str(path)) as checkpoint:
        packed.write_bytes(packed.read_bytes()[:10_000])
        with pytest.raises(ArchiveError):
            engine.restore(str(packed), checkpoint, RestoreOptions(name="broken"))
        cut.write_bytes(path.read_bytes()[: 1 << 16])
        with pytest.raises(EngineError) as error:
            engine.restore(str(cut), checkpoint, RestoreOptions(name="broken"))
        with pytest.raises(EngineError) as missing:
            engine.restore("no.such.registry/image:1", checkpoint, RestoreOptions(name="broken"))
    engine.close()
    assert error.value.code in ("cri.archive-truncated", "cri.archive-empty")
    assert missing.value.code == "cri.image-missing"
    assert kit.pods(containerd) == before


def test_a_base_image_by_another_name(containerd: Containerd, archive: tuple[Path, str, int]) -> None:
    """An archive of an imported image names it by a bare digest; the node knows a name to pull."""
    engine = kit.engine_of(containerd)
    with open_checkpoint(str(archive[0])) as checkpoint:
        name = checkpoint.container.image_id
        assert name is not None
        image = engine.client.call("ImageStatus", image={"image": name}).image
        checkpoint.__dict__["container"] = msgspec.structs.replace(checkpoint.container, image_id=image.id)
        (edit,) = engine.edits(checkpoint, RestoreOptions(name="x")).change["config.dump"]
        assert msgspec.json.decode(edit(checkpoint.archive.read("config.dump")))["rootfsImageRef"] == name
        unknown = msgspec.structs.replace(checkpoint.container, image_id="sha256:" + "ab" * 32)
        checkpoint.__dict__["container"] = unknown
        concerns = engine.restore_concerns(checkpoint, RestoreOptions(name="x"))
        assert ("cri.image-missing", "hard") in {(each.code, each.weight) for each in concerns}
    engine.close()
