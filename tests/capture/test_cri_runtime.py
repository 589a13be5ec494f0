"""Who answers on a socket, what that can, and its containers: replayed runtimes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cri_recordings import (
    RUNTIMES,
    Elsewhere,
    recording,
    replayed,
)

from cryoscope import needs
from cryoscope.engines import cri
from cryoscope.engines.cri import Cri, abilities, messages
from cryoscope.engines.cri.abilities import Runtime, capturing, restoring
from cryoscope.engines.host import Host
from cryoscope.engines.port import (
    AmbiguousTarget,
    EngineUnreachable,
    NoSuchContainer,
    Reach,
)
from cryoscope.engines.target import Target, parse
from cryoscope.testing.cri import ReplayedRuntime

pytest.importorskip("grpc")


@pytest.mark.parametrize(
    ("name", "runtime", "version", "captures", "restores"),
    [
        ("containerd", "containerd", "2.1.9", True, True),
        ("containerd-main", "containerd", "v2.main-301026e", True, False),
        ("crio", "cri-o", "1.37.0", True, True),
    ],
)
def test_a_probe_says_what_a_runtime_can(
    name: str, runtime: str, version: str, captures: bool, restores: bool, tmp_path: Path
) -> None:
    with replayed(name, tmp_path) as (_, engine):
        probe = engine.probe()
    assert (probe.engine, probe.runtime) == ("cri", runtime)
    assert probe.version.startswith(version)
    assert (probe.capture.can, probe.restore.can) == (captures, restores)
    assert all(each.why and each.cure for each in (probe.capture, probe.restore) if not each.can)
    assert {"cri.RuntimeReady", "cri.NetworkReady"} <= {each.code for each in probe.checks}


def test_crio_with_criu_switched_off_says_so(tmp_path: Path) -> None:
    with replayed("crio", tmp_path) as (runtime, engine):
        runtime.play("nocriu-version", "nocriu-status-verbose")
        probe = engine.probe()
    assert not probe.capture.can
    assert not probe.restore.can
    assert "CRIU" in probe.capture.why


@pytest.mark.parametrize(
    ("name", "version", "settings", "level", "captures", "restores"),
    [
        ("containerd", "1.7.27", {}, None, False, False),
        ("containerd", "2.0.5", {}, None, True, False),
        ("containerd", "v2.1.0", {}, None, True, True),
        ("containerd", "2.2.6", {}, None, True, True),
        ("containerd", "2.2.7", {}, None, True, False),
        ("containerd", "2.2.7", {"enableExperimentalRestoreViaCreate": True}, None, True, True),
        ("containerd", "2.3.3", {}, None, True, True),
        ("containerd", "2.3.4", {"enableExperimentalRestoreViaCreate": False}, None, True, False),
        ("containerd", "2.3.4", {"enableCRIU": False}, None, False, False),
        ("containerd", "2.4.0-beta.1", {"enableExperimentalRestoreViaCreate": True}, None, True, False),
        ("containerd", "nonsense", {}, None, False, False),
        ("cri-o", "1.33.0", {"EnableCriuSupport": True}, None, True, True),
        ("cri-o", "1.34.14", {"EnableCriuSupport": True}, None, True, False),
        ("cri-o", "1.34.14", {"EnableCriuSupport": True}, "checkpoint_restore", True, True),
        ("cri-o", "1.33.0", {"EnableCriuSupport": True}, "checkpoint_only", True, False),
        ("cri-o", "1.33.0", {"EnableCriuSupport": True}, "none", False, False),
        ("cri-o", "1.30.0", {"EnableCriuSupport": False}, None, False, False),
        ("isulad", "2.1.0", {}, None, False, False),
    ],
)
def test_abilities(
    name: str, version: str, settings: dict[str, Any], level: str | None, captures: bool, restores: bool
) -> None:
    runtime = Runtime(name=name, version=version, settings=settings, level=level)
    assert (capturing(runtime).can, restoring(runtime).can) == (captures, restores)
    for ability in (capturing(runtime), restoring(runtime)):
        assert ability.can or (ability.why and ability.cure)


def test_crios_level_is_read_from_its_files_where_status_does_not_tell_it(tmp_path: Path) -> None:
    folder = tmp_path / "etc/crio/crio.conf.d"
    folder.mkdir(parents=True)
    (tmp_path / "etc/crio/crio.conf").write_text('container_level_enabled = "checkpoint_restore"\n')
    (folder / "50-careful.conf").write_text(
        'container_level_enabled = "checkpoint_only"\n# container_level_enabled = "none"\n'
    )
    version = messages.message("VersionResponse", runtime_name="cri-o", runtime_version="1.33.1")
    found = abilities.runtime_of(version, messages.message("StatusResponse"), Elsewhere(tmp_path))
    assert found.level == "checkpoint_only"
    assert not restoring(found).can


def test_no_socket_and_no_runtime_behind_one(tmp_path: Path) -> None:
    target = parse("cri://x")
    with pytest.raises(EngineUnreachable) as error:
        cri.connect(target, Reach(host=Host(), endpoint=str(tmp_path / "none")))
    assert error.value.code == "cri.unreachable"
    assert error.value.hint
    stale = tmp_path / "stale"
    with bound(stale), pytest.raises(EngineUnreachable):
        cri.connect(target, Reach(host=Host(), endpoint=f"unix://{stale}"))
    (tmp_path / "file").touch()
    with pytest.raises(EngineUnreachable, match="no socket"):
        cri.connect(target, Reach(host=Host(), endpoint=str(tmp_path / "file")))


def test_a_target_that_names_the_other_runtime_finds_nobody(tmp_path: Path) -> None:
    with ReplayedRuntime([recording("crio")], tmp_path / "s"):
        reach = Reach(host=Host(), endpoint=str(tmp_path / "s"))
        assert cri.connect(parse("cri://crio/x"), reach).runtime.name == "cri-o"
        with pytest.raises(EngineUnreachable, match="containerd"):
            cri.connect(parse("cri://containerd/x"), reach)


def test_the_usual_sockets_are_found_and_two_runtimes_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {"containerd": "/run/containerd/containerd.sock", "crio": "/run/crio/crio.sock"}
    for place in places.values():
        (tmp_path / place.lstrip("/")).parent.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    reach = Reach(host=Elsewhere(tmp_path))
    with (
        ReplayedRuntime([recording("containerd")], tmp_path / places["containerd"].lstrip("/")),
        ReplayedRuntime([recording("crio")], tmp_path / places["crio"].lstrip("/")),
    ):
        assert [each.socket for each in cri.discover(reach)] == [*places.values()]
        assert cri.connect(parse("cri://containerd/x"), reach).socket == places["containerd"]
        assert cri.connect(parse("cri://crio/x"), reach).socket == places["crio"]
        with pytest.raises(AmbiguousTarget):
            cri.connect(parse("cri://x"), reach)


def test_without_grpc_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "import_module", _missing)
    with bound(tmp_path / "s"), pytest.raises(needs.LibraryMissing) as error:
        Cri(str(tmp_path / "s"), Reach(host=Host())).list()
    assert "cryoscope[capture]" in error.value.hint


@contextmanager
def bound(path: Path) -> Iterator[None]:
    """A socket that nobody listens on."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))
        yield


