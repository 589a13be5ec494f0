"""What single checks tell apart."""

from __future__ import annotations

import io
import struct
import tarfile

import pytest
from vetting_archives import (
    CRIO,
    NOTED,
    PODMAN,
    Change,
    Files,
    document,
    entry,
    files,
    image,
    opened,
    put,
    tar,
)

from cryoscope.checkpoint.criu.framing import head_bytes
from cryoscope.checkpoint.criu.images import by_file_name
from cryoscope.checkpoint.criu.messages import encode, message_class
from cryoscope.engines.vetting import Policy, vet
from cryoscope.engines.vetting.checks.capabilities import SETS
from cryoscope.engines.vetting.checks.cgroups import good
from cryoscope.engines.vetting.checks.image_reference import REFERENCE, _repository
from cryoscope.engines.vetting.checks.mounts import VOLUME
from cryoscope.engines.vetting.checks.podman_config import OWN_FILE
from cryoscope.engines.vetting.checks.seccomp import stops
from cryoscope.engines.vetting.known import known
from cryoscope.engines.vetting.trees import above, outside
from cryoscope.errors import UsageError


def filtered(*actions: int) -> bytes:
    return b"".join(struct.pack("<HBBI", 0x06, 0, 0, action) for action in actions)


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (filtered(0x7FFF0000), False),
        (filtered(0x7FFC0000, 0x7FFF0000), False),
        (filtered(0x7FFF0000, 0x00050001), True),
        (filtered(0x80000000), True),
        (struct.pack("<HBBI", 0x16, 0, 0, 0), True),  # returns what it computed
        (b"", False),
        (b"\x06\0\0", False),
    ],
)
def test_a_filter_stops_something_if_it_can_return_anything_but_allow(program: bytes, expected: bool) -> None:
    assert stops(program) is expected


def test_every_filter_of_a_real_archive_stops_something() -> None:
    for base in (PODMAN, "docker-looper"):
        entry_ = opened(tar(files(base))).images.first("seccomp.img")
        assert entry_ is not None
        assert all(stops(bytes(one.filter)) for one in entry_.seccomp_filters)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("pids.max", "max", True),
        ("notify_on_release", "0", True),
        ("notify_on_release", "1", False),
        ("release_agent", "", False),
        ("devices.allow", "", False),
        ("cgroup.kill", "1", False),
        ("../x", "", False),
        ("devices.list", "c *:* m\nb *:* m\nc 1:3 rwm\nc 136:* rwm\nc 10:200 rwm", True),
        ("devices.list", "b 8:0 rwm", False),
        ("devices.list", "c 1:1 r", False),
        ("devices.list", "c 1:* rwm", False),
        ("devices.list", "a *:* rwm", False),
        ("devices.list", "rubbish", False),
    ],
)
def test_properties_of_control_groups(name: str, value: str, expected: bool) -> None:
    assert good(name, value) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b", False),
        ("a/..b", False),
        ("a/b..", False),
        ("..", True),
        ("a/../b", True),
        ("a/.wh..", True),
        ("a/.wh...", True),
        ("a/.wh..wh..opq", False),
    ],
)
def test_names_that_climb(name: str, expected: bool) -> None:
    assert outside(name) is expected


def test_names_below_links() -> None:
    links = {"a/b": 1}
    assert [above(name, links) for name in ("a/b/c", "a/b/c/d", "a/b", "a/bc/d", "x")] == [
        *(True, True),
        *(False, False, False),
    ]


@pytest.mark.parametrize(
    ("reference", "repository"),
    [
        ("busybox", "docker.io/library/busybox"),
        ("docker.io/library/busybox:1.37", "docker.io/library/busybox"),
        ("localhost/busybox:lab", "localhost/busybox"),
        ("127.0.0.1:5000/a/b@sha256:" + "a" * 64, "127.0.0.1:5000/a/b"),
        ("registry.k8s.io/pause:3.9@sha256:" + "a" * 64, "registry.k8s.io/pause"),
    ],
)
def test_references_and_their_repositories(reference: str, repository: str) -> None:
    found = REFERENCE.fullmatch(reference)
    assert found is not None
    assert _repository(found) == repository


@pytest.mark.parametrize(
    "name", ["dir:/etc", "docker-archive:/x.tar", "../x", "a b", "-x", "a@sha256:12", ""]
)
def test_what_is_no_reference(name: str) -> None:
    assert REFERENCE.fullmatch(name) is None


