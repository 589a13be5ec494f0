"""What an archive's container had bound from the node, and what stands in for it in a restored one.

Nothing that an archive names on the host is mounted in a sandbox: an empty file or folder is there instead.
Which mounts there were is in status.dump (containerd: what the kubelet asked for) or spec.dump (CRI-O, which
wants every one of them declared), and of what kind in bind.mounts.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cryoscope import limits
from cryoscope.engines.cri import nodefiles
from cryoscope.engines.cri.abilities import CRIO
from cryoscope.engines.host import SCRATCH, Host
from cryoscope.engines.port import EngineError, Record
from cryoscope.text import escape, readable

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint

IGNORED = frozenset(
    (
        *("/proc", "/dev", "/dev/pts", "/dev/mqueue", "/dev/shm", "/sys", "/sys/fs/cgroup"),  # noqa: S108
        *("/etc/resolv.conf", "/etc/hostname", "/etc/passwd", "/etc/group"),
        *("/run/secrets", "/run/.containerenv"),
    )
)
"""Mounts that CRI-O makes itself for every container (cri-o, server/container_restore.go)."""
FILES = {"/etc/hosts": b"127.0.0.1\tlocalhost\n::1\tlocalhost\n", "/dev/termination-log": b""}
"""Files that a kubelet mounts, and what stands in for them."""
KUBELET = "/var/lib/kubelet/pods/"
TOKEN = "/kubernetes.io/serviceaccount"  # noqa: S105 - the end of the folder's path
KINDS = (stat.S_IFREG, stat.S_IFDIR)
MODE = stat.S_IFREG | 0o644
"""Of a file whose mode CRIU did not write."""
OPEN = 10_000
"""Files that were open below mounts and get a stand-in."""


class Bound(Record, frozen=True, kw_only=True):
    """A mount of the container at `path`, which was `source` on the node it ran on."""

    path: str
    source: str = ""
    readonly: bool = False
    file: bool = False

    @property
    def token(self) -> bool:
        return self.path.endswith(TOKEN)


class OpenFile(Record, frozen=True, kw_only=True):
    """A file or folder that was open below a mount; CRIU asks for its mode, and its size if it wrote that."""

    path: str
    size: int
    mode: int

    @property
    def folder(self) -> bool:
        return stat.S_ISDIR(self.mode)


def bound(checkpoint: Checkpoint) -> list[Bound]:
    """What the container had bound, each once, in the order of the archive."""
    kinds = {each.destination: each.file_type for each in checkpoint.container.bind_mounts}
    changed = {each.path: each.type for each in checkpoint.changes}
    found: dict[str, Bound] = {}
    for path, source, readonly in _listed(checkpoint):
        if not _plain(path) or len(found) >= limits.CRI_MOUNTS:
            continue
        kind = kinds.get(path) or changed.get(path) or "directory"
        file = path in FILES or kind == "file"
        found.setdefault(path, Bound(path=path, source=source, readonly=readonly, file=file))
    return [*found.values()]


def _listed(checkpoint: Checkpoint) -> Iterator[tuple[str, str, bool]]:
    container = checkpoint.container
    if container.engine == CRIO:
        for mount in container.mounts:
            if mount.destination not in IGNORED:
                yield mount.destination, mount.source or "", "ro" in mount.options
        return
    for each in container.facts.get("mounts", []):
        yield each["container_path"], each["host_path"] or "", each["mode"] == "ro"


def _plain(path: str) -> bool:
    return path.startswith("/") and os.path.normpath(path) == path and path != "/" and "\0" not in path


def open_below(checkpoint: Checkpoint, mounts: list[Bound]) -> list[OpenFile]:
    """Files and folders below these mounts that processes had open or mapped, or were in."""
    folders = tuple(each.path + "/" for each in mounts if not each.file)
    found: dict[str, OpenFile] = {}
    for file in checkpoint.files:
        name = file.name.decode(errors="surrogateescape")
        if file.type != "REG" or not name.startswith(folders) or file.deleted or not _plain(name):
            continue
        size, mode = file.entry.size, file.entry.mode
        if len(found) < OPEN and size < limits.DECOMPRESSED and stat.S_IFMT(mode) in (*KINDS, 0):
            found[name] = OpenFile(path=name, size=size, mode=mode or MODE)
    return [*found.values()]


class StandIns:
    """Empty files and folders on the host for the mounts of one restored container, below `folder`."""

    def __init__(self, host: Host, uid: str) -> None:
        self.host = host
        self.folder = f"{SCRATCH}/restored-{uid}"

    def make(self, mounts: list[Bound], files: list[OpenFile]) -> dict[str, str]:
        """Make them; returns where on the host each mount's is, by its path in the container.

        Raises `EngineError` for names that cannot all be, such as a file below a file.
        """
        if not mounts:
            return {}
        places = {each.path: f"{self.folder}/{number}" for number, each in enumerate(mounts)}
        path = self.folder
        try:
            os.makedirs(self.host.path(self.folder), mode=0o700)
            for each in mounts:
                path = each.path
                self._make(places[path], each)
            for file in files:
                path = file.path
                self._file(places, file)
        except OSError as error:
            raise _unmade(path, error) from None
        return places

    def _make(self, place: str, mount: Bound) -> None:
        outside = self.host.path(place)
        if not mount.file:
            os.mkdir(outside)
            os.chmod(outside, 0o777)  # noqa: S103 - the folder above is root's alone
            return
        with open(outside, "xb") as made:
            made.write(FILES.get(mount.path, b""))

    def _file(self, places: dict[str, str], file: OpenFile) -> None:
        """Holes of the size that the file had: what was in it is not in the archive."""
        mount = max((path for path in places if file.path.startswith(path + "/")), key=len)
        outside = self.host.path(places[mount]) + file.path[len(mount) :]
        os.makedirs(outside if file.folder else os.path.dirname(outside), exist_ok=True)
        if not file.folder:
            with open(outside, "xb") as made:
                made.truncate(file.size)
        os.chmod(outside, file.mode & 0o777)

    def remove(self) -> None:
        """Take them away."""
        shutil.rmtree(self.host.path(self.folder), ignore_errors=True)


def _unmade(path: str, error: OSError) -> EngineError:
    return EngineError(
        f"nothing can stand in for {escape(readable(path))[:200]}: {error.strerror or error}",
        hint=f"look whether {SCRATCH} on the node has room; if it has, the archive names what cannot be",
        code="cri.mounts",
    )


def still_there(host: Host, mount: Bound) -> bool:
    """Whether a volume of a pod is on this node as it was: for a container that is restored live.

    A link on the way could lead to anything else of the node.
    """
    if not mount.source.startswith(KUBELET) or not _plain(mount.source):
        return False
    try:
        os.close(nodefiles.opened(host, mount.source))
    except (OSError, ValueError):
        return False
    return True


def strangers(host: Host, checkpoint: Checkpoint) -> list[str]:
    """Folders of the node that a live restore would mount, and that are not of the archive's own pod."""
    pod = checkpoint.container.pod
    own = f"{KUBELET}{pod.uid}/" if pod and pod.uid and "/" not in pod.uid else None
    there = [each.source for each in bound(checkpoint) if still_there(host, each)]
    return [source for source in there if own is None or not source.startswith(own)]