def _missing(name: str) -> Any:
    raise ImportError(name)


def test_a_probe_of_a_runtime_that_is_gone_says_so(tmp_path: Path) -> None:
    probe = Cri(str(tmp_path / "gone"), Reach(host=Host())).probe()
    assert not probe.capture.can
    assert probe.checks[0].state == "fail"


@pytest.mark.parametrize("name", RUNTIMES)
def test_containers_are_listed_with_pod_namespace_and_state(name: str, tmp_path: Path) -> None:
    with replayed(name, tmp_path) as (_, engine):
        found = {each.name: each for each in engine.list()}
    assert found.keys() >= {"setup", "counter", "redis"}
    assert {each.pod for each in found.values()} == {"counters"}
    assert found["counter"].namespace == {"crio": "team-b", "containerd": "default"}[name]
    assert found["counter"].state == "running"
    assert found["counter"].capture.can
    assert found["setup"].state == "exited"
    assert not found["setup"].capture.can
    assert found["counter"].target == f"cri://{name}/{found['counter'].id}"
    assert parse(found["counter"].target) == Target(scheme="cri", runtime=name, reference=found["counter"].id)


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_container_is_found_by_name_and_by_the_first_digits_of_its_id(name: str, tmp_path: Path) -> None:
    with replayed(name, tmp_path) as (runtime, engine):
        runtime.play("container-status-verbose-kubelet-made", "container-status-verbose-kubelet-made")
        by_name = engine.find("counter")
        assert engine.find(by_name.id[:12]) == by_name
        assert by_name.pid
        with pytest.raises(NoSuchContainer):
            engine.find("nobody")
        with pytest.raises(NoSuchContainer):
            engine.find(None)
