"""Archives that mean harm, one for each class of claims: good ones with one thing changed.

Images are changed as JSON and encoded again by the project's own encoder.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from cryoscope.checkpoint.archive import BytesSource, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.criu.framing import head_bytes, parse
from cryoscope.checkpoint.criu.images import by_file_name
from cryoscope.checkpoint.criu.json import from_json, to_json

DATA = Path(__file__).parents[1] / "data"
PODMAN, CONTAINERD, CRIO = "podman-looper-crun.tar", "containerd-counter.tar", "crio-counter.tar"
DOCKER = "docker-looper"
ENGINE = {PODMAN: "podman", CONTAINERD: "cri", CRIO: "cri", DOCKER: "docker"}

Files = dict[str, bytes]
Change = Callable[[Files], Files]


def files(name: str) -> Files:
    """The regular members of an archive, or the files of a folder."""
    path = DATA / name
    if path.is_dir():
        return {file.name: file.read_bytes() for file in sorted(path.iterdir())}
    with tarfile.open(path) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}  # type: ignore[union-attr]


def tar(members: Files, *more: tarfile.TarInfo) -> bytes:
    """A plain tar of files, and of further entries behind them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in members.items():
            archive.addfile(sized(entry(name), data), io.BytesIO(data))
        for one in more:
            archive.addfile(one)
    return buffer.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    """An entry of a tar."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, mode
    return info


def sized(info: tarfile.TarInfo, data: bytes) -> tarfile.TarInfo:
    info.size = len(data)
    return info


def device(name: str, major: int, minor: int, kind: bytes = tarfile.CHRTYPE) -> tarfile.TarInfo:
    """A device as an entry."""
    info = entry(name, kind)
    info.devmajor, info.devminor = major, minor
    return info


def opened(data: bytes) -> Checkpoint:
    """A checkpoint out of bytes."""
    return Checkpoint(open_archive(BytesSource(data, "made")))


# --- changes ----------------------------------------------------------------------------------
def document(name: str, change: Callable[[Any], Any]) -> Change:
    """A JSON document changed in place."""

    def made(members: Files) -> Files:
        found = json.loads(members[name])
        change(found)
        return members | {name: json.dumps(found).encode()}

    return made


def written(name: str, data: bytes) -> Change:
    """A member with other bytes, or a new one."""
    return lambda members: members | {name: data}


def image(name: str, change: Callable[[list[dict[str, Any]]], Any]) -> Change:
    """The entries of an image of CRIU changed as JSON."""

    def made(members: Files) -> Files:
        member = name if name in members else f"checkpoint/{name}"
        shown = to_json(parse(members[member], name=name))
        for one in shown["entries"]:
            one.pop("_raw", None)
        change(shown["entries"])
        return members | {member: from_json(shown)}

    return made


def inside(name: str, *entries: tarfile.TarInfo) -> Change:
    """A tar in the archive with further entries, packed as it was."""

    def made(members: Files) -> Files:
        data = members[name]
        packed = data[:2] == b"\x1f\x8b"
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as out:
            with tarfile.open(fileobj=io.BytesIO(data)) as old:
                for one in old:
                    out.addfile(one, old.extractfile(one) if one.isfile() else None)
            for one in entries:
                out.addfile(one, io.BytesIO(bytes(one.size)) if one.isfile() else None)
        made = buffer.getvalue()
        return members | {name: gzip.compress(made) if packed else made}

    return made


def unchanged(members: Files) -> Files:
    return members


class Hostile(NamedTuple):
    """A class of claims: an archive with it, and whether the copy is made without it or there is no copy."""

    code: str
    base: str
    change: Change
    cleaned: bool
    more: tuple[tarfile.TarInfo, ...] = ()
    live: bool = False


def mount(destination: str, source: str) -> Callable[[Any], Any]:
    bind = {"destination": destination, "type": "bind", "source": source, "options": ["rbind", "rw"]}
    return lambda spec: spec["mounts"].append(bind)


def put(*path: str | int, value: Any) -> Callable[[Any], Any]:
    """Set a value of a document."""

    def change(found: Any) -> None:
        for step in path[:-1]:
            found = found.setdefault(step, {}) if isinstance(step, str) else found[step]
        found[path[-1]] = value

    return change


def mounted(**fields: Any) -> Callable[[list[dict[str, Any]]], Any]:
    """One more mount in mountpoints-*.img."""

    def change(entries: list[dict[str, Any]]) -> None:
        root = next(one for one in entries if one["mountpoint"] == "/")
        plain = {"fstype": 5, "root": "/", "source": "tmpfs", "options": "", "root_dev": "0:999"}
        entries.append({**root, "mnt_id": 9999, "parent_mnt_id": root["mnt_id"], **plain, **fields})

    return change


def opens(**fields: Any) -> Callable[[list[dict[str, Any]]], Any]:
    """The second open file (/dev/null in all of them) as another."""
    return lambda entries: entries[1]["reg"].update(fields)


def capable(entries: list[dict[str, Any]]) -> None:
    for field in ("cap_eff", "cap_prm", "cap_bnd", "cap_inh", "cap_amb"):
        entries[0]["thread_core"]["creds"][field] = [0xFFFFFFFF, 0x1FF]


def creds(**fields: Any) -> Callable[[list[dict[str, Any]]], Any]:
    return lambda entries: entries[0]["thread_core"]["creds"].update(fields)


def both(*changes: Change) -> Change:
    """Several changes, one after the other."""

    def made(members: Files) -> Files:
        for change in changes:
            members = change(members)
        return members

    return made


def grouped(name: str, value: str) -> Callable[[list[dict[str, Any]]], Any]:
    """A property of a control group that CRIU would write."""
    one = {"name": name, "value": value, "perms": {"mode": 0o100644, "uid": 0, "gid": 0}}
    return lambda entries: entries[0]["controllers"][0]["dirs"][0]["properties"].append(one)


def unix(**fields: Any) -> Callable[[list[dict[str, Any]]], Any]:
    """One more open file: a unix socket."""
    nobody = {"uid": 0, "euid": 0, "signum": 0, "pid_type": 0, "pid": 0}
    buffers = dict.fromkeys(("so_sndbuf", "so_rcvbuf", "so_snd_tmo_sec", "so_snd_tmo_usec"), 0)
    options = buffers | dict.fromkeys(("so_rcv_tmo_sec", "so_rcv_tmo_usec"), 0)
    plain = {"ino": 1, "type": 1, "state": 7, "flags": "0x2", "uflags": "0x0", "backlog": 0, "peer": 0}
    socket = {"id": 900, **plain, "fown": nobody, "opts": options, "name": "", **fields}
    return lambda entries: entries.append({"type": "UNIXSK", "id": 900, "usk": socket})


def numbers(*kinds: str, value: int | None = None) -> Change:
    """The numbers of namespaces taken out, or others, in every image that has them."""

    def change(entries: list[dict[str, Any]]) -> None:
        for one in entries:
            ids = one.get("root_ids", one)
            for kind in kinds:
                ids.pop(f"{kind}_ns_id")
                if value is not None:
                    ids[f"{kind}_ns_id"] = value

    def made(members: Files) -> Files:
        for name in members:
            base = name.rpartition("/")[2]
            if base.startswith("ids-") or base == "inventory.img":
                members = image(name, change)(members)
        return members

    return made


def shares(*kinds: str) -> Change:
    """Processes in the namespaces of whoever took the checkpoint, as the spec says."""
    own = {"pid": 1, "net": 2, "ipc": 3, "uts": 4, "mnt": 6}

    def made(members: Files) -> Files:
        for name in members:
            if name.rpartition("/")[2].startswith("ids-"):
                change = {f"{kind}_ns_id": own[kind] for kind in kinds}
                members = image(name, lambda e, change=change: e[0].update(change))(members)
        return members

    return made


def former(pid: int) -> Change:
    """Credentials in an image of their own, as CRIU had them once, in the place of the thread's."""

    def made(members: Files) -> Files:
        taken: dict[str, Any] = {}
        core = f"checkpoint/core-{pid}.img"
        members = image(core, lambda e: taken.update(e[0]["thread_core"].pop("creds")))(members)
        mighty = {"cap_eff": [0xFFFFFFFF, 0x1FF], "cap_prm": [0xFFFFFFFF, 0x1FF]}
        shown = {"magic": "CREDS", "entries": [taken | mighty]}
        return members | {f"checkpoint/creds-{pid}.img": from_json(shown)}

    return made


