"""What `Checkpoint` says of real archives, held against /proc of the moment and against crit.

Where the two may differ, the difference is in a table here, with its reason; anything else fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from built_samples import made, tree
from conftest_types import Load
from truth_samples import Mapping, Truth, by_pid, crit_mems, crit_rss, dumped, pids_with

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.memory import Vma
from cryoscope.checkpoint.process import Process

Read = Callable[[str], Truth]
Find = Callable[[str], Path]

WITH_TRUTH = {
    "podman-kitchen-sink": "checkpoint.tar.zst",
    "podman-counter": "checkpoint.tar.zst",
    "podman-threads": "checkpoint.tar.zst",
    "podman-looper-crun": "checkpoint.tar",
    "podman-looper-runc": "checkpoint.tar.zst",
}
CHANGING = {"podman-looper-crun": "sleep", "podman-looper-runc": "sleep"}
"""A child that lives for a second: /proc was read before the dump, so its pid is another."""

folders = pytest.mark.parametrize("folder", WITH_TRUTH)


@pytest.fixture
def opened(load: Load, folder: str) -> Checkpoint:
    return load(f"{folder}/{WITH_TRUTH[folder]}")


@pytest.fixture
def known(truth: Read, folder: str) -> Truth:
    return truth(folder)


def both(checkpoint: Checkpoint, known: Truth, folder: str) -> list[tuple[Process, Any]]:
    """Each process with what /proc said of it."""
    changing = CHANGING.get(folder)
    names = {task.comm: task for task in known.tasks.values()}
    return [
        (process, names[changing] if process.comm == changing else known.tasks[process.pid])
        for process in checkpoint.processes
    ]


# --- /proc --------------------------------------------------------------------------------------
@folders
def test_the_same_processes(opened: Checkpoint, known: Truth, folder: str) -> None:
    changing = CHANGING.get(folder)
    ours = {p.pid for p in opened.processes if p.comm != changing}
    assert ours == {t.pid for t in known.tasks.values() if t.comm != changing}
    assert len(opened.processes) == len(known.tasks)
    assert opened.damaged == []


@folders
def test_names_command_lines_and_places(opened: Checkpoint, known: Truth, folder: str) -> None:
    for process, task in both(opened, known, folder):
        assert process.comm == task.comm
        assert process.state == ("zombie" if task.state == "Z" else "alive")
        assert " ".join(process.cmdline or []) == task.cmdline
        assert (process.exe or "", process.cwd or "") == (task.exe, task.cwd)


@folders
def test_who_started_whom(opened: Checkpoint, known: Truth, folder: str) -> None:
    """/proc of the host shows the parents' host pids: siblings there are siblings here."""
    families: dict[int, set[int]] = {}
    for process, task in both(opened, known, folder):
        families.setdefault(task.ppid_on_host, set()).add(process.ppid)
    assert all(len(parents) == 1 for parents in families.values())
    assert len({min(parents) for parents in families.values()}) == len(families)


@folders
def test_threads(opened: Checkpoint, known: Truth, folder: str) -> None:
    for process, task in both(opened, known, folder):
        if process.state == "zombie":  # CRIU writes no threads of a zombie: they are gone
            assert process.threads == []
        elif process.comm == CHANGING.get(folder):
            assert [thread.comm for thread in process.threads] == list(task.tids.values())
        else:
            assert {thread.tid: thread.comm for thread in process.threads} == task.tids


@folders
def test_every_descriptor_and_where_it_leads(opened: Checkpoint, known: Truth, folder: str) -> None:
    for process, task in both(opened, known, folder):
        assert {fd.fd: fd.target for fd in opened.descriptors(process.pid)} == task.fds


@folders
def test_sockets(opened: Checkpoint, known: Truth) -> None:
    ours = {held.socket.inode: held.socket for held in opened.sockets}
    assert set(ours) == set(known.sockets)
    for inode, sock in known.sockets.items():
        socket = ours[inode]
        assert socket.local == sock.local
        if sock.family == "unix":
            assert socket.family == "unix"
            continue
        assert (socket.remote, socket.recv_queue) == (sock.remote, sock.received)
        assert socket.family == ("inet6" if sock.family == "tcp6" else "inet")
        assert socket.protocol == sock.family.rstrip("6")
        assert socket.state == {0x0A: "LISTEN", 0x01: "ESTABLISHED", 0x07: "CLOSE"}[sock.state]


