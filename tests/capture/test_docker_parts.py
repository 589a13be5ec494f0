"""The parts of Docker's engine that need no daemon: what it is kept from, and what it makes of words."""

from __future__ import annotations

import os
import platform
import signal
import stat
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from cryoscope.checkpoint.archive import FileSource, TarWriter, open_archive
from cryoscope.checkpoint.criu.framing import parse
from cryoscope.engines.docker import files
from cryoscope.engines.docker.netns import KEY, joining
from cryoscope.engines.docker.pause import PROGRAMS, program
from cryoscope.engines.docker.places import Places, sockets
from cryoscope.engines.docker.restoring import tcp
from cryoscope.engines.docker.settings import old, places, sandboxed
from cryoscope.engines.docker.troubles import refusal
from cryoscope.engines.host import Host
from cryoscope.engines.port import EngineError, NoSuchContainer, Reach, RestoreOptions
from cryoscope.errors import UsageError
from cryoscope.workflows.open import open_checkpoint

LOOPER = Path(__file__).parent.parent / "data" / "docker-looper"


def tar_of(path: Path, without: str = "", **changed: bytes) -> Path:
    """The looper's images as a tar, one of them left out or changed (`_` stands for the dots and dashes)."""
    with path.open("wb") as out, TarWriter(out) as tar:
        for image in sorted(LOOPER.iterdir()):
            key = image.name.replace(".", "_").replace("-", "_")
            if image.name != without:
                tar.add(f"checkpoint/{image.name}", changed.get(key, image.read_bytes()))
    return path


# --- the network ------------------------------------------------------------------------------------
def test_every_process_is_made_to_join_the_network_of_the_sandbox(tmp_path: Path) -> None:
    """The looper had the host's network: CRIU would have restored it into the host's again."""
    with open_archive(FileSource(tar_of(tmp_path / "a.tar"))) as archive:
        changed = joining(archive, "checkpoint/")
        numbers = {
            parse(archive.read(name), name=name).entries[0].message.net_ns_id
            for name in archive.names("checkpoint/ids-")
        }
        before = parse(archive.read("checkpoint/inventory.img"), name="inventory.img").entries[0].message
    assert before.root_ids.net_ns_id in numbers
    after = parse(changed["inventory.img"], name="inventory.img").entries[0].message
    assert after.root_ids.net_ns_id not in numbers
    after.root_ids.net_ns_id = before.root_ids.net_ns_id
    assert after == before  # and nothing else is another
    assert changed.keys() == {"inventory.img"} | {f"netns-{number}.img" for number in numbers}
    for name in changed.keys() - {"inventory.img"}:
        key = parse(changed[name], name=name).entries[0].message.ext_key
        assert (key.decode() if isinstance(key, bytes) else key) == KEY


def test_images_that_do_not_say_where_a_process_was_are_refused(tmp_path: Path) -> None:
    """Without its numbers CRIU would leave the process in the host's network."""
    unclear = FileSource(tar_of(tmp_path / "a.tar", without="ids-24.img"))
    with open_archive(unclear) as archive, pytest.raises(EngineError) as refused:
        joining(archive, "checkpoint/")
    assert refused.value.code == "docker.sandbox-network"
    unclear = FileSource(tar_of(tmp_path / "b.tar", without="inventory.img"))
    with open_archive(unclear) as archive, pytest.raises(EngineError):
        joining(archive, "checkpoint/")


@pytest.mark.skipif(platform.machine() not in PROGRAMS, reason="there is no program for this machine")
def test_the_program_that_waits_waits(tmp_path: Path) -> None:
    path = tmp_path / "pause"
    path.write_bytes(program(platform.machine()) or b"")
    path.chmod(0o755)
    process = subprocess.Popen([path])
    try:
        state = ""
        deadline = time.monotonic() + 20
        while state != "S" and time.monotonic() < deadline and process.poll() is None:
            state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
            time.sleep(0.01)
        assert state == "S"
    finally:
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert program("vax") is None


