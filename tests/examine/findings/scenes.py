"""Made-up containers for detectors: processes with memory, descriptors and rights, and changed files."""

from __future__ import annotations

import io
import json
import struct
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.criu.names import CAPABILITIES
from cryoscope.examine.findings import DETECTORS, Finding, find_findings
from tests.checkpoint.built_samples import INVENTORY, PAGE, Fields, image, made, mm, pagemap, tar, vma

STACK = 0x7FFD_0000_0000
CODE = 0x40_0000
LIBRARY = 0x7F00_0000_0000
ANON = 0x7000_0000
ANONYMOUS, FILE, MEMFD = 0x201, 0x41, 0x4041
"""Status bits of private mappings: anonymous, of a file, of a memfd."""

READ, WRITE, EXECUTE = 1, 2, 4
PRESENT = 4
KINDS = {
    "REG": (1, "reg"),
    "PIPE": (2, "pipe"),
    "INETSK": (4, "isk"),
    "UNIXSK": (5, "usk"),
    "TTY": (11, "tty"),
    "MEMFD": (18, "memfd"),
}
"""Number in fd_types and field of file_entry."""

O_RDONLY, O_WRONLY, O_RDWR = 0, 1, 2


@dataclass
class Mapped:
    """A mapping; `pages` are the contents of the dumped ones by their number in it."""

    start: int
    size: int
    prot: int = READ | EXECUTE
    path: str | None = None
    status: int | None = None
    offset: int = 0
    pages: dict[int, bytes] = field(default_factory=dict)


@dataclass
class Fd:
    """A descriptor: `type` as in CRIU's fd_types, the fields of its entry, and how it is open."""

    type: str
    entry: Fields
    key: Any = None


def pipe(number: int, access: int) -> Fd:
    """One end of a pipe."""
    return Fd("PIPE", {"pipe_id": number, "flags": access}, ("pipe", number, access))


def inet(remote: tuple[str, int] | None, local: tuple[str, int] = ("10.88.0.2", 51234), state: int = 1) -> Fd:
    """A TCP socket."""
    ends = {"src_addr": _words(local[0]), "src_port": local[1], "dst_addr": [0], "dst_port": 0}
    if remote is not None:
        ends |= {"dst_addr": _words(remote[0]), "dst_port": remote[1]}
    common = {
        "ino": 9000 + local[1],
        "family": 2,
        "type": 1,
        "proto": 6,
        "state": state,
        "flags": 2,
        "backlog": 0,
    }
    return Fd("INETSK", common | ends, ("inet", local, remote))


def unix(inode: int, peer: int) -> Fd:
    """One of a pair of sockets."""
    common = {
        "ino": inode,
        "peer": peer,
        "type": 1,
        "state": 1,
        "flags": 2,
        "uflags": 0,
        "backlog": 0,
        "name": b"",
    }
    return Fd("UNIXSK", common, ("unix", inode))


def terminal(number: int = 0) -> Fd:
    """A terminal."""
    return Fd("TTY", {"tty_info_id": number, "flags": 2}, ("tty", number))


def regular(path: str) -> Fd:
    """A file."""
    return Fd("REG", {"flags": 0, "pos": 0, "name": path.encode()}, ("reg", path))


def _words(address: str) -> list[int]:
    packed = ip_address(address).packed
    return list(struct.unpack(f"<{len(packed) // 4}I", packed))


@dataclass
class Proc:
    """A process; `exe` ends in " (deleted)" as in /proc where it was, `caps` by name."""

    pid: int
    argv: Sequence[str] | None
    exe: str = "/usr/bin/server"
    comm: str | None = None
    ppid: int | None = None
    env: dict[str, str] = field(default_factory=dict)
    mapped: list[Mapped] = field(default_factory=list)
    fds: dict[int, Fd] = field(default_factory=dict)
    uid: int = 0
    caps: Sequence[str] = ("CAP_CHOWN", "CAP_KILL")
    no_new_privs: bool = False
    seccomp: int | None = 2
    userns: int = 1
    personality: int = 0
    shared: dict[str, bytes] = field(default_factory=dict)
    """Contents of memfds by name."""


