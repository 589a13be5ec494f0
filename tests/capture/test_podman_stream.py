"""What the driver of Podman makes of a stream and of a stranger's documents; no service needed."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import pytest

from cryoscope.engines.host import Host
from cryoscope.engines.podman import tcp_close
from cryoscope.engines.podman.deleted import placeholders
from cryoscope.engines.podman.failure import KNOWN, log_text
from cryoscope.engines.podman.live import spec as live_spec
from cryoscope.engines.podman.sandbox.config import sandboxed as sandboxed_config
from cryoscope.engines.podman.sandbox.mounts import Plan, mounts
from cryoscope.engines.podman.sandbox.spec import sandboxed as sandboxed_spec
from cryoscope.engines.podman.sockets import path_of
from cryoscope.engines.podman.stream import Stream
from cryoscope.engines.podman.upload import PLACEHOLDER, blocks
from cryoscope.engines.port import RestoreOptions
from cryoscope.errors import Incomplete, UsageError

LONG = "volumes/" + "x" * 150 + ".tar"
MEMBERS = {
    "config.dump": b"{}",
    "stats-dump": b"statistics",
    "checkpoint/pages-1.img": bytes(70_000),
    "volumes/one.tar": b"one" * 2000,
    LONG: b"two",
    "checkpoint/core-1.img": b"core",
}


def archive(times: dict[str, int] | None = None, form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for name, data in MEMBERS.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(data), (times or {}).get(name, 1000)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def through(stream: Stream, data: bytes, size: int) -> bytes:
    parts = (data[at : at + size] for at in range(0, len(data), size))
    return b"".join(bytes(part) for block in parts for part in stream.feed(block))


@pytest.mark.parametrize("size", [1, 7, 512, 1000, 1 << 20])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_an_archive_goes_through_byte_for_byte(size: int, form: int) -> None:
    data, stream = archive(form=form), Stream()
    assert through(stream, data, size) == data
    stream.finish()
    assert stream.statistics == b"statistics"
    assert stream.left_out == []


def test_every_cut_is_told() -> None:
    data = archive()
    end = len(data.rstrip(b"\0")) // 512 * 512 + 512 + 1024
    for cut in [*range(0, end, 509), end - 1]:
        stream = Stream()
        through(stream, data[:cut], 4096)
        with pytest.raises(Incomplete) as caught:
            stream.finish()
        assert caught.value.code == "podman.truncated"
    whole = Stream()
    through(whole, data[:end], 4096)
    whole.finish()


def test_something_else_in_place_of_a_header_is_told() -> None:
    data = bytearray(archive())
    data[0] ^= 1
    with pytest.raises(Incomplete) as caught:
        through(Stream(), bytes(data), 4096)
    assert caught.value.code == "podman.damaged"


@pytest.mark.parametrize("size", [1, 512, 1 << 20])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_volumes_are_left_out_with_their_long_names(size: int, form: int) -> None:
    stream = Stream(without_volumes=True)
    left = through(stream, archive(form=form), size)
    stream.finish()
    with tarfile.open(fileobj=io.BytesIO(left)) as tar:
        assert tar.getnames() == [name for name in MEMBERS if not name.startswith("volumes/")]
        pages = tar.extractfile("checkpoint/pages-1.img")
        assert pages is not None
        assert pages.read() == bytes(70_000)
    assert len(stream.left_out) == 2


def test_images_of_an_earlier_checkpoint_are_told() -> None:
    stream = Stream()
    through(stream, archive({"checkpoint/core-1.img": 900}), 4096)
    assert stream.stale == ["checkpoint/core-1.img"]
    fresh = Stream()
    through(fresh, archive(), 4096)
    assert fresh.stale == []


def names(members: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(members + bytes(1024))) as tar:
        return tar.getnames()


def test_placeholders_are_plain_names_and_none_below_another() -> None:
    assert names(placeholders(["/usr/bin/nc", "/srv", "/srv/deep/file"])) == ["srv", "usr/bin/nc"]
    hostile = ["../up", "/a/../../b", "/", "", "a//b", "x\0y", "/" + "n" * 5000, "./c"]
    assert placeholders(hostile) == b""
    long = "/folder/" + "n" * 200
    assert names(placeholders([long])) == [long[1:]]


HOSTILE_SPEC: dict[str, Any] = {
    "ociVersion": "1.2.0",
    "hooks": {"createRuntime": [{"path": "/bin/sh"}]},
    "annotations": {
        "org.criu.config": "/etc/shadow",
        "run.oci.hooks.stdout": "/etc/passwd",
        "io.podman.annotations.privileged": "TRUE",
        "mine": "kept",
    },
    "process": {"args": ["sh"], "cwd": "/", "capabilities": {"bounding": ["CAP_SYS_ADMIN", "CAP_CHOWN"]}},
    "mounts": [
        {"destination": "/host", "type": "bind", "source": "/", "options": ["rbind", "rshared"]},
        {"destination": "/proc", "type": "proc", "source": "/etc"},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["rw"]},
    ],
    "linux": {
        "namespaces": [{"type": "pid"}, {"type": "network", "path": "/proc/1/ns/net"}],
        "sysctl": {"kernel.core_pattern": "|/bin/sh"},
        "devices": [{"path": "/dev/sda", "type": "b", "major": 8, "minor": 0}],
        "resources": {"devices": [{"allow": True, "access": "rwm"}], "memory": {"limit": -1}},
        "cgroupsPath": "/../../escape",
        "rootfsPropagation": "shared",
        "seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "listenerPath": "/run/any.sock"},
    },
}
PLAN = Plan(sources={"/host": "/volumes/stand-ins/_data/0"})
SANDBOX = RestoreOptions(name="copy", memory=1 << 20, processes=5, cpus=0.5)


def test_a_sandbox_takes_nothing_of_a_spec_that_acts_on_the_host() -> None:
    made = sandboxed_spec(HOSTILE_SPEC, PLAN, SANDBOX)
    assert made["annotations"] == {"io.container.manager": "libpod"}
    assert made["process"]["capabilities"]["bounding"] == ["CAP_CHOWN"]
    assert made.keys() == {"ociVersion", "process", "root", "hostname", "mounts", "annotations", "linux"}
    linux = made["linux"]
    assert linux["namespaces"] == [{"type": "pid"}, {"type": "network"}]
    assert linux["seccomp"] == {"defaultAction": "SCMP_ACT_ERRNO"}
    assert linux["resources"]["memory"] == {"limit": 1 << 20, "swap": 1 << 20}
    assert linux["resources"]["pids"] == {"limit": 5}
    assert linux["resources"]["cpu"]["quota"] == 50_000
    assert linux["resources"]["devices"] == [{"allow": False, "access": "rwm"}]
    assert not {"sysctl", "devices", "cgroupsPath", "rootfsPropagation"} & linux.keys()
    said = json.dumps(made)
    for word in ("/bin/sh", "/etc/", "core_pattern", "shared", "/proc/1/", '"source": "/"'):
        assert word not in said
    assert made["mounts"][0]["source"] == "/volumes/stand-ins/_data/0"
    assert made["mounts"][2]["options"] == ["ro"]


def test_a_sandbox_takes_nothing_of_a_configuration_that_acts_on_the_host() -> None:
    hostile = {
        "id": "a" * 64,
        "name": "web",
        "rootfsImageName": "registry.example/any:latest",
        "privileged": True,
        "healthcheck": {"Test": ["CMD", "/bin/sh"]},
        "restart_policy": "always",
        "namedVolumes": [{"volumeName": "db", "dest": "/db", "options": ["volume-opt=device=/"]}],
        "mounts": ["/etc"],
        "logPath": "/etc/passwd",
        "logDriver": "journald",
        "newPortMappings": [{"host_port": 22}],
        "rootfs": "/",
        "rootfs_overlay": True,
        "secrets": [{"name": "any"}],
        "cgroupParent": "/../",
        "conmonPidFile": "/etc/pid",
        "labels": {"io.containers.autoupdate": "registry"},
        "stopTimeout": 10**9,
        "shmSize": 1 << 60,
    }
    made = sandboxed_config(hostile, PLAN, image="b" * 64, name="here", network=True)
    assert (made["rootfsImageID"], made["rootfsImageName"]) == ("b" * 64, "here")
    assert made["privileged"] is False
    assert made["namedVolumes"] == []
    assert made["labels"] == {"cryoscope.sandbox": "a" * 64}
    assert made["shmSize"] <= 1 << 30
    gone = {"healthcheck", "restart_policy", "mounts", "logPath", "newPortMappings", "rootfs", "secrets"}
    assert not (gone | {"rootfs_overlay", "cgroupParent", "conmonPidFile"}) & made.keys()


def test_a_live_restore_leaves_out_what_runs_on_the_host() -> None:
    made = live_spec(HOSTILE_SPEC, volumes=[], volume_path="/volumes")
    assert "hooks" not in made
    assert made["annotations"] == {"io.podman.annotations.privileged": "TRUE", "mine": "kept"}
    assert made["mounts"] == HOSTILE_SPEC["mounts"]


def test_only_plain_logs_in_sane_folders_are_read(tmp_path: Any) -> None:
    (tmp_path / "dump.log").write_text("Error")
    (tmp_path / "link.log").symlink_to(tmp_path / "dump.log")
    host = Host()
    assert log_text(host, str(tmp_path), "dump.log") == "Error"
    assert log_text(host, str(tmp_path), "link.log") == ""
    assert log_text(host, str(tmp_path), "missing.log") == ""
    assert log_text(host, f"{tmp_path}/../{tmp_path.name}", "dump.log") == ""
    assert log_text(host, "", "dump.log") == ""


def test_codes_of_known_errors_are_distinct() -> None:
    codes = [code for code, _, _ in KNOWN]
    assert len(set(codes)) == len(codes)
    assert all(cure for _, cure, _ in KNOWN)


def test_an_endpoint_is_a_unix_socket() -> None:
    assert path_of("unix:///run/a.sock") == path_of("/run/a.sock") == "/run/a.sock"
    for other in ("tcp://host:1", "ssh://host/run/a.sock", "run/a.sock"):
        with pytest.raises(UsageError) as caught:
            path_of(other)
        assert caught.value.code == "podman.endpoint"


def test_each_upload_has_volumes_of_its_own_and_what_runc_needs(tmp_path: Any) -> None:
    made = tmp_path / "copy.tar"
    names = [f"volumes/{PLACEHOLDER}-0.tar", "spec.dump", "config.dump", "checkpoint/pages-1.img"]
    with tarfile.open(made, "w", format=tarfile.GNU_FORMAT) as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            data = json.dumps({"annotations": {"a": "b"}, "at": PLACEHOLDER}).encode()
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    sent = [b"".join(blocks(str(made), closing=closing)) for closing in (False, True)]
    assert len(sent[0]) == made.stat().st_size
    tags = set()
    for data in sent:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            assert len(tar.getnames()) == 4
            tag = tar.getnames()[0].removeprefix("volumes/").removesuffix("-0.tar")
            found = {name: json.load(tar.extractfile(name) or io.BytesIO()) for name in tar.getnames()[1:]}
        assert found["spec.dump"]["at"] == found["config.dump"]["at"] == tag
        assert found["checkpoint/pages-1.img"]["at"] == PLACEHOLDER
        tags.add(tag)
    assert len(tags | {PLACEHOLDER}) == 3
    assert found["spec.dump"]["annotations"] == {"a": "b", tcp_close.ANNOTATION: tcp_close.FILE}


@pytest.mark.parametrize("options", [["rw"], ["ro", "rw"], ["rbind", "rw", "ro"], []])
def test_mounts_of_the_kernel_are_read_only_and_no_binds(options: list[str]) -> None:
    given = {"mounts": [{"destination": "/sys", "type": "sysfs", "source": "/", "options": options}]}
    (mount,) = mounts(given, Plan())
    assert (mount["source"], mount["options"]) == ("sysfs", ["ro"])


def test_proc_is_not_written_to_where_it_was_not() -> None:
    for options, kept in ((["nosuid", "ro", "rw", "bind"], ["nosuid", "ro"]), (["rbind", "rw"], ["rw"])):
        given = {"mounts": [{"destination": "/p", "type": "proc", "source": "/etc", "options": options}]}
        (mount,) = mounts(given, Plan())
        assert (mount["source"], mount["options"]) == ("proc", kept)