# --- settings -----------------------------------------------------------------------------------------
HOSTILE = {
    "Image": "sha256:" + "0" * 64,
    "Name": "/victim",
    "Config": {"Cmd": ["sh"], "Labels": {"traefik.enable": "true"}, "Healthcheck": {"Test": ["CMD", "x"]}},
    "HostConfig": {
        "Binds": ["/:/host"],
        "Privileged": True,
        "CapAdd": ["ALL"],
        "NetworkMode": "host",
        "PidMode": "host",
        "IpcMode": "host",
        "UsernsMode": "host",
        "Devices": [{"PathOnHost": "/dev/sda"}],
        "DeviceCgroupRules": ["a *:* rwm"],
        "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"],
        "RestartPolicy": {"Name": "always"},
        "Runtime": "other",
        "CgroupParent": "/",
        "VolumesFrom": ["other"],
        "Sysctls": {"kernel.core_pattern": "|/x"},
        "OomScoreAdj": -1000,
        "Memory": 0,
        "PublishAllPorts": True,
        "Mounts": [{"Type": "bind", "Source": "/etc", "Target": "/e"}],
    },
    "Mounts": [
        {"Type": "bind", "Source": "/", "Destination": "/host"},
        {"Type": "bind", "Source": "/etc/shadow", "Destination": "/one"},
        {"Type": "volume", "Name": "theirs", "Destination": "/data/../kept"},
        {"Type": "bind", "Source": "/", "Destination": "/"},
        {"Type": "bind", "Source": "/", "Destination": 7},
        "nonsense",
    ],
}


def test_the_sandbox_takes_no_right_from_an_archive() -> None:
    told = old(HOSTILE)
    assert places(told) == ["/host", "/kept", "/one"]
    options = RestoreOptions(name="box", memory=1 << 28, processes=10, cpus=0.5)
    config = sandboxed(told, "sha256:1", "abc", options, {"/one": "/var/lib/cryoscope/docker/box/0"})
    host = config["HostConfig"]
    assert host["NetworkMode"] == "container:abc"
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"]) == (1 << 28, 1 << 28, 10)
    assert (host["Privileged"], host["RestartPolicy"], host["IpcMode"]) == (False, {"Name": "no"}, "private")
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert not host.keys() & {
        "Binds",
        "CapAdd",
        "PidMode",
        "UsernsMode",
        "Devices",
        "DeviceCgroupRules",
        "Runtime",
        "CgroupParent",
        "VolumesFrom",
        "Sysctls",
        "OomScoreAdj",
        "PublishAllPorts",
    }
    sources = {each["Target"]: each.get("Source") for each in host["Mounts"]}
    assert sources == {"/host": None, "/kept": None, "/one": "/var/lib/cryoscope/docker/box/0"}
    assert "traefik.enable" not in config["Labels"]
    assert config["Healthcheck"] == {"Test": ["NONE"]}


# --- files --------------------------------------------------------------------------------------------
@pytest.mark.skipif(os.geteuid() != 0, reason="white-outs are devices")
def test_deleted_paths_lead_nowhere_else(tmp_path: Path) -> None:
    upper, outside = tmp_path / "upper", tmp_path / "outside"
    upper.mkdir()
    outside.mkdir()
    (upper / "link").symlink_to(outside)
    files.delete(str(upper), ["/usr/bin/nc", "../outside/x", "/a/../../outside/y", "/", "", "plain"])
    with pytest.raises(OSError, match="link"):
        files.delete(str(upper), ["/link/z"])
    assert [*outside.iterdir()] == []
    hidden = (upper / "usr/bin/nc").lstat()
    assert stat.S_ISCHR(hidden.st_mode)
    assert hidden.st_rdev == 0
    assert (upper / "plain").lstat().st_rdev == 0