class _Files:
    """files.img: one entry for each distinct file."""

    def __init__(self) -> None:
        self.entries: list[Fields] = []
        self.remaps: list[Fields] = []
        self.memfds: list[Fields] = []
        self._ids: dict[Any, int] = {}

    def add(self, fd: Fd) -> int:
        if fd.key not in self._ids:
            number = self._ids[fd.key] = len(self._ids) + 1
            fields = {
                "REG": "reg",
                "PIPE": "pipe",
                "INETSK": "isk",
                "UNIXSK": "usk",
                "TTY": "tty",
                "MEMFD": "memfd",
            }
            kinds = {"REG": 1, "PIPE": 2, "INETSK": 4, "UNIXSK": 5, "TTY": 11, "MEMFD": 18}
            entry = {"type": kinds[fd.type], "id": number, fields[fd.type]: {"id": number} | fd.entry}
            self.entries.append(entry)
        return self._ids[fd.key]

    def path(self, path: str) -> int:
        """The id of a file by its path as /proc shows it."""
        name = path.removesuffix(" (deleted)")
        if name.startswith("/memfd:"):
            return self._memfd(name)
        number = self.add(Fd("REG", regular(name).entry, ("reg", path)))
        if path != name and not any(remap["orig_id"] == number for remap in self.remaps):
            self.remaps.append({"orig_id": number, "remap_id": 0, "remap_type": 0})
        return number

    def _memfd(self, name: str) -> int:
        inode = 700 + len(self.memfds)
        known = ("memfd", name) in self._ids
        number = self.add(Fd("MEMFD", {"flags": 2, "pos": 0, "inode_id": inode}, ("memfd", name)))
        if not known:
            described = {
                "name": name.removeprefix("/memfd:").encode(),
                "uid": 0,
                "gid": 0,
                "size": PAGE,
                "seals": 0,
            }
            self.memfds.append(described | {"shmid": inode, "inode_id": inode})
        return number

    def shmid(self, name: str) -> int:
        """The number of the object behind a memfd."""
        described = next(memfd for memfd in self.memfds if name == "/memfd:" + memfd["name"].decode())
        return int(described["shmid"])


def container(
    *processes: Proc,
    rootfs: dict[str, bytes] | None = None,
    modes: dict[str, int] | None = None,
    spec: Fields | None = None,
) -> Checkpoint:
    """The checkpoint of these processes; `rootfs` is what the container wrote."""
    return made(_members(processes, rootfs, modes, spec))


def archive(*processes: Proc, **fields: Any) -> bytes:
    """The same as the bytes of an archive."""
    members = _members(processes, fields.get("rootfs"), fields.get("modes"), fields.get("spec"))
    named = {f"checkpoint/{name}" if name.endswith(".img") else name: data for name, data in members.items()}
    return tar({"checkpoint/inventory.img": image("INVENTORY", INVENTORY)} | named)


def _members(
    processes: Sequence[Proc],
    rootfs: dict[str, bytes] | None,
    modes: dict[str, int] | None,
    spec: Fields | None,
) -> dict[str, bytes]:
    files, images = _Files(), dict[str, bytes]()
    for process in processes:
        images |= _images(process, files)
    tree = [
        {"pid": p.pid, "ppid": _parent(p), "pgid": p.pid, "sid": p.pid, "threads": [p.pid]} for p in processes
    ]
    images["pstree.img"] = image("PSTREE", *tree)
    images["files.img"] = image("FILES", *files.entries)
    if files.remaps:
        images["remap-fpath.img"] = image("REMAP_FPATH", *files.remaps)
    if files.memfds:
        images["memfd.img"] = image("MEMFD_INODE", *files.memfds)
    for name, data in (pair for process in processes for pair in process.shared.items()):
        number = files.shmid(name)
        images[f"pagemap-shmem-{number}.img"] = pagemap((0, 1, PRESENT), pages_id=number)
        images[f"pages-{number}.img"] = data
    if rootfs is not None:
        images["rootfs-diff.tar"] = layer(rootfs, modes or {})
    if spec is not None:
        images |= {"spec.dump": json.dumps(spec).encode(), "config.dump": b"{}"}
    return images


def _parent(process: Proc) -> int:
    return process.ppid if process.ppid is not None else int(process.pid != 1)


