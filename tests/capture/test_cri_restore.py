"""Restores through the CRI, and all that goes wrong with them: replayed runtimes."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cri_recordings import (
    ARCHIVES,
    RUNTIMES,
    asked,
    replayed,
)

from cryoscope.engines.cri import messages
from cryoscope.engines.cri.mounts import Bound, OpenFile, StandIns, still_there, strangers
from cryoscope.engines.host import Host
from cryoscope.engines.port import (
    HARD,
    EngineError,
    RestoreOptions,
)
from cryoscope.errors import ArchiveError, CryoscopeError, Refused
from cryoscope.workflows.open import open_checkpoint

pytest.importorskip("grpc")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which stand-ins and scratch files are made."""
    for module in ("host", "cri.mounts"):
        monkeypatch.setattr(f"cryoscope.engines.{module}.SCRATCH", str(tmp_path / "own"))
    return tmp_path / "own"


POD = ("run-pod-sandbox-restored",)
GONE = ("stop-pod-sandbox", "remove-pod-sandbox")
STARTED = ("create-container-from-tar", "start-container-from-tar", "container-status-verbose-restored")


@pytest.mark.parametrize("name", RUNTIMES)
def test_pod_and_container_are_written_for_the_user(name: str, own: Path, tmp_path: Path) -> None:
    """Every mount of the container is declared, and none of them leads to what the archive names."""
    with (
        replayed(name, tmp_path) as (runtime, engine),
        open_checkpoint(str(ARCHIVES[name])) as checkpoint,
    ):
        runtime.play(*POD, *STARTED)
        done = engine.restore(str(ARCHIVES[name]), checkpoint, RestoreOptions(name="again", live=True))
        (pod,) = asked(runtime, "RunPodSandbox")
        (made,) = asked(runtime, "CreateContainer")
    assert pod.config.metadata.name == "again"
    assert not pod.config.linux.security_context.privileged
    assert pod.config.linux.security_context.namespace_options.network == 0
    assert made.config.image.image == str(ARCHIVES[name])
    assert made.sandbox_config == pod.config
    assert made.config.linux.security_context.namespace_options.pid == 1
    assert made.config.linux.security_context.seccomp.profile_type == 0
    assert not made.config.envs
    assert not made.config.command
    paths = {each.container_path: each.host_path for each in made.config.mounts}
    assert paths.keys() == {
        "/etc/sec",
        "/scratch",
        "/etc/hosts",
        "/dev/termination-log",
        "/var/run/secrets/kubernetes.io/serviceaccount",
    }
    assert all(path.startswith(str(own)) for path in paths.values())
    assert os.path.isfile(paths["/etc/hosts"])
    assert os.path.isfile(paths["/dev/termination-log"])
    assert os.listdir(paths["/var/run/secrets/kubernetes.io/serviceaccount"]) == []
    assert done.live
    assert done.pid
    assert done.name == "again"
    assert done.id in done.target
    assert f"rm -rf {own}" in done.remove


def test_a_sandbox_is_refused_where_its_network_cannot_be_taken_away(own: Path, tmp_path: Path) -> None:
    """The recorded pod's namespace is not here: nothing of it may start."""
    with (
        replayed("crio", tmp_path) as (runtime, engine),
        open_checkpoint(str(ARCHIVES["crio"])) as checkpoint,
    ):
        runtime.play(*POD, "pod-sandbox-status-verbose", *GONE)
        with pytest.raises(EngineError) as error:
            engine.restore(str(ARCHIVES["crio"]), checkpoint, RestoreOptions(name="again"))
        assert asked(runtime, "CreateContainer") == []
        assert len(asked(runtime, "StopPodSandbox")) == len(asked(runtime, "RemovePodSandbox")) == 1
    assert error.value.code == "cri.network-stays"
    assert list(own.iterdir()) == []


FAILS = {
    ("crio", "create-container-tar-no-base-image"): "cri.base-image-missing",
    ("crio", "create-container-tar-foreign-runtime"): "cri.foreign-runtime",
    ("crio", "create-container-tar-mounts-not-declared"): "cri.mounts-missing",
    ("crio", "nocriu-create-container-from-tar"): "cri.archive-not-taken",
    ("crio", "create-container-tar-truncated"): "cri.archive-truncated",
    ("crio", "create-container-tar-empty-file"): "cri.archive-empty",
    ("crio", "create-container-unknown-sandbox"): "cri.pod-unknown",
    ("crio", "start-container-from-tar-host-network"): "criu.netns",
    ("crio", "start-container-from-tar-criu-missing"): "cri.criu-missing",
    ("containerd", "create-container-tar-no-base-image"): "cri.image-unpullable",
    ("containerd", "create-container-tar-foreign-runtime"): "cri.foreign-runtime",
    ("containerd", "create-container-tar-gzip"): "cri.archive-compressed",
    ("containerd", "create-container-tar-truncated"): "cri.archive-truncated",
    ("containerd", "start-container-demo-mounts-none"): "criu.reason-elsewhere",
    ("containerd", "start-container-from-tar-criu-missing"): "cri.criu-missing",
    ("containerd-main", "create-container-from-tar"): "cri.archive-not-taken",
}