SHOWN = {"heap": "[heap]", "stack": "[stack]", "vdso": "[vdso]", "vsyscall": "[vsyscall]", "vvar": "[vvar]"}


def as_in_proc(vma: Vma) -> Mapping:
    name = SHOWN.get(vma.kind) or (vma.path or "") + (" (deleted)" if vma.deleted else "")
    return Mapping(vma.start, vma.end, vma.perms, vma.offset, name)


def with_one_vvar(maps: list[Mapping]) -> list[Mapping]:
    """[vvar] and [vvar_vclock] are one mapping for CRIU (criu/proc_parse.c)."""
    found: list[Mapping] = []
    for line in maps:
        if line.name == "[vvar_vclock]":
            assert found[-1].end == line.start
            found[-1] = found[-1]._replace(end=line.end)
        else:
            found.append(line)
    return found


@folders
def test_mappings_of_init(opened: Checkpoint, known: Truth) -> None:
    space = opened.memory(1)
    assert space is not None
    # a guard is no line of /proc/PID/maps: CRIU found it with PAGEMAP_SCAN
    ours = [as_in_proc(vma) for vma in space.vmas if vma.kind != "guard"]
    assert ours == with_one_vvar(known.maps)


@folders
def test_stacks_of_all_threads_are_dumped(opened: Checkpoint, folder: str) -> None:
    """Also those above a guard page, which is a mapping inside their mapping for CRIU."""
    for process in opened.processes:
        space = opened.memory(process.pid)
        for thread in process.threads:
            assert space is not None
            assert thread.sp is not None
            assert thread.ip is not None
            assert len(space.read(thread.sp, 64)) == 64
            found = space.find(thread.ip)
            assert found is not None
            assert "x" in found.perms


NOT_IN_A_TAR = re.compile(r"\.sock$")
"""Sockets: Podman says that they were added, and leaves them out, as tar cannot hold them."""


@folders
def test_changed_files(opened: Checkpoint, known: Truth, folder: str) -> None:
    added = {path for kind, path in known.changes if kind == "A" and not NOT_IN_A_TAR.search(path)}
    written = {change.path for change in opened.changes if change.change == "written"}
    assert added <= written
    below = {path for path in written - added if not any(path.startswith(a + "/") for a in added)}
    assert below <= {path for kind, path in known.changes if kind == "C"}
    deleted = {change.path for change in opened.changes if change.change == "deleted"}
    assert deleted == {path for kind, path in known.changes if kind == "D"}


@folders
def test_the_log_goes_on_where_it_was_read(opened: Checkpoint, known: Truth) -> None:
    assert opened.log_name == "ctr.log"
    lines = opened.archive.read("ctr.log").decode().splitlines()
    said = [line.split(" ", 3)[3] for line in lines]  # time, stream, F(ull line), text
    assert said[: len(known.log)] == known.log


# --- crit x -------------------------------------------------------------------------------------
CRIT = {
    "podman-kitchen-sink": "podman-kitchen-sink/checkpoint.tar.zst",
    "podman-looper-crun": "podman-looper-crun/checkpoint.tar",
    "containerd-looper": "containerd-looper/checkpoint.tar",
    "docker-looper": "docker-looper/checkpoint",
}
"""Of the other folders crit listed an earlier checkpoint of the same container."""
listed = pytest.mark.parametrize("folder", CRIT)
mapped = pytest.mark.parametrize("folder", ["podman-kitchen-sink", "podman-looper-crun"])