def layer(files: dict[str, bytes], modes: dict[str, int]) -> bytes:
    """A tar of files by their paths."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made_tar:
        for path, data in files.items():
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size, member.mode = len(data), modes.get(path, 0o644)
            made_tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _images(process: Proc, files: _Files) -> dict[str, bytes]:
    pid = process.pid
    exe = files.path(process.exe)
    mappings, pages = _memory(process, files)
    arguments = "".join(f"{each}\0" for each in process.argv or []).encode()
    environment = "".join(f"{name}={value}\0" for name, value in process.env.items()).encode()
    middle, end = STACK + len(arguments), STACK + len(arguments) + len(environment)
    if process.argv is not None:
        pages[STACK] = (arguments + environment).ljust(PAGE, b"\0")
    numbers = {"mm_arg_start": STACK, "mm_arg_end": middle, "mm_env_start": middle, "mm_env_end": end}
    entries = [(address, 1, PRESENT) for address in sorted(pages)]
    opened = [
        {"id": files.add(fd), "flags": 0, "type": KINDS[fd.type][0], "fd": number}
        for number, fd in process.fds.items()
    ]
    kinds = ("vm", "fs", "sighand", "pid_ns", "net_ns", "ipc_ns", "uts_ns", "mnt_ns")
    ids = {f"{kind}_id": 1 for kind in kinds} | {"files_id": pid, "user_ns_id": process.userns}
    return {
        f"core-{pid}.img": _core(process),
        f"mm-{pid}.img": mm(mappings, **numbers, exe_file_id=exe),
        f"pagemap-{pid}.img": pagemap(*entries, pages_id=pid),
        f"pages-{pid}.img": b"".join(pages[address] for address in sorted(pages)),
        f"fdinfo-{pid}.img": image("FDINFO", *opened),
        f"ids-{pid}.img": image("IDS", ids),
    }


def _memory(process: Proc, files: _Files) -> tuple[list[Fields], dict[int, bytes]]:
    mapped = list(process.mapped)
    if not any(each.path == process.exe for each in mapped) and not process.exe.startswith("/memfd:"):
        mapped.append(Mapped(CODE, 4 * PAGE, path=process.exe, pages={0: b"\x90" * PAGE}))
    mappings, pages = [vma(STACK, STACK + PAGE)], dict[int, bytes]()
    for each in mapped:
        status = each.status or (FILE if each.path else ANONYMOUS)
        shown = files.path(each.path) if each.path else 0
        fields = {"prot": each.prot, "pgoff": each.offset, "shmid": shown, "flags": 2}
        mappings.append(vma(each.start, each.start + each.size, status, **fields))
        pages |= {each.start + number * PAGE: data.ljust(PAGE, b"\0") for number, data in each.pages.items()}
    return sorted(mappings, key=lambda fields: fields["start"]), pages


def _core(process: Proc) -> bytes:
    comm = process.comm or process.exe.removesuffix(" (deleted)").rpartition("/")[2]
    task = {"personality": process.personality, "exit_code": 0, "flags": 0, "blk_sigset": 0, "task_state": 1}
    word = sum(1 << CAPABILITIES.index(name) for name in process.caps)
    words = [word & 0xFFFFFFFF, word >> 32]
    users = dict.fromkeys(("uid", "euid", "suid", "fsuid", "gid", "egid", "sgid", "fsgid"), process.uid)
    rights = users | {"cap_inh": [0, 0], "cap_prm": words, "cap_eff": words, "cap_bnd": words, "secbits": 0}
    own: Fields = {"futex_rla": 0, "futex_rla_len": 0}
    own["creds"] = rights | {"no_new_privs": int(process.no_new_privs)}
    if process.seccomp is not None:
        own["seccomp_mode"] = process.seccomp
    return image("CORE", {"mtype": 1, "tc": task | {"comm": comm[:15].encode()}, "thread_core": own})


def found(checkpoint: Checkpoint, *names: str) -> list[Finding]:
    """What the detectors of these names find; without names, all of them."""
    detectors = [one for one in DETECTORS if not names or one.name in names]
    assert len(detectors) >= len(names)
    result = find_findings(checkpoint, detectors)
    assert result.notes == []
    return result.findings


def severities(checkpoint: Checkpoint, *names: str) -> list[tuple[str, str]]:
    """Detector and severity of each finding."""
    return [(one.detector, one.severity) for one in found(checkpoint, *names)]