@pytest.mark.parametrize(("name", "exchange"), FAILS)
def test_a_restore_that_fails_takes_its_pod_away(name: str, exchange: str, own: Path, tmp_path: Path) -> None:
    own_archive = ARCHIVES[name.partition("-")[0]]
    gone = ("stop-pod-sandbox-0", "remove-pod-sandbox-0") if name == "containerd-main" else GONE
    before = ["create-container-from-tar"] if exchange.startswith("start-") else []
    with replayed(name, tmp_path) as (runtime, engine), open_checkpoint(str(own_archive)) as checkpoint:
        runtime.play(*POD, *before, exchange, *gone)
        with pytest.raises(EngineError) as error:
            engine.restore(str(own_archive), checkpoint, RestoreOptions(name="again", live=True))
        assert len(asked(runtime, "RemovePodSandbox")) == 1
    assert error.value.code == FAILS[name, exchange]
    assert list(own.iterdir()) == []


def test_a_name_that_is_taken(own: Path, tmp_path: Path) -> None:
    with (
        replayed("containerd", tmp_path) as (runtime, engine),
        open_checkpoint(str(ARCHIVES["containerd"])) as checkpoint,
    ):
        runtime.play("run-pod-sandbox-same-name")
        with pytest.raises(EngineError) as error:
            engine.restore(str(ARCHIVES["containerd"]), checkpoint, RestoreOptions(name="again", live=True))
        assert asked(runtime, "RemovePodSandbox") == []
    assert error.value.code == "cri.name-taken"


def test_a_compressed_archive_is_decompressed_for_the_runtime(own: Path, tmp_path: Path) -> None:
    packed = tmp_path / "a.tar.gz"
    packed.write_bytes(gzip.compress(ARCHIVES["containerd"].read_bytes(), 1))
    seen = []
    with (
        replayed("containerd", tmp_path) as (runtime, engine),
        open_checkpoint(str(ARCHIVES["containerd"])) as checkpoint,
    ):
        answer = runtime.answer

        def look(method: str, request: bytes) -> Any:
            if method.endswith("CreateContainer"):
                image = messages.decode("CreateContainerRequest", request).config.image.image
                seen.append(Path(image).read_bytes() == ARCHIVES["containerd"].read_bytes())
            return answer(method, request)

        runtime.answer = look  # type: ignore[method-assign]
        runtime.play(*POD, *STARTED)
        engine.restore(str(packed), checkpoint, RestoreOptions(name="again", live=True))
        packed.write_bytes(packed.read_bytes()[:5000])
        with pytest.raises(ArchiveError):
            engine.restore(str(packed), checkpoint, RestoreOptions(name="more", live=True))
    assert seen == [True]


def test_a_checkpoint_image_is_named_as_it_is(own: Path, tmp_path: Path) -> None:
    with replayed("crio", tmp_path) as (runtime, engine), open_checkpoint(str(ARCHIVES["crio"])) as found:
        runtime.play(*POD, *STARTED)
        engine.restore("localhost:5000/ckpt:1", found, RestoreOptions(name="again", live=True))
        runtime.play(*POD, "create-container-checkpoint-image-not-pulled", *GONE)
        with pytest.raises(EngineError) as error:
            engine.restore("localhost:5000/ckpt:1", found, RestoreOptions(name="more", live=True))
        assert {each.config.image.image for each in asked(runtime, "CreateContainer")} == {
            "localhost:5000/ckpt:1"
        }
    assert error.value.code == "cri.image-missing"


@pytest.mark.parametrize("name", RUNTIMES)
def test_an_archive_of_the_other_runtime_is_refused_before(name: str, tmp_path: Path) -> None:
    other = {"containerd": "crio", "crio": "containerd"}[name]
    with replayed(name, tmp_path) as (_, engine), open_checkpoint(str(ARCHIVES[other])) as checkpoint:
        concerns = engine.restore_concerns(checkpoint, RestoreOptions(name="again"))
        assert ("cri.foreign-runtime", HARD) in {(each.code, each.weight) for each in concerns}
    with replayed(name, tmp_path) as (_, engine), open_checkpoint(str(ARCHIVES[name])) as checkpoint:
        concerns = engine.restore_concerns(checkpoint, RestoreOptions(name="again"))
        assert "cri.foreign-runtime" not in {each.code for each in concerns}


@pytest.mark.parametrize(
    ("name", "image", "code"),
    [
        ("crio", "image-status", None),
        ("crio", "image-status-unknown", "cri.image-missing"),
        ("containerd", "image-status", "cri.image-pulled"),
        ("containerd", "image-status-unknown", "cri.image-missing"),
    ],
)
def test_a_base_image_that_is_not_there_is_found_before(
    name: str, image: str, code: str | None, tmp_path: Path
) -> None:
    with replayed(name, tmp_path) as (runtime, engine), open_checkpoint(str(ARCHIVES[name])) as checkpoint:
        runtime.play(image)
        concerns = engine.restore_concerns(checkpoint, RestoreOptions(name="again"))
    found = {each.code: each for each in concerns if each.code.startswith("cri.image")}
    assert found.keys() == ({code} if code else set())
    assert code != "cri.image-missing" or found[code].weight == HARD