@listed
def test_crit_x_ps(load: Load, corpus: Path, folder: str) -> None:
    checkpoint = load(CRIT[folder])
    lines = (corpus / folder / "crit-x-ps.txt").read_text().splitlines()[1:]
    rows = [re.fullmatch(r" *(\d+) +(\d+) +(\d+) {3}( *)(\S+)", line) for line in lines]
    theirs = [(int(r[1]), int(r[2]), int(r[3]), len(r[4]) // 4, r[5]) for r in rows if r]
    ours = [(b.process.pid, b.process.pgid, b.process.sid, b.depth, b.process.comm) for b in checkpoint.tree]
    assert ours == theirs


@listed
def test_crit_x_fds(load: Load, corpus: Path, folder: str) -> None:
    checkpoint = load(CRIT[folder])
    for pid, lines in by_pid((corpus / folder / "crit-x-fds.txt").read_text()).items():
        theirs = dict(line.strip().split(": ", 1) for line in lines)
        process = checkpoint.process(pid)
        assert (theirs.pop("cwd"), theirs.pop("root")) == (process.cwd, process.root)
        ours = {str(fd.fd): fd for fd in checkpoint.descriptors(pid)}
        assert set(ours) == set(theirs)
        for number, text in theirs.items():
            assert crit_says(text, ours[number]), (number, text)


def crit_says(text: str, fd: Any) -> bool:
    """crit shows a path, `pipe[inode]`, `unix[inode (peer) name]`, or the type and id of the rest."""
    if kind := re.fullmatch(r"([A-Z]+)\.(\d+)", text):
        other = {"INETSK": "socket", "EVENTPOLL": "epoll"}
        return (other.get(kind[1], kind[1].lower()), int(kind[2])) == (fd.type, fd.file_id)
    if pipe := re.fullmatch(r"pipe\[(\d+)\]", text):
        return bool((fd.type, fd.inode) == ("pipe", int(pipe[1])))
    if unix := re.match(r"unix\[(\d+) \((\d+)\)", text):
        return bool((fd.inode, fd.socket.peer or 0) == (int(unix[1]), int(unix[2])))
    return bool(fd.path == text)


@mapped
def test_crit_x_mems(load: Load, corpus: Path, folder: str) -> None:
    checkpoint = load(CRIT[folder])
    for pid, lines in by_pid((corpus / folder / "crit-x-mems.txt").read_text()).items():
        space = checkpoint.memory(pid)
        assert space is not None
        assert checkpoint.process(pid).exe == lines[0].removeprefix("exe").strip()
        ours = sorted((v.start, v.end, v.perms[:3], crit_name(v)) for v in space.vmas)
        theirs = sorted(
            (m.start, m.end, m.perms, re.sub(r"ips\[.*\]", "ips", m.name)) for m in crit_mems(lines)
        )
        assert ours == theirs


def crit_name(vma: Vma) -> str:
    special = {
        "guard": "*",
        "vsyscall": "[vsyscall] *",
        "vdso": "[vdso]",
        "stack": "[stack?]",
        "sysv-shm": "ips",
        "memfd": "unknown path (s)",  # crit looks for the path among regular files only
        "shared-anon": "unknown path (s)",  # a memfd named /dev/zero in the image
    }
    if vma.kind in special:
        return special[vma.kind]
    offset = f" + {vma.offset:#x}" if vma.offset else ""
    return f"{vma.path or ''}{offset}{' (s)' if vma.perms[3] == 's' else ''}"


@mapped
def test_crit_x_rss(load: Load, corpus: Path, folder: str) -> None:
    """Every page that crit finds in the page map is `dumped` here, and no other private page is."""
    checkpoint = load(CRIT[folder])
    for pid, lines in by_pid((corpus / folder / "crit-x-rss.txt").read_text()).items():
        space = checkpoint.memory(pid)
        assert space is not None
        theirs = {at + 4096 * page for at, pages in crit_rss(lines) for page in range(pages)}
        private = [vma for vma in space.vmas if vma.object_id is None]
        runs = [run for vma in private for run in space.runs(vma.start, vma.size) if run.state == "dumped"]
        ours = {run.start + at for run in runs for at in range(0, run.length, 4096)}
        assert ours == theirs
        assert sum(vma.dumped for vma in private) == len(theirs)


# --- engines ------------------------------------------------------------------------------------
def times(text: str | None) -> str | None:
    """A moment to the second, as checkpointctl shows it."""
    return re.sub(r"\.\d+Z", "Z", text) if text else None


INSPECTED = (
    "podman-looper-crun",
    "podman-looper-runc",
    "podman-counter",
    "podman-threads",
    "containerd-looper",
)


def inspected(corpus: Path, folder: str) -> dict[str, Any]:
    document: list[dict[str, Any]] = json.loads((corpus / folder / "checkpointctl-inspect.json").read_text())
    return document[0]


@pytest.mark.parametrize("folder", INSPECTED)
def test_checkpointctl_says_the_same_of_the_container(load: Load, corpus: Path, folder: str) -> None:
    theirs = inspected(corpus, folder)
    name = "checkpoint.tar" if folder in CRIT else WITH_TRUTH[folder]
    container = load(f"{folder}/{name}").container
    ours = (container.name, container.image, container.id, container.runtime, container.engine)
    expected = tuple(theirs[key] for key in ("container_name", "image", "id", "runtime", "engine"))
    assert ours == (*expected[:4], expected[4].lower())
    assert times(container.created) == theirs["created"]
    if "checkpointed" in theirs:
        assert times(container.checkpointed) == theirs["checkpointed"]
    mounts = [(mount.destination, mount.type, mount.source) for mount in container.mounts]
    assert mounts == [(m["destination"], m["type"], m["source"]) for m in theirs["mounts"]]


@pytest.mark.parametrize("folder", ["podman-looper-crun", "containerd-looper"])
def test_checkpointctl_says_the_same_of_the_images(load: Load, corpus: Path, folder: str) -> None:
    """Where it was the very same archive: sizes, statistics, tree, descriptors."""
    theirs, checkpoint = inspected(corpus, folder), load(CRIT[folder])
    sizes, overview = theirs["checkpoint_size"], checkpoint.overview
    assert overview.checkpoint_size == sizes["total_size"]
    assert overview.memory_size == sizes["memory_pages_size"]
    assert overview.rootfs_diff_size == sizes["root_fs_diff_size"]
    assert checkpoint.statistics is not None
    assert {key: getattr(checkpoint.statistics, key) for key in theirs["statistics"]} == theirs["statistics"]
    root = theirs["process_tree"]
    expected = [(root["pid"], root["command"], 0)]
    expected += [(child["pid"], child["command"], root["pid"]) for child in root["children"]]
    assert [(p.pid, p.comm, p.ppid) for p in checkpoint.processes] == expected
    for opened in theirs["file_descriptors"]:
        paths = [f["path"] for f in opened["open_files"] if f["type"]]
        targets = [fd.target for fd in checkpoint.descriptors(opened["pid"])]
        assert [target.replace(":", "") for target in targets] == paths


def test_checkpointctl_says_the_same_of_sockets(load: Load, corpus: Path) -> None:
    (theirs,) = inspected(corpus, "podman-counter")["sockets"]
    (held,) = load("podman-counter/checkpoint.tar.zst").sockets
    data = theirs["open_sockets"][0]["data"]
    assert [holder.pid for holder in held.holders] == [theirs["pid"]]
    assert (held.socket.state, held.socket.local) == (data["state"], f"{data['src']}:{data['src_port']}")


def test_memory_size_is_the_pages_that_the_page_maps_count(load: Load) -> None:
    """What checkpointctl gets wrong on archives of CRIU 4.2, against the page maps themselves."""
    for name in ("podman-kitchen-sink/checkpoint.tar.zst", "podman-looper-criu41/checkpoint.tar"):
        checkpoint = load(name)
        private = sum(
            vma.dumped
            for process in checkpoint.processes
            if (space := checkpoint.memory(process.pid))
            for vma in space.vmas
            if vma.object_id is None
        )
        statistics = checkpoint.statistics
        assert statistics is not None
        shared = checkpoint.overview.memory_size // 4096 - private
        assert (private, shared) == (statistics.pages_written, statistics.shpages_written or 0)


def test_cri_status_and_containerd_agree(load: Load, corpus: Path) -> None:
    text = (corpus / "containerd-looper" / "cri-status.txt").read_text()
    container = load("containerd-looper/checkpoint.tar").container
    pairs = dict(re.findall(r'    key: "(.*)"\n    value: "(.*)"', text))
    assert f'id: "{container.id}"' in text
    assert f'image_ref: "{container.image_id}"' in text
    assert f'image: "{container.image}"' in text
    assert container.labels.items() <= pairs.items()
    assert container.facts["annotations"].items() <= pairs.items()
    assert len(container.labels) + len(container.facts["annotations"]) == len(pairs)
    assert f'log_path: "{container.log_path}"' in text
    assert container.pod is not None
    assert container.pod.sandbox_id is not None
    assert container.pod.sandbox_id in text
    started = int(re.findall(r"started_at: (\d+)", text)[0])
    assert container.started == "2026-11-22T01:08:49.757320Z"
    assert started // 1000 % 1_000_000 == 757320


def test_members_of_containerd(load: Load, corpus: Path) -> None:
    lines = (corpus / "containerd-looper" / "files.txt").read_text().splitlines()
    theirs = {line.split()[5]: int(line.split()[2]) for line in lines if not line.endswith("/")}
    members = load("containerd-looper/checkpoint.tar").archive.members.values()
    assert {m.name: m.size for m in members if m.type == "file"} == theirs


def test_docker_inspect_agrees(load: Load, corpus: Path) -> None:
    (theirs,) = json.loads((corpus / "docker-looper" / "docker-inspect.json").read_text())
    checkpoint = load("docker-looper/checkpoint")
    assert checkpoint.container.engine == "docker"
    assert checkpoint.container.id == theirs["Id"]
    assert checkpoint.container.hostname == theirs["Config"]["Hostname"]
    assert checkpoint.process(1).cmdline == [theirs["Path"], *theirs["Args"]]
    environment = [f"{v.name}={v.value}" for v in checkpoint.environment(1) or []]
    assert set(theirs["Config"]["Env"]) <= set(environment)
    assert checkpoint.changes == []  # docker-diff.txt knows of /log, but Docker puts no files beside


# --- what was put into memory -------------------------------------------------------------------
SECRETS = {
    "podman-looper-crun/checkpoint.tar": "RANDOM_1432_KEY",
    "podman-looper-crun/checkpoint.tar.gz": "RANDOM_1432_KEY",
    "podman-looper-crun/checkpoint.tar.zst": "RANDOM_1432_KEY",
    "podman-looper-runc/checkpoint.tar.zst": "RANDOM_1432_KEY",
    "podman-looper-criu41/checkpoint.tar": "RANDOM_1432_KEY",
    "docker-looper/checkpoint": "DOCKER_SECRET_77",
    "containerd-looper/checkpoint.tar": "CTRD_SECRET_99",
}


@pytest.mark.parametrize("name", SECRETS)
def test_looper_secret(load: Load, name: str) -> None:
    """The shell exported it: it stands in both memories, in the child's environment, not the shell's."""
    checkpoint, secret = load(name), SECRETS[name]
    shell, child = checkpoint.processes
    assert pids_with(checkpoint, secret.encode()) == {shell.pid, child.pid}
    assert ("SECRET", secret) in [(v.name, v.value) for v in checkpoint.environment(child.pid) or []]
    assert "SECRET" not in [v.name for v in checkpoint.environment(shell.pid) or []]
    assert shell.cmdline is not None
    assert f"export SECRET={secret};" in shell.cmdline[2]


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_looper_environment_and_files(load: Load, runtime: str) -> None:
    checkpoint = load(f"podman-looper-{runtime}/{WITH_TRUTH['podman-looper-' + runtime]}")
    for process in checkpoint.processes:
        variables = [(v.name, v.value) for v in checkpoint.environment(process.pid) or []]
        assert ("APP_ENV", f"prod-{runtime}") in variables
    assert checkpoint.container.runtime == runtime
    assert checkpoint.container.process is not None
    assert f"APP_ENV=prod-{runtime}" in checkpoint.container.process.env


@pytest.mark.parametrize("secret", ["HTTP-POSTED-SECRET-a1b2c3", "CTR-TOKEN-7f3a9c55e1"])
def test_counter_secrets_are_in_python_only(load: Load, secret: str) -> None:
    checkpoint = load("podman-counter/checkpoint.tar.zst")
    assert pids_with(checkpoint, secret.encode()) == {3}
    space = checkpoint.memory(3)
    assert space is not None
    places = {
        run.member
        for vma in space.vmas
        for run in space.runs(vma.start, vma.size)
        if run.state == "dumped" and secret.encode() in space.read(run.start, run.length)
    }
    assert places == {"checkpoint/pages-2.img"}


def test_thread_secrets(load: Load) -> None:
    checkpoint = load("podman-threads/checkpoint.tar.zst")
    found = {m for _, _, data in dumped(checkpoint, 1) for m in re.findall(rb"THREAD-SECRET-(\d)-", data)}
    assert found >= {b"%d" % n for n in range(8)}


def test_hostname_and_volume_of_counter(load: Load) -> None:
    checkpoint = load("podman-counter/checkpoint.tar.zst")
    assert checkpoint.container.hostname == "counterhost"
    assert "volumes/cdata.tar" in checkpoint.archive
    assert b"volume-file" in checkpoint.archive.read("volumes/cdata.tar")


# --- the kubelet's ------------------------------------------------------------------------------
KUBELET = {
    "kubelet/crio-counters-counter.tar": "cri-o",
    "kubelet/containerd-counters-counter.tar": "containerd",
}
by_both_engines = pytest.mark.parametrize("name", KUBELET)


@by_both_engines
def test_kubelet_environment(load: Load, name: str) -> None:
    checkpoint = load(name)
    assert checkpoint.container.engine == KUBELET[name]
    for pid in [process.pid for process in checkpoint.processes]:
        variables = {v.name: v.value for v in checkpoint.environment(pid) or []}
        assert variables["DB_PASSWORD"] == "MARKER-env-password-c0ffee"
        assert variables["FROM_SECRET"] == "MARKER-mounted-secret-7f3a91"


@by_both_engines
def test_kubelet_processes(load: Load, name: str) -> None:
    shell, long, short = load(name).processes
    assert (shell.pid, shell.comm, shell.cwd) == (1, "sh", "/")
    assert (long.cmdline, long.cwd) == (["sleep", "100000"], "/tmp")
    assert short.cmdline == ["sleep", "1"]


@by_both_engines
def test_kubelet_dropper(load: Load, name: str) -> None:
    from cryoscope.checkpoint.rootfs.ghosts import contents

    checkpoint = load(name)
    (ghost,) = checkpoint.ghosts
    assert (ghost.path, ghost.size) == ("/tmp/dropper", 30)
    assert contents(checkpoint.images, ghost.member.rpartition("/")[2]) == b"MARKER-deleted-open-file-5678\n"
    (seven,) = [fd for fd in checkpoint.descriptors(1) if fd.fd == 7]
    assert (seven.target, seven.deleted, seven.file_id) == ("/tmp/dropper (deleted)", True, ghost.file_id)


@by_both_engines
def test_kubelet_files(load: Load, name: str) -> None:
    changes = {change.path: change.change for change in load(name).changes}
    assert changes["/bin/wget"] == "deleted"
    assert {changes[path] for path in ("/etc/passwd", "/data/written", "/data/count")} == {"written"}
    assert "/tmp/dropper" not in changes


@by_both_engines
def test_kubelet_memory_only(load: Load, name: str) -> None:
    assert 1 in pids_with(load(name), b"MARKER-shell-heap-9abc")


@by_both_engines
def test_kubelet_log_pod_and_dump(load: Load, name: str) -> None:
    checkpoint = load(name)
    assert checkpoint.log_name is not None
    lines = checkpoint.archive.read(checkpoint.log_name).decode().splitlines()
    assert [line.split(" ", 3)[3] for line in lines[:3]] == ["count 0", "count 1", "count 2"]
    pod = checkpoint.container.pod
    assert pod is not None
    assert pod.name == "counters"
    assert pod.namespace == ("team-b" if "crio" in name else "default")
    assert checkpoint.container.name == "counter"
    assert checkpoint.dump_log is not None
    assert checkpoint.dump_log.version == "4.2.1"
    assert len(checkpoint.dump_log.problems) == 3


@pytest.mark.parametrize("engine", ["crio", "containerd"])
def test_redis(load: Load, engine: str) -> None:
    checkpoint = load(f"kubelet/{engine}-counters-redis.tar")
    assert [held.socket.local for held in checkpoint.sockets if held.socket.listening] == ["127.0.0.1:6379"]
    assert pids_with(checkpoint, b"MARKER-redis-value-d00d") == {1}


def test_cut_off_by_a_full_disk(load: Load) -> None:
    """Without pstree.img the cores tell who there was; what is lost is named."""
    checkpoint = load("kubelet/truncated-by-full-disk.tar")
    found = {process.pid: (process.comm, process.state, process.cmdline) for process in checkpoint.processes}
    assert found == {1: ("sh", "alive", None), 1153: ("sleep", "alive", None)}
    codes = {(damaged.part, damaged.code) for damaged in checkpoint.damaged}
    assert ("checkpoint/pstree.img", "process.pstree-missing") in codes
    assert ("pid 1", "memory.truncated") in codes
    assert checkpoint.environment(1) is None
    space = checkpoint.memory(1)
    assert space is not None
    # 29184 bytes of pages-1.img are there: seven whole pages can still be read
    runs = [run for vma in space.vmas for run in space.runs(vma.start, vma.size) if run.state == "dumped"]
    whole = [run for run in runs if run.offset + run.length <= 29184]
    assert whole
    assert all(len(space.read(run.start, run.length)) == run.length for run in whole)


def test_files_beside_the_images_that_are_none() -> None:
    """A folder or a fifo where a log should be is named; the rest is read."""
    checkpoint = made({"pstree.img": tree((1, 0))}, {"dump.log": "x", "stats-dump": "y"})
    assert (checkpoint.dump_log, checkpoint.statistics) == (None, None)
    assert [(damaged.part, damaged.code) for damaged in checkpoint.damaged] == [
        ("dump.log", "archive.not-a-file"),
        ("stats-dump", "archive.not-a-file"),
    ]