def former_image(name: str) -> Change:
    """An image of a former format beside what is there."""
    kind = by_file_name(name)
    assert kind is not None
    return written(f"checkpoint/{name}", head_bytes(kind, kind.head))


def unfiltered(members: Files) -> Files:
    """No thread has a filter, and no spec a profile."""

    def change(entries: list[dict[str, Any]]) -> None:
        entries[0]["thread_core"].pop("seccomp_mode", None)

    for name in members:
        if name.rpartition("/")[2].startswith("core-"):
            members = image(name, change)(members)
    if SPEC in members:
        members = document(SPEC, lambda d: d["linux"].pop("seccomp", None))(members)
    return members


def unmasked(*kept: str) -> Change:
    """Mounts below /proc taken away, but for some; what the lists of the spec have is taken away too."""

    def is_gone(path: str) -> bool:
        return path.startswith("/proc/") and path not in kept

    def change(entries: list[dict[str, Any]]) -> None:
        entries[:] = [one for one in entries if not is_gone("/" + one["mountpoint"].lstrip("./"))]

    def made(members: Files) -> Files:
        for name in members:
            if name.rpartition("/")[2].startswith("mountpoints-"):
                members = image(name, change)(members)
        return members

    return made


def unlisted(members: Files) -> Files:
    """Lists that protect nothing, as the archive says."""
    lists = {"maskedPaths": [], "readonlyPaths": []}
    return document(SPEC, lambda d: d["linux"].update(lists))(members)