def test_a_bare_digest_becomes_a_name_that_containerd_can_pull(tmp_path: Path) -> None:
    """The recorded archive names its image by a bare sha256, which that containerd refused."""
    with (
        replayed("containerd", tmp_path) as (runtime, engine),
        open_checkpoint(str(ARCHIVES["containerd"])) as checkpoint,
    ):
        runtime.play("image-status")
        edits = engine.edits(checkpoint, RestoreOptions(name="again"))
        (edit,) = edits.change["config.dump"]
        config = msgspec.json.decode(edit(checkpoint.archive.read("config.dump")))
    assert config["rootfsImageRef"].startswith("localhost:5000/busybox@sha256:")
    assert config["rootfsImageName"] == config["rootfsImageRef"], "no local name is given to another image"


def test_a_container_of_the_hosts_network_is_kept_out_of_a_sandbox(own: Path, tmp_path: Path) -> None:
    """CRIU would put it onto the network of this host."""
    with (
        replayed("containerd", tmp_path) as (runtime, engine),
        open_checkpoint(str(ARCHIVES["containerd"])) as checkpoint,
    ):
        shared = msgspec.structs.replace(
            checkpoint.container,
            namespaces={k: v for k, v in checkpoint.container.namespaces.items() if k != "network"},
        )
        checkpoint.__dict__["container"] = shared
        concerns = engine.restore_concerns(checkpoint, RestoreOptions(name="again"))
        assert ("cri.host-network", HARD) in {(each.code, each.weight) for each in concerns}
        with pytest.raises(Refused) as error:
            engine.restore(str(ARCHIVES["containerd"]), checkpoint, RestoreOptions(name="again"))
        assert error.value.code == "cri.host-network"
        assert asked(runtime, "RunPodSandbox") == []


def test_names_are_checked_before_anything_is_made(tmp_path: Path) -> None:
    with replayed("crio", tmp_path) as (runtime, engine), open_checkpoint(str(ARCHIVES["crio"])) as found:
        with pytest.raises(CryoscopeError) as error:
            engine.restore(str(ARCHIVES["crio"]), found, RestoreOptions(name="../../etc", live=True))
        assert asked(runtime, "RunPodSandbox") == []
    assert error.value.code == "cri.name"
    assert "--name" in error.value.hint


def test_wishes_that_mean_something_else_here_are_told(tmp_path: Path) -> None:
    """Of volumes there is nothing in these archives, and a pod is always a new one."""
    with replayed("crio", tmp_path) as (_, engine), open_checkpoint(str(ARCHIVES["crio"])) as checkpoint:
        codes = [
            {each.code for each in engine.restore_concerns(checkpoint, RestoreOptions(name="again", **given))}
            & {"cri.ignore-volumes", "cri.pod-name"}
            for given in ({}, {"ignore_volumes": True}, {"pod": "web", "live": True})
        ]
    assert codes == [set(), {"cri.ignore-volumes"}, {"cri.pod-name"}]


def test_files_that_cannot_both_be_there_are_an_error_with_a_code(own: Path) -> None:
    """No kernel had a file open below a file: an archive may say so all the same."""
    mounts = [Bound(path="/vol")]
    files = [OpenFile(path=path, size=1, mode=0o100644) for path in ("/vol/a", "/vol/a/b")]
    with pytest.raises(EngineError) as caught:
        StandIns(Host(), "uid").make(mounts, files)
    assert caught.value.code == "cri.mounts"
    assert "/vol/a/b" in caught.value.message


def test_a_live_restore_asks_for_volumes_of_other_pods(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cryoscope.engines.cri.mounts.KUBELET", f"{tmp_path}/")
    (tmp_path / "own" / "volumes").mkdir(parents=True)
    (tmp_path / "other" / "volumes").mkdir(parents=True)
    (tmp_path / "own" / "link").symlink_to("/etc")
    paths = ["own/volumes", "other/volumes", "own/link", "own/link/passwd", "own/gone"]
    mounts = [Bound(path=f"/{number}", source=f"{tmp_path}/{path}") for number, path in enumerate(paths)]
    assert [still_there(Host(), each) for each in mounts] == [True, True, False, False, False]
    monkeypatch.setattr("cryoscope.engines.cri.mounts.bound", lambda _: mounts)
    with open_checkpoint(str(ARCHIVES["containerd"])) as checkpoint:
        assert len(strangers(Host(), checkpoint)) == 2
        monkeypatch.setattr(checkpoint.container.pod.__class__, "uid", "own")
        assert strangers(Host(), checkpoint) == [f"{tmp_path}/other/volumes"]
