"""The same checkpoints through crit and checkpointctl, in the node, and through Cryoscope."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cryoscope.checkpoint import criu
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.workflows.open import open_checkpoint
from lab import workloads
from lab.node import Node
from lab.workloads import Workload
from lab_report import FACTS
from taken import Take, Taken

COMPARED = (workloads.SHELL_COUNTER, workloads.KINDS, workloads.THREADS, workloads.REDIS)
SCRIPT = (Path(__file__).parent / "crit_shows.py").read_bytes()

KINDS = dict.fromkeys(("file", "directory", "chardev", "blockdev"), "REG") | {"pipe": "PIPE"}
"""Descriptors that checkpointctl names as the kernel does, by our word for them: it has none for devices."""

STATISTICS = (
    "freezing_time",
    "frozen_time",
    "memdump_time",
    "memwrite_time",
    "pages_scanned",
    "pages_written",
)

names = pytest.mark.parametrize("workload", COMPARED, ids=lambda workload: workload.name)
Record = Callable[[str, object], None]


def unpacked(taken: Taken) -> tuple[Node, str]:
    """The images of a checkpoint as a folder in the node."""
    node = taken.engine.node
    inside = "/" + str(taken.path.relative_to(node.files))
    if taken.path.is_dir():
        return node, inside
    folder = inside + ".d"
    node.run("sh", "-c", 'mkdir -p "$1" && tar -xf "$0" -C "$1"', inside, folder)
    return node, folder


def crit(taken: Taken) -> dict[str, Any]:
    """What crit shows of every image, by its name without the folder."""
    node, folder = unpacked(taken)
    shown = json.loads(node.run("python3", "-", folder, stdin=SCRIPT).stdout)
    return {Path(name).name: document for name, document in shown.items()}


def images(taken: Taken) -> Iterator[tuple[str, bytes]]:
    with open_checkpoint(str(taken.path)) as checkpoint:
        for name in checkpoint.archive.names(checkpoint.prefix):
            base = name.removeprefix(checkpoint.prefix)
            if base.endswith(".img") and not base.startswith("pages-"):
                yield base, checkpoint.archive.read(name)


@names
def test_every_image_is_shown_as_crit_shows_it(
    engine_name: str, workload: Workload, take: Take, record_property: Record
) -> None:
    taken = take(engine_name, workload)
    theirs, compared = crit(taken), 0
    for name, data in images(taken):
        if "error" in theirs[name]:
            continue  # no image, or of a type that crit does not decode: docs/differences-from-crit.md
        shown = criu.to_json(criu.parse(data, name=name))
        assert json.dumps(shown) == json.dumps(theirs[name]), name
        compared += leaves(shown)
    record_property(FACTS, (f"crit {engine_name}", compared))
    assert compared > 500


def leaves(document: Any) -> int:
    """Values in a JSON document."""
    if isinstance(document, dict):
        return sum(map(leaves, document.values()))
    return sum(map(leaves, document)) if isinstance(document, list) else 1


@names
def test_checkpointctl_tells_the_same(
    engine_name: str, workload: Workload, take: Take, record_property: Record
) -> None:
    taken = take(engine_name, workload)
    if taken.path.is_dir():
        pytest.skip("checkpointctl reads archives of Podman, CRI-O and containerd only")
    node = taken.engine.node
    inside = "/" + str(taken.path.relative_to(node.files))
    done = node.run("checkpointctl", "inspect", "--all", "--format", "json", inside, check=False)
    if done.returncode:
        pytest.skip(f"checkpointctl cannot read it: {done.stderr.strip().splitlines()[-1]}")
    (theirs,) = json.loads(done.stdout)
    with open_checkpoint(str(taken.path), stacks=True) as checkpoint:
        ours = as_checkpointctl(checkpoint)
        pids = {process.pid for process in checkpoint.processes}
    told = {key: theirs.get(key) for key in ours}
    told["process_tree"] = list(_tree(theirs["process_tree"]))
    told["file_descriptors"] = {
        row["pid"]: {f["fd"]: f["path"] for f in row["open_files"] if f["type"] in KINDS.values()}
        for row in theirs["file_descriptors"]
    }
    assert ours == told
    record_property(FACTS, (f"checkpointctl {engine_name}", leaves(list(told.values())) + len(pids)))


def _tree(node: dict[str, Any], parent: int = 0) -> Iterator[tuple[int, str, int]]:
    yield node["pid"], node["command"], parent
    for child in node.get("children", []):
        yield from _tree(child, node["pid"])


def as_checkpointctl(checkpoint: Checkpoint) -> dict[str, Any]:
    """What checkpointctl tells and gets right, said by Cryoscope."""
    container, sizes = checkpoint.container, checkpoint.overview
    statistics = checkpoint.statistics
    return {
        "container_name": container.name,
        "image": container.image,
        "id": container.id,
        "runtime": container.runtime,
        "created": re.sub(r"\.\d+Z", "Z", container.created or ""),
        "engine": {"podman": "Podman", "containerd": "containerd"}[container.engine],
        "checkpoint_size": known(
            total_size=sizes.checkpoint_size,
            memory_pages_size=sizes.memory_size,
            root_fs_diff_size=sizes.rootfs_diff_size,
        ),
        "statistics": {key: getattr(statistics, key) for key in STATISTICS},
        "mounts": [
            {"destination": m.destination, "type": m.type, "source": m.source} for m in container.mounts
        ],
        "process_tree": [(b.process.pid, b.process.comm, b.process.ppid) for b in checkpoint.tree],
        "file_descriptors": {
            process.pid: {
                f"{KINDS[fd.type]} {fd.fd}": fd.target.replace(":", "")
                for fd in checkpoint.descriptors(process.pid)
                if fd.type in KINDS
            }
            for process in checkpoint.processes
            if process.state != "zombie"
        },
    }


def known(**sizes: int | None) -> dict[str, int]:
    """Sizes as Go writes them: those that are 0 or not known are left out."""
    return {name: size for name, size in sizes.items() if size}