def unspaced(members: Files) -> Files:
    """A spec that has no namespaces of its own."""
    return document(SPEC, put("linux", "namespaces", value=[]))(members)


def partial(mountpoint: str, root: str = "/sys", **more: Any) -> Change:
    """One more mount of the kernel's proc, of the same superblock as the container's own; writable."""

    def change(entries: list[dict[str, Any]]) -> None:
        proc = next(one for one in entries if one["mountpoint"].lstrip("./") == "proc")
        other = {"mnt_id": 9999, "mountpoint": mountpoint, "root": root, "flags": "0x200000"}
        entries.append(proc | other | more)

    return image("mountpoints-13.img", change)


def moved(place: str, **fields: Any) -> Change:
    """A mount that is there, otherwise."""

    def change(entries: list[dict[str, Any]]) -> None:
        next(one for one in entries if "/" + one["mountpoint"].lstrip("./") == place).update(fields)

    return image("mountpoints-13.img", change)


def linked(name: str, target: str, through: str) -> Change:
    """A symbolic link in the tree of the root, and a file opened by a name through it."""
    link = inside(ROOTFS, entry(name, SYM, target))
    return both(link, image("files.img", opens(name=through)))


def inspected(field: str, value: Any) -> Change:
    """What Docker says of the container, with one setting."""
    return written("docker-inspect.json", json.dumps({"HostConfig": {field: value}}).encode())


NOTED = {"criu.cgroup-namespace", "podman.unlabelled"}
"""Notes that every archive of the lab gets."""

ALLOW_ALL = "BgAAAAAA/38="
"""One instruction of a filter: the call goes through."""

SPEC, CONFIG, STATUS, ROOTFS = "spec.dump", "config.dump", "status.dump", "rootfs-diff.tar"
CDI = "cdi.k8s.io/devices"
SYM, LNK = tarfile.SYMTYPE, tarfile.LNKTYPE
EVIL_REF = "evil.example/x@sha256:" + "0" * 64

