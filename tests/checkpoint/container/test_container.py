"""Whose checkpoint it is: what each engine alone knows, and engines' files full of nonsense."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from built_samples import INVENTORY, core, image, made, tar, tree
from conftest_types import Load
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cryoscope.checkpoint.archive import BytesSource, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.container import Container
from cryoscope.checkpoint.container.dumps import moment, moment_of_ns
from cryoscope.workflows.documents import encode
from cryoscope.workflows.masking import Masker
from cryoscope.workflows.open import open_checkpoint


def whose(files: dict[str, bytes]) -> Container:
    return made(files).container


def test_what_podman_knows(load: Load) -> None:
    container = load("podman-looper-crun/checkpoint.tar").container
    assert container.engine == "podman"
    assert container.facts["CreateCommand"][:3] == ["podman", "--runtime", "crun"]
    assert container.facts["stopTimeout"] == 10
    assert container.log_path is not None
    assert container.log_path.endswith("ctr.log")
    assert container.pod is None
    assert container.checkpointed_from == "time of inventory.img"
    assert len(container.image_id or "") == 64


def test_what_crio_knows(load: Load) -> None:
    container = load("kubelet/crio-counters-counter.tar").container
    uid = "615aef21-7120-41dc-98ee-a9dbb1fa90f9"
    assert container.engine == "cri-o"
    assert (container.name, container.image) == ("counter", "localhost/busybox:1.37")
    assert container.id == container.facts["ContainerID"]
    assert container.image_id == "a938b4ffb454c266c201a29aa97fc14b1b336c970ac8a715da59f6f5da72ee8b"
    assert container.pod is not None
    assert (container.pod.name, container.pod.namespace, container.pod.uid) == ("counters", "team-b", uid)
    assert len(container.pod.sandbox_id or "") == 64
    assert container.ips == ["10.77.2.2"]
    assert container.labels["io.kubernetes.container.name"] == "counter"
    assert container.log_path == f"/var/log/pods/team-b_counters_{uid}/counter/1.log"
    assert container.created == "2026-11-22T00:47:17.258462Z"
    assert (container.checkpointed, container.checkpointed_from) == ("2026-11-22T00:48:26.319873Z", None)
    assert container.restored is False
    assert container.facts["Metadata"] == {"name": "counter", "attempt": 1}
    assert isinstance(container.facts["Volumes"], list)
    binds = {bind.destination: bind for bind in container.bind_mounts}
    assert binds["/etc/resolv.conf"].mode == "0644"
    assert binds["/scratch"].source.endswith("/volumes/kubernetes.io~empty-dir/scratch")


def test_what_containerd_knows(load: Load) -> None:
    container = load("kubelet/containerd-counters-counter.tar").container
    uid = "66b398fd-bd37-40e9-a1d6-48b3521841ae"
    assert container.engine == "containerd"
    assert (container.name, container.image) == ("counter", "localhost/busybox:1.37")
    assert container.started == "2026-11-22T00:47:16.889884Z"
    assert container.pod is not None
    assert (container.pod.name, container.pod.namespace, container.pod.uid) == ("counters", "default", uid)
    assert container.labels["io.kubernetes.pod.uid"] == uid
    assert container.facts["host_pid"] == 474
    assert container.facts["state"] == 1
    assert container.facts["annotations"]["io.kubernetes.container.restartCount"] == "1"
    assert container.facts["resources"]["linux"]["memory_limit_in_bytes"] == 134217728
    mounts = {mount["container_path"]: mount for mount in container.facts["mounts"]}
    assert mounts["/etc/sec"]["mode"] == "ro"
    assert mounts["/etc/sec"]["host_path"].endswith("/volumes/kubernetes.io~secret/sec")
    assert mounts["/scratch"]["mode"] == "rw"
    assert container.log_path == f"/var/log/pods/default_counters_{uid}/counter/1.log"


def test_what_docker_leaves(load: Load) -> None:
    container = load("docker-looper/checkpoint").container
    assert (container.engine, container.runtime, container.hostname) == ("docker", "runc", "node")
    assert (container.name, container.image, container.pod) == (None, None, None)


def test_what_bare_criu_leaves(data: Path) -> None:
    with open_checkpoint(str(data / "criu-incremental.tar.zst")) as checkpoint:
        container = checkpoint.container
    assert (container.engine, container.id, container.name) == ("criu", None, None)


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("crio-counter.tar", "cri-o"),
        ("containerd-counter.tar", "containerd"),
        ("podman-looper-crun.tar", "podman"),
        ("podman-looper-crun.tar.gz", "podman"),
        ("docker-looper", "docker"),
    ],
)
def test_told_from_content_not_from_the_name(data: Path, tmp_path: Path, name: str, engine: str) -> None:
    for lie in ("checkpoint-pod_ns-ctr.tar", "podman.tar.zst", "docker", "crio.img"):
        target = tmp_path / lie
        if (data / name).is_dir():
            shutil.copytree(data / name, target)
        else:
            shutil.copy(data / name, target)
        with open_checkpoint(str(target)) as checkpoint:
            assert checkpoint.container.engine == engine


def spec(**annotations: str) -> bytes:
    return json.dumps({"annotations": {key.replace("__", "."): v for key, v in annotations.items()}}).encode()


@pytest.mark.parametrize(
    ("files", "engine"),
    [
        ({"spec.dump": spec(io__container__manager="libpod")}, "podman"),
        ({"spec.dump": spec(io__container__manager="cri-o")}, "cri-o"),
        ({"spec.dump": spec(io__container__manager="else")}, "criu"),
        ({"spec.dump": b'{"annotations": {"io.kubernetes.cri.sandbox-id": "x"}}'}, "containerd"),
        ({"spec.dump": b"{}", "status.dump": b"{}"}, "containerd"),
        ({"config.dump": b'{"rootfsImageID": "x", "staticDir": "/y"}'}, "podman"),
        ({"config.dump": b'{"id": "x"}'}, "criu"),
        ({}, "criu"),
        ({"spec.dump": b"not JSON", "status.dump": b"neither"}, "containerd"),
    ],
)
def test_recognised(files: dict[str, bytes], engine: str) -> None:
    container = whose(files)
    assert container.engine == engine
    assert container.engine_evidence


def test_broken_json_is_named_and_the_rest_read() -> None:
    config = b'{"id": "abc", "name": "n", "runtime": "crun"}'
    checkpoint = made({"pstree.img": tree((1, 0)), "spec.dump": b"{", "config.dump": config})
    assert (checkpoint.container.id, checkpoint.container.runtime) == ("abc", "crun")
    assert [(damaged.part, damaged.code) for damaged in checkpoint.damaged] == [
        ("spec.dump", "container.json")
    ]


# --- nonsense -----------------------------------------------------------------------------------
ARCHIVES = ("crio-counter.tar", "containerd-counter.tar", "podman-looper-crun.tar")
JSON = ("config.dump", "spec.dump", "status.dump", "status", "network.status", "bind.mounts", "deleted.files")

text = st.text(st.characters(), max_size=8) | st.sampled_from(
    ["", "0", "\x00", "\udc80", "￿", "[]", "{", "😀"]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


def documents(data: Path, name: str) -> dict[str, Any]:
    with tarfile.open(data / name) as tar_file:
        found = {}
        for member in tar_file.getmembers():
            if member.name in JSON:
                stream = tar_file.extractfile(member)
                assert stream is not None
                found[member.name] = json.load(stream)
    # what an archive of this engine may also hold
    network = {"n": {"interfaces": {"eth0": {"subnets": [{"ipnet": "10.0.0.1/8"}], "mac_address": "a"}}}}
    extra = {
        "network.status": network,
        "deleted.files": ["/bin/x"],
        "bind.mounts": [{"source": "/a", "permissions": 1}],
    }
    return extra | {name: value for name, value in found.items() if value is not None}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield from places(item, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    if not path:
        return other
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], other)
    return copy


@pytest.mark.parametrize("name", ARCHIVES)
@given(drawn=st.data())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_node_may_be_anything(data: Path, name: str, drawn: st.DataObject) -> None:
    """Up to four nodes of the real files become some other JSON: nothing raises, all can be shown."""
    found = documents(data, name)
    for _ in range(drawn.draw(st.integers(1, 4))):
        member = drawn.draw(st.sampled_from(sorted(found)))
        path = drawn.draw(st.sampled_from(list(places(found[member]))))
        found[member] = replaced(found[member], path, drawn.draw(values))
    checkpoint = made({member: json.dumps(value).encode() for member, value in found.items()})
    shown = Masker().container(checkpoint.container)
    assert json.loads(encode(shown))["engine"] in ("podman", "cri-o", "containerd", "docker", "criu")
    assert encode(checkpoint.changes)
    assert encode(checkpoint.overview)
    assert encode(checkpoint.damaged)


@given(st.binary(max_size=200), st.sampled_from(JSON))
@settings(max_examples=100, deadline=None)
def test_any_bytes(content: bytes, member: str) -> None:
    checkpoint = made({member: content})
    assert encode(checkpoint.container)
    assert encode(checkpoint.changes)


@pytest.mark.parametrize("depth", [100, 5_000, 200_000])
def test_nested_without_end(depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    config = b'{"rootfsImageID": "x", "staticDir": "/y", "CreateCommand": ' + deep + b"}"
    annotation = json.dumps(deep.decode()).encode()
    spec_dump = b'{"annotations": {"io.kubernetes.cri-o.Labels": ' + annotation + b"}}"
    for files in ({"config.dump": config}, {"spec.dump": spec_dump}, {"deleted.files": deep}):
        checkpoint = made(files)
        assert encode(Masker().container(checkpoint.container))
        assert checkpoint.changes == []


# --- times --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("2026-11-22T00:47:17.258462974Z", "2026-11-22T00:47:17.258462Z"),
        ("2026-11-22T02:47:17+02:00", "2026-11-22T00:47:17Z"),
        ("0001-01-01T00:00:00Z", None),
        ("2026-11-22", None),
        ("2026-11-22T00:47:17", None),
        ("yesterday", None),
        ("", None),
        ("0001-01-01T00:00:01+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        (None, None),
    ],
)
def test_moments(written: str | None, shown: str | None) -> None:
    assert moment(written) == shown


@given(st.integers())
def test_moments_of_any_number(nanoseconds: int) -> None:
    found = moment_of_ns(nanoseconds)
    assert found is None or found.endswith("Z")


def test_moments_of_numbers() -> None:
    assert moment_of_ns(1795308436889884731) == "2026-11-22T00:47:16.889884Z"
    assert moment_of_ns(0) is None
    assert moment_of_ns(None) is None


# --- what is lost -------------------------------------------------------------------------------
def test_processes_out_of_cores_where_the_tree_is_lost() -> None:
    checkpoint = made({"core-7.img": core(b"seven"), "core-12.img": core(b"twelve")})
    assert [(process.pid, process.comm, process.ppid) for process in checkpoint.processes] == [
        (7, "seven", 0),
        (12, "twelve", 0),
    ]
    assert "process.pstree-missing" in {damaged.code for damaged in checkpoint.damaged}


def test_cores_that_are_lost_are_named() -> None:
    checkpoint = made({"pstree.img": tree((1, 0), (2, 1)), "core-1.img": core(b"one")})
    assert [(process.pid, process.comm, process.state) for process in checkpoint.processes] == [
        (1, "one", "alive"),
        (2, "?", "unknown"),
    ]
    codes = [(damaged.part, damaged.code) for damaged in checkpoint.damaged]
    assert ("pid 2", "process.core-missing") in codes
    assert ("pid 1", "process.mm-missing") in codes


@given(cut=st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_cut_anywhere(cut: int) -> None:
    """An archive cut off at any block still gives what stands before the cut."""
    whole = tar(
        {
            "checkpoint/inventory.img": image("INVENTORY", INVENTORY),
            "checkpoint/core-1.img": core(b"one"),
            "checkpoint/core-2.img": core(b"two"),
            "checkpoint/pstree.img": tree((1, 0), (2, 1)),
            "config.dump": b'{"id": "abc"}',
        }
    )
    kept = whole[: max(1024, len(whole) * cut // 60 // 512 * 512)]
    with Checkpoint(open_archive(BytesSource(kept, "cut.tar"))) as checkpoint:
        found = {process.pid: process.comm for process in checkpoint.processes}
        assert found.items() <= {1: "one", 2: "two"}.items()
        assert encode([checkpoint.container, checkpoint.overview, checkpoint.damaged])
        if "checkpoint/pstree.img" not in checkpoint.archive:
            assert "process.pstree-missing" in {damaged.code for damaged in checkpoint.damaged}
        elif cut == 60:
            assert found == {1: "one", 2: "two"}