def test_images_alone_are_written_and_under_their_own_names(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with path.open("wb") as out, TarWriter(out) as tar:
        for image in sorted(LOOPER.iterdir()):
            tar.add(f"checkpoint/{image.name}", image.read_bytes())
        for name in ("checkpoint/sub/x.img", "checkpoint/.img", "checkpoint/run.sh", "checkpoint/criu.conf"):
            tar.add(name, b"x")
    with open_archive(FileSource(path)) as archive:
        marker = files.place_images(archive, "checkpoint/", str(tmp_path / "there"), joins=False)
    written = {each.name for each in (tmp_path / "there").iterdir()}
    assert written == {each.name for each in LOOPER.iterdir()} | {marker}
    with open_archive(FileSource(path)) as archive, pytest.raises(FileExistsError):
        files.place_images(archive, "checkpoint/", str(tmp_path / "there"), joins=False)


# --- words --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Cannot checkpoint container x: checkpoint not support on containers with tty", "docker.tty"),
        ("Container abc is not running", "docker.not-running"),
        ("page not found", "docker.experimental"),
        ("docker checkpoint is only supported with experimental daemon", "docker.experimental"),
        ("custom checkpointdir is not supported", "docker.checkpoint-dir"),
        ("bind-mount /proc/0/ns/net -> /var/run/docker/netns/a: no such file", "docker.restore-network"),
        ("failed to upload checkpoint to containerd: commit failed: already exists", "docker.race"),
        ("No such image: a:1", "docker.image-missing"),
        ('Conflict. The container name "/a" is already in use by container "b"', "docker.name-taken"),
        ("write /x: no space left on device", "docker.disk-full"),
        ("something new", "docker.failed"),
    ],
)
def test_what_the_daemon_refuses_has_a_code_and_a_cure(message: str, code: str) -> None:
    error = refusal(500, message, "/x")
    assert error.code == code
    assert error.hint


def test_what_a_daemon_says_is_safe_to_print() -> None:
    error = refusal(500, "a\n\x1b[31mred\u202e" + "f" * 64 + "x" * 5000, "/x")
    assert "\x1b" not in error.message
    assert "\n" not in error.message
    assert len(error.message) < 600
    assert isinstance(refusal(404, "No such container: x", "/x"), NoSuchContainer)


def test_places_that_a_daemon_tells_are_checked() -> None:
    for root in ("relative", "/var/../etc", None, 7):
        with pytest.raises(EngineError) as raised:
            Places(Host(), {"DockerRootDir": root})
        assert (raised.value.code, bool(raised.value.hint)) == ("docker.answer", True)
    with pytest.raises(EngineError):
        Places(Host(), {"DockerRootDir": "/var/lib/docker"}).checkpoints("../../etc")


@pytest.mark.parametrize(
    ("wish", "configured", "told"),
    [
        ("close", "", "CRIU refuses them"),
        ("close", "tcp-established # all\n", "there is tcp-established"),
        ("established", "tcp-close\n", "there is tcp-close"),
        ("refuse", "# tcp-close\n", "CRIU refuses them"),
        ("close", "tcp-close\n", None),
        ("established", "file-locks\ntcp-established\n", None),
    ],
)
def test_what_becomes_of_open_connections_is_told(
    wish: str, configured: str, told: str | None, tmp_path: Path
) -> None:
    """Docker takes no option for them: a file of its host decides."""
    (tmp_path / "etc/criu").mkdir(parents=True)
    (tmp_path / "etc/criu/runc.conf").write_text(configured)
    open_ = SimpleNamespace(socket=SimpleNamespace(protocol="tcp", state="ESTABLISHED"))
    waits = SimpleNamespace(socket=SimpleNamespace(protocol="tcp", state="LISTEN"))
    host = SimpleNamespace(path=lambda inside: str(tmp_path) + inside)
    options = RestoreOptions(name="x", tcp=wish)
    found = [*tcp(SimpleNamespace(sockets=[open_, waits]), host, options)]  # type: ignore[arg-type]
    assert [(each.code, each.weight) for each in found] == [("docker.tcp", "note")] * (told is not None)
    assert all(told in each.what and each.cure for each in found if told)
    assert not [*tcp(SimpleNamespace(sockets=[waits]), host, options)]  # type: ignore[arg-type]


def test_a_daemon_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert sockets(Reach(host=Host(), endpoint="unix:///run/x.sock")) == ["/run/x.sock"]
    assert sockets(Reach(host=Host(), endpoint="/run/x.sock")) == ["/run/x.sock"]
    with pytest.raises(UsageError):
        sockets(Reach(host=Host(), endpoint="tcp://10.0.0.1:2376"))
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/y.sock")
    assert sockets(Reach(host=Host())) == ["/run/y.sock"]


def test_a_folder_of_docker_itself_is_still_read() -> None:
    with open_checkpoint(str(LOOPER)) as checkpoint:
        assert checkpoint.container.engine == "docker"
        assert checkpoint.container.runtime == "runc"
        assert len(checkpoint.container.id or "") == 64