HOSTILE = (
    # the archive itself
    Hostile("member.outside", PODMAN, written("../../etc/cron.d/x", b"* * * * * root id"), True),
    Hostile("member.outside", CRIO, written("volumes/../../../etc/x", b""), True),
    Hostile("member.unknown", PODMAN, written("/etc/shadow", b"root::"), True),
    Hostile("member.unknown", CONTAINERD, written("ctrd-restore/config.json", b"{}"), True),
    Hostile("member.link", PODMAN, unchanged, True, (entry("artifacts/x", SYM, "/etc"),)),
    Hostile("member.link", CONTAINERD, unchanged, False, (entry("spec.dump", SYM, "/etc/shadow"),)),
    Hostile("member.link", PODMAN, unchanged, False, (entry("checkpoint/core-1.img", LNK, "spec.dump"),)),
    Hostile("member.device", PODMAN, unchanged, True, (device("checkpoint/../x", 1, 1), device("sda", 8, 0))),
    Hostile("member.device", DOCKER, unchanged, False, (entry("core-1.img", tarfile.FIFOTYPE),)),
    Hostile("member.setuid", PODMAN, unchanged, True, (entry("ctr.log", mode=0o4755),)),
    Hostile("member.duplicate", PODMAN, unchanged, True, (entry("ctr.log"),)),
    Hostile("log.link", CONTAINERD, unchanged, True, (entry("container.log", SYM, "/etc/shadow"),)),
    Hostile("log.link", PODMAN, unchanged, True, (entry("ctr.log", SYM, "/etc/shadow"),)),
    Hostile("log.link", CRIO, unchanged, True, (entry("io.kubernetes.cri-o.LogPath", LNK, "/etc/shadow"),)),
    # documents that two readers read differently
    Hostile(
        "document.twice",
        PODMAN,
        lambda m: m | {SPEC: b'{"hooks": {},' + m[SPEC][1:-1] + b',"hooks":{}}'},
        False,
    ),
    Hostile("document.spelling", PODMAN, document(SPEC, put("Hooks", value={})), False),
    Hostile("document.unreadable", CONTAINERD, written(STATUS, b"[" * 100_000), False),
    # trees
    Hostile("tree.outside", PODMAN, inside(ROOTFS, entry("../../../etc/cron.d/x")), True),
    Hostile("tree.outside", CONTAINERD, inside(ROOTFS, entry("a/../../b")), True),
    Hostile("tree.outside", CONTAINERD, inside(ROOTFS, entry("a/.wh...")), True),
    Hostile("tree.outside", PODMAN, inside("devshm-checkpoint.tar", entry("../x")), True),
    Hostile("tree.outside", DOCKER, inside("tmpfs-dev-161.tar.gz.img", entry("../../x")), True),
    Hostile("tree.outside", PODMAN, written("volumes/v.tar", tar({"../x": b"1"})), True),
    Hostile("tree.absolute", CRIO, inside(ROOTFS, entry("/etc/cron.d/x")), True),
    Hostile("tree.absolute", CONTAINERD, inside(ROOTFS, entry("/" + "long/" * 60 + "x")), True),
    Hostile("tree.through-link", CRIO, inside(ROOTFS, entry("out", SYM, "/"), entry("out/etc/x")), True),
    Hostile("tree.link", PODMAN, inside(ROOTFS, entry("a/out", SYM, "../../../etc")), True),
    Hostile("tree.mount-link", PODMAN, inside(ROOTFS, entry("proc", SYM, "/etc")), True),
    Hostile("tree.hardlink", CONTAINERD, inside(ROOTFS, entry("shadow", LNK, "/etc/shadow")), True),
    Hostile("tree.hardlink", PODMAN, inside(ROOTFS, entry("shadow", LNK, "../../etc/shadow")), True),
    Hostile("tree.device", PODMAN, inside(ROOTFS, device("disk", 8, 0, tarfile.BLKTYPE)), True),
    Hostile("tree.device", DOCKER, inside("tmpfs-dev-161.tar.gz.img", device("mem", 1, 1)), True),
    Hostile("tree.duplicate", PODMAN, inside(ROOTFS, entry("newfile"), entry("newfile", SYM, "/etc")), True),
    Hostile("tree.unreadable", CRIO, written(ROOTFS, b"junk" * 500), False),
    # deleted files
    Hostile("deleted.outside", PODMAN, written("deleted.files", b'["/bin/nc","../../etc"]'), True),
    Hostile("deleted.outside", CRIO, written("deleted.files", b'["/bin/../../../etc", "/", 5]'), True),
    Hostile("deleted.unreadable", CRIO, written("deleted.files", b'{"a": 1}'), True),
    Hostile(
        "deleted.outside",
        PODMAN,
        both(inside(ROOTFS, entry("out", SYM, "/")), written("deleted.files", b'["/out/etc/passwd"]')),
        True,
    ),
    # mounts
    Hostile(
        "bind.host-path",
        CRIO,
        document(
            "bind.mounts",
            lambda d: d.append(
                {"source": "/etc/cron.d/x", "destination": "/x", "file_type": "file", "permissions": 511}
            ),
        ),
        True,
    ),
    Hostile("mount.host-path", PODMAN, document(SPEC, mount("/host", "/")), False),
    Hostile(
        "mount.host-path",
        PODMAN,
        document(SPEC, mount("/host", "/a/containers/storage/volumes/x/_data")),
        False,
    ),
    Hostile("mount.destination", CONTAINERD, document(SPEC, mount("/a/../../host", "/x")), False),
    Hostile("mount.destination", PODMAN, document(SPEC, mount("host", "/x")), False),
    # labels
    Hostile("label.cdi", PODMAN, document(SPEC, put("annotations", CDI, value="vendor.com/gpu=all")), True),
    Hostile(
        "label.cdi", CONTAINERD, document(STATUS, put("annotations", CDI, value="vendor.com/gpu=all")), True
    ),
    Hostile(
        "label.cdi",
        CRIO,
        document(SPEC, put("annotations", "io.kubernetes.cri-o.Annotations", value=json.dumps({CDI: "x"}))),
        True,
    ),
    Hostile(
        "label.containerd",
        CONTAINERD,
        document(STATUS, put("labels", "containerd.io/restart.loguri", value="binary:///bin/sh")),
        True,
    ),
    Hostile(
        "label.criu", PODMAN, document(SPEC, put("annotations", "org.criu.config", value="/tmp/x")), True
    ),
    Hostile(
        "label.crun", PODMAN, document(SPEC, put("annotations", "run.oci.hooks.stdout", value="/x")), True
    ),
    Hostile(
        "label.systemd",
        PODMAN,
        document(SPEC, put("annotations", "org.systemd.property.ExecStopPost", value="'/x'")),
        True,
    ),
    # image references
    Hostile("image.retag", CONTAINERD, document(CONFIG, put("rootfsImageRef", value=EVIL_REF)), True),
    Hostile("image.reference", PODMAN, document(CONFIG, put("rootfsImageName", value="dir:/etc")), False),
    Hostile("image.reference", CRIO, document(CONFIG, put("rootfsImageRef", value="../../x")), False),
    Hostile(
        "image.mutable",
        CONTAINERD,
        document(CONFIG, lambda d: d.update(rootfsImageRef="localhost/busybox:1.37")),
        False,
    ),
    # the spec
    Hostile(
        "spec.hooks", PODMAN, document(SPEC, put("hooks", value={"poststart": [{"path": "/bin/sh"}]})), True
    ),
    Hostile(
        "spec.hooks",
        PODMAN,
        document(SPEC, put("hooks", value={"prestart": [{"path": "/x"}]})),
        True,
        live=True,
    ),
    Hostile(
        "spec.capabilities",
        PODMAN,
        document(SPEC, lambda d: d["process"]["capabilities"]["bounding"].append("CAP_SYS_ADMIN")),
        True,
    ),
    Hostile(
        "spec.apparmor", PODMAN, document(SPEC, put("process", "apparmorProfile", value="unconfined")), False
    ),
    Hostile(
        "spec.selinux", PODMAN, document(SPEC, put("process", "selinuxLabel", value="a:b:spc_t:s0")), False
    ),
    Hostile(
        "spec.seccomp",
        PODMAN,
        document(SPEC, put("linux", "seccomp", value={"defaultAction": "SCMP_ACT_ALLOW"})),
        False,
    ),
    Hostile("spec.masked-paths", PODMAN, document(SPEC, put("linux", "maskedPaths", value=[])), False),
    Hostile("spec.readonly-paths", PODMAN, document(SPEC, put("linux", "readonlyPaths", value=[])), False),
    Hostile(
        "spec.sysctl",
        PODMAN,
        document(SPEC, put("linux", "sysctl", "kernel.core_pattern", value="|/x")),
        True,
    ),
    Hostile("spec.cgroup-path", PODMAN, document(SPEC, put("linux", "cgroupsPath", value="/../../x")), False),
    Hostile(
        "spec.propagation", PODMAN, document(SPEC, put("linux", "rootfsPropagation", value="rshared")), True
    ),
    Hostile("spec.root", PODMAN, document(SPEC, put("root", "path", value="/")), False),
    Hostile(
        "spec.devices",
        PODMAN,
        document(
            SPEC, put("linux", "devices", value=[{"path": "/dev/sda", "type": "b", "major": 8, "minor": 0}])
        ),
        True,
    ),
    Hostile(
        "spec.device-rules",
        PODMAN,
        document(
            SPEC, put("linux", "resources", "devices", value=[{"allow": True, "type": "a", "access": "rwm"}])
        ),
        True,
    ),
    Hostile(
        "spec.host-namespace",
        PODMAN,
        document(SPEC, put("linux", "namespaces", value=[{"type": "mount"}])),
        False,
    ),
    Hostile(
        "spec.namespace-path",
        PODMAN,
        document(SPEC, lambda d: d["linux"]["namespaces"][0].update(path="/proc/1/ns/pid")),
        False,
    ),
    # Podman's configuration
    Hostile("podman.rootfs", PODMAN, document(CONFIG, put("rootfs", value="/")), True),
    Hostile("podman.host-file", PODMAN, document(CONFIG, put("conmonPidFile", value="/etc/cron.d/x")), True),
    Hostile(
        "podman.host-file",
        PODMAN,
        document(CONFIG, put("conmonPidFile", value="/etc/cron.d/x")),
        True,
        live=True,
    ),
    Hostile("podman.host-file", PODMAN, document(CONFIG, put("healthLogDestination", value="/etc")), True),
    Hostile("podman.host-file", PODMAN, document(CONFIG, put("baseHostsFile", value="/etc/shadow")), True),
    Hostile("podman.cdi", PODMAN, document(CONFIG, put("cdiDevices", value=["vendor.com/gpu=all"])), True),
    Hostile(
        "podman.devices", PODMAN, document(CONFIG, put("device_host_src", value=[{"path": "/dev/sda"}])), True
    ),
    Hostile("podman.privileged", PODMAN, document(CONFIG, put("privileged", value=True)), True),
    Hostile("podman.secrets", PODMAN, document(CONFIG, put("secret_env", value={"A": {"name": "s"}})), True),
    Hostile(
        "podman.ports", PODMAN, document(CONFIG, put("newPortMappings", value=[{"host_port": 22}])), True
    ),
    Hostile("podman.restart", PODMAN, document(CONFIG, put("restart_policy", value="always")), True),
    Hostile(
        "podman.healthcheck", PODMAN, document(CONFIG, put("healthcheck", value={"Test": ["CMD", "x"]})), True
    ),
    Hostile(
        "podman.volumes", PODMAN, document(CONFIG, put("overlayVolumes", value=[{"source": "/etc"}])), True
    ),
    Hostile(
        "podman.volume-name",
        PODMAN,
        document(CONFIG, put("namedVolumes", value=[{"volumeName": "../x"}])),
        False,
    ),
    Hostile("podman.joined", PODMAN, document(CONFIG, put("netNsCtr", value="abc")), False),
    Hostile("podman.network", PODMAN, document(CONFIG, put("networkMode", value="host")), False),
    Hostile("podman.cgroups", PODMAN, document(CONFIG, put("noCgroups", value=True)), True),
    Hostile("podman.cgroups", PODMAN, document(CONFIG, put("cgroupParent", value="/../..")), True),
    Hostile("podman.label", PODMAN, document(CONFIG, put("ProcessLabel", value="u:r:spc_t:s0")), True),
    # Docker's settings, which a live restore takes
    *(
        Hostile(code, DOCKER, inspected(field, value), False, live=True)
        for code, field, value in (
            ("docker.privileged", "Privileged", True),
            ("docker.capabilities", "CapAdd", ["ALL"]),
            ("docker.confinement", "SecurityOpt", ["seccomp=unconfined"]),
            ("docker.devices", "Devices", [{"PathOnHost": "/dev/sda"}]),
            ("docker.joined", "PidMode", "host"),
            ("docker.cgroups", "CgroupParent", "/"),
            ("docker.volumes", "VolumesFrom", ["other"]),
            ("docker.binds", "Binds", ["/:/host"]),
        )
    ),
    # what CRIU's images claim
    Hostile("criu.capabilities", PODMAN, image("core-1.img", capable), True),
    Hostile("criu.capabilities", DOCKER, image("core-24.img", capable), True),
    Hostile("criu.capabilities", CONTAINERD, image("core-9.img", capable), False, live=True),
    Hostile(
        "criu.new-privileges", PODMAN, document(SPEC, put("process", "noNewPrivileges", value=True)), True
    ),
    Hostile(
        "criu.user",
        PODMAN,
        document(SPEC, lambda d: d["process"].update(noNewPrivileges=True, user={"uid": 1000, "gid": 1000})),
        False,
    ),
    Hostile(
        "criu.seccomp-off",
        PODMAN,
        image("core-1.img", lambda e: e[0]["thread_core"].update(seccomp_mode="disabled")),
        False,
    ),
    Hostile(
        "criu.seccomp-filter",
        PODMAN,
        image("seccomp.img", lambda e: e.__setitem__(0, {"seccomp_filters": [{"filter": ALLOW_ALL}]})),
        False,
    ),
    Hostile(
        "criu.lsm-label",
        PODMAN,
        both(
            document(SPEC, put("process", "apparmorProfile", value="containers-default")),
            image("core-1.img", creds(lsm_profile="unconfined")),
        ),
        False,
    ),
    Hostile(
        "criu.scheduler",
        PODMAN,
        image("core-1.img", lambda e: e[0]["thread_core"].update(sched_policy=1)),
        True,
    ),
    Hostile("criu.oom", CRIO, image("core-1.img", lambda e: e[0]["tc"].update(oom_score_adj=-1000)), True),
    Hostile(
        "criu.external-mount",
        PODMAN,
        image("mountpoints-13.img", mounted(mountpoint="/h", ext_key="/host")),
        False,
    ),
    Hostile("criu.mount-path", PODMAN, image("mountpoints-13.img", mounted(mountpoint="/../../etc")), False),
    Hostile(
        "criu.mount-type",
        DOCKER,
        image("mountpoints-12.img", mounted(fstype=17, mountpoint="/h", options="lowerdir=/")),
        False,
    ),
    Hostile(
        "criu.mount-type",
        CONTAINERD,
        image("mountpoints-13.img", mounted(fstype=16, fsname="ext4", source="/dev/vda", mountpoint="/h")),
        False,
    ),
    Hostile(
        "criu.mount-type", CRIO, image("mountpoints-13.img", mounted(fstype=4, mountpoint="/binfmt")), False
    ),
    Hostile(
        "criu.mount-cgroup", CRIO, image("mountpoints-13.img", mounted(fstype=12, mountpoint="/cg")), False
    ),
    Hostile(
        "criu.mount-unprotected",
        PODMAN,
        image("mountpoints-13.img", lambda e: e.__delitem__(slice(0, 1))),
        True,
    ),
    Hostile("criu.mount-kernel", PODMAN, partial("/zz"), False),
    Hostile("criu.mount-kernel", PODMAN, partial("/opt", root="/"), False),
    Hostile("criu.mount-kernel", CRIO, partial("/proc/sys/kernel", root="/sys/kernel"), False),
    Hostile("criu.mount-kernel", CONTAINERD, moved("/proc/sys", flags="0x200000"), False),
    Hostile("criu.mount-kernel", CONTAINERD, moved("/proc/sys", root_dev="0x99"), False),
    Hostile("criu.mount-kernel", PODMAN, moved("/proc/sys", parent_mnt_id=440), False),
    Hostile("criu.mount-kernel", PODMAN, moved("/proc/sys", root="/bus"), False),
    Hostile("criu.mount-kernel", PODMAN, moved("/sys", mountpoint="./sys2"), False),
    Hostile("criu.mount-twice", PODMAN, partial("/proc/sys"), False),
    Hostile("criu.mount-twice", CRIO, partial("/x", fstype=5, root="/", mnt_id=173), False),
    Hostile("criu.mount-twice", CRIO, image("mountpoints-13.img", mounted(mountpoint="./")), False),
    Hostile("criu.mount-path", PODMAN, partial("/proc//sys/"), False),
    Hostile("criu.mount-unprotected", CRIO, moved("/sys", flags="0x200000"), True),
    Hostile(
        "criu.mount-unprotected",
        PODMAN,
        image("mountpoints-13.img", mounted(fstype=12, mountpoint="/sys/fs/cgroup/x", flags="0x0")),
        True,
    ),
    Hostile("criu.mount-unmasked", PODMAN, unmasked("/proc/sys"), False),
    Hostile("criu.mount-unmasked", CRIO, both(unmasked("/proc/sys"), unlisted), False),
    Hostile("criu.mount-unmasked", DOCKER, both(unmasked("/proc/sys"), inspected("MaskedPaths", [])), False),
    Hostile("criu.no-credentials", PODMAN, former(1), False),
    Hostile("criu.no-credentials", CRIO, former(9), False, live=True),
    *(
        Hostile("criu.superseded", PODMAN, former_image(f"{name}-1.img"), True)
        for name in ("creds", "rlimit", "sigacts", "itimers", "posix-timers", "signal-s", "signal-p", "vmas")
    ),
    Hostile("criu.seccomp-none", PODMAN, unfiltered, False),
    Hostile("criu.seccomp-none", DOCKER, unfiltered, False),
    Hostile("criu.seccomp-none", CRIO, unchanged, False),
    Hostile(
        "criu.seccomp-none",
        PODMAN,
        both(unfiltered, document(SPEC, put("linux", "seccomp", value={"defaultAction": "SCMP_ACT_ALLOW"}))),
        False,
    ),
    Hostile("criu.lsm-label", CRIO, image("core-9.img", creds(lsm_profile="unconfined")), False),
    Hostile("criu.lsm-label", DOCKER, image("core-24.img", creds(lsm_profile="crun")), False),
    Hostile(
        "podman.unlabelled",
        PODMAN,
        both(
            document(CONFIG, put("labelopts", value=["disable"])),
            image("inventory.img", lambda e: e[0].update(lsmtype="SELINUX")),
        ),
        False,
    ),
    Hostile("docker.confinement", DOCKER, inspected("SecurityOpt", ["seccomp=unconfined"]), False),
    Hostile("criu.cgroup-property", PODMAN, image("cgroup.img", grouped("release_agent", "/x")), True),
    Hostile("criu.cgroup-property", DOCKER, image("cgroup.img", grouped("notify_on_release", "1")), True),
    Hostile("criu.cgroup-property", CRIO, image("cgroup.img", grouped("devices.list", "a *:* rwm")), True),
    Hostile("criu.cgroup-property", CRIO, image("cgroup.img", grouped("devices.allow", "a *:* rwm")), True),
    Hostile(
        "criu.cgroup-path",
        PODMAN,
        image("cgroup.img", lambda e: e[0]["sets"][0]["ctls"][1].update(path="/a/../..")),
        False,
    ),
    Hostile(
        "criu.cgroup-foreign",
        PODMAN,
        image("cgroup.img", lambda e: e[0]["sets"][0]["ctls"][1].update(path="/system.slice/sshd.service")),
        False,
    ),
    Hostile(
        "criu.cgroup-foreign",
        CONTAINERD,
        image("cgroup.img", lambda e: [g.update(path="/") for s in e[0]["sets"] for g in s["ctls"]]),
        False,
    ),
    Hostile(
        "criu.cgroup-foreign",
        DOCKER,
        image("cgroup.img", lambda e: e[0]["sets"][0]["ctls"][1].update(path="/system.slice/x")),
        False,
    ),
    Hostile("criu.file-outside", PODMAN, image("files.img", opens(name="/../../etc/shadow")), False),
    *(
        Hostile("criu.file-leak", base, image("files.img", opens(name=name, mnt_id=-1)), False)
        for base, name in (
            (PODMAN, "/proc/self/task/1/fd/200/etc/shadow"),
            (CRIO, "/proc/thread-self/root/etc/shadow"),
            (CONTAINERD, "/proc/7/map_files/400000-401000"),
            (DOCKER, "/proc/7/exe"),
            (PODMAN, "//proc/./self//task/7/cwd"),
        )
    ),
    Hostile("criu.file-link", PODMAN, linked("lnk", "/proc/sys/kernel", "/lnk/core_pattern"), False),
    Hostile("criu.file-link", CRIO, linked("a/lnk", "../proc/self", "/a/lnk/mem"), False),
    Hostile("criu.file-link", CONTAINERD, linked("mem", "/dev/mem", "/mem"), False),
    Hostile("criu.file-link", PODMAN, linked("out", "/../..", "/out/etc/shadow"), False),
    Hostile(
        "criu.file-link",
        PODMAN,
        both(inside(ROOTFS, entry("b", SYM, "/sys")), linked("a", "b", "/a/kernel/uevent_helper")),
        False,
    ),
    Hostile("criu.file-link", CRIO, linked("a", "b/../a", "/a/x"), False),
    Hostile(
        "criu.file-link",
        PODMAN,
        both(inside(ROOTFS, entry("b", SYM, "/proc/sys")), linked("a", "b/../sysrq-trigger", "/a")),
        False,
    ),
    Hostile("criu.file-outside", PODMAN, image("files.img", opens(mnt_id=77)), False),
    Hostile("criu.file-external", DOCKER, image("files.img", opens(name="/etc/shadow", ext=True)), False),
    Hostile("criu.file-leak", PODMAN, image("files.img", opens(name="/proc/self/fd/7")), False),
    Hostile("criu.file-kernel", CRIO, image("files.img", opens(name="/proc/sysrq-trigger")), False),
    Hostile("criu.file-device", CONTAINERD, image("files.img", opens(name="/dev/sda", mode=0o060660)), False),
    Hostile(
        "criu.socket-external", PODMAN, image("files.img", unix(uflags="0x1", name="/run/docker.sock")), False
    ),
    Hostile("criu.socket-outside", PODMAN, image("files.img", unix(name="/../run/x.sock")), False),
    Hostile("criu.namespace", CRIO, image("netns-10.img", lambda e: e[0].update(ext_key="host-net")), False),
    Hostile("criu.host-namespace", PODMAN, image("ids-1.img", lambda e: e[0].update(net_ns_id=2)), False),
    Hostile("criu.host-namespace", CRIO, shares("pid"), False),
    Hostile("criu.host-namespace", CONTAINERD, both(shares("ipc", "uts"), unspaced), False),
    Hostile("criu.host-namespace", DOCKER, shares("mnt"), False),
    Hostile("criu.host-namespace", DOCKER, both(shares("ipc"), inspected("IpcMode", "host")), False),
    Hostile("criu.namespace-absent", PODMAN, numbers("net"), False),
    Hostile("criu.namespace-absent", PODMAN, numbers("pid"), False, live=True),
    Hostile("criu.namespace-absent", DOCKER, numbers("ipc", "uts"), False),
    Hostile("criu.namespace-absent", CRIO, numbers("mnt", value=0), False),
    Hostile("criu.namespace-absent", CONTAINERD, image("ids-9.img", lambda e: e[0].pop("pid_ns_id")), False),
    Hostile("criu.namespace-absent", PODMAN, image("inventory.img", lambda e: e[0].pop("root_ids")), False),
    Hostile(
        "criu.namespace-absent",
        PODMAN,
        lambda m: {k: v for k, v in m.items() if k != "checkpoint/ids-1.img"},
        False,
    ),
    Hostile(
        "criu.filter-include",
        PODMAN,
        written("checkpoint/nftables-10.img", b'include "/etc/shadow"\n'),
        False,
    ),
    Hostile("criu.incomplete", PODMAN, lambda m: {k: v for k, v in m.items() if "pstree" not in k}, False),
    Hostile("criu.damaged", CRIO, written("checkpoint/remap-fpath.img", b"\x54\x39\x13\x59" * 8), False),
    Hostile("criu.damaged", PODMAN, written("checkpoint/files.img", b"\x57\x41\x53\x54" * 8), False),
)
"""Every class, in the order of the checks."""