def test_files_and_volumes_of_podman() -> None:
    id_ = "a" * 64
    good_files = (
        f"/run/containers/storage/overlay-containers/{id_}/userdata/conmon.pid",
        f"/run/user/1000/containers/overlay-containers/{id_}/userdata/pidfile",
        f"/tmp/storage-run-1000/containers/overlay-containers/{id_}/userdata/pidfile",
    )
    assert all(map(OWN_FILE.fullmatch, good_files))
    bad = (
        "/etc/x",
        good_files[0] + "/../../x",
        "/run/containers/x",
        f"/etc/overlay-containers/{id_}/userdata/x",
    )
    assert not any(map(OWN_FILE.fullmatch, bad))
    assert VOLUME.fullmatch("/var/lib/containers/storage/volumes/v1/_data")
    assert VOLUME.fullmatch("/home/u/.local/share/containers/storage/volumes/v1/_data/sub")
    for path in ("/etc", "/containers/storage/volumes/../_data", "/containers/storage/volumes/v/_data/../x"):
        assert VOLUME.fullmatch(path) is None


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        ("podman", {"config.dump", "volumes/v.tar", "checkpoint/core-1.img", "pre-checkpoint/core-1.img"}),
        ("cri", {"config.dump", "bind.mounts", "checkpoint/core-1.img", "pre-checkpoint/core-1.img"}),
        (
            "docker",
            {
                "config.dump",
                "volumes/v.tar",
                "docker-inspect.json",
                "checkpoint/core-1.img",
                "pre-checkpoint/core-1.img",
            },
        ),
    ],
)
def test_members_that_an_engine_needs(engine: str, expected: set[str]) -> None:
    names = {
        *(
            "config.dump",
            "bind.mounts",
            "volumes/v.tar",
            "volumes/a/v.tar",
            "docker-inspect.json",
            "etc/passwd",
        ),
        *(
            "checkpoint/core-1.img",
            "checkpoint/evil.img",
            "checkpoint/a/core-1.img",
            "pre-checkpoint/core-1.img",
        ),
        *("checkpoint/core-1.img.bak", "core-1.img", "a/config.dump"),
    }
    assert {name for name in names if known(name, engine, "checkpoint/")} == expected


def test_an_unknown_engine_is_an_error_of_usage() -> None:
    with pytest.raises(UsageError):
        vet(opened(tar(files(PODMAN))), Policy(engine="kubelet"))


def codes(change: Change, base: str = PODMAN, **policy: object) -> dict[str, str]:
    verdict = vet(opened(tar(change(files(base)))), Policy(engine="podman", **policy))  # type: ignore[arg-type]
    return {claim.code: claim.weight for claim in verdict.claims if claim.code not in NOTED}


def test_profiles_for_apparmor_are_refused() -> None:
    kind = by_file_name("apparmor.img")
    assert kind is not None
    space = message_class("aa_namespace")(name=b"x")
    payload = encode(message_class("apparmor_entry")(namespaces=[space]))
    data = head_bytes(kind, kind.head) + struct.pack("<I", len(payload)) + payload

    def change(members: Files) -> Files:
        return members | {"checkpoint/apparmor.img": data}

    assert codes(change)["criu.lsm-policy"] == "hard"


def test_maps_of_bpf_are_refused() -> None:
    nobody = {"uid": 0, "euid": 0, "signum": 0, "pid_type": 0, "pid": 0}
    map_ = dict.fromkeys(("map_id", "map_type", "key_size", "value_size", "max_entries", "map_flags"), 1)
    bpf = {"id": 900, "flags": 2, "pos": 0, "fown": nobody, "map_name": "m", "frozen": False, **map_}
    change = image("files.img", lambda entries: entries.append({"type": "BPFMAP", "id": 900, "bpf": bpf}))
    assert codes(change)["criu.file-bpf"] == "hard"


@pytest.mark.parametrize(("live", "weight"), [(False, "hard"), (True, "note")])
def test_ports_come_back_in_a_live_restore(live: bool, weight: str) -> None:
    change = document("config.dump", put("newPortMappings", value=[{"host_port": 8080}]))
    assert codes(change, live=live)["podman.ports"] == weight


def test_a_device_that_is_granted_may_stay_open() -> None:
    change = image("files.img", lambda e: e[1]["reg"].update(name="/dev/kvm", mode=0o020660))
    assert codes(change)["criu.file-device"] == "hard"
    assert "criu.file-device" not in codes(change, devices=("/dev/kvm",))


def test_capabilities_that_are_granted_stay() -> None:
    import json

    def change(members: Files) -> Files:
        spec = json.loads(members["spec.dump"])
        for kind in SETS:
            spec["process"]["capabilities"].setdefault(kind, []).append("CAP_NET_ADMIN")
        return members | {"spec.dump": json.dumps(spec).encode()}

    assert codes(change) == {"spec.capabilities": "hard"}
    assert codes(change, capabilities=(*Policy(engine="cri").capabilities, "CAP_NET_ADMIN")) == {}


def test_a_million_bad_entries_are_told_in_fifty_claims_and_all_left_out() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for number in range(3000):
            made.addfile(entry(f"../{number}"))
    verdict = vet(opened(tar(files(CRIO) | {"rootfs-diff.tar": out.getvalue()})), Policy(engine="cri"))
    told = [claim for claim in verdict.claims if claim.code == "tree.outside"]
    assert len(told) == 50
    assert told[-1].what.endswith("(and 2950 more of these)")
