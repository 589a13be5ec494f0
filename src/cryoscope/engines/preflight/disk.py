"""Whether the archive fits: where it goes, and where the engine writes it first."""

from __future__ import annotations

import os

from cryoscope.engines.host import Host
from cryoscope.engines.port import SOFT, Concern
from cryoscope.text import readable

FOLDERS = {
    "podman": "/var/lib/containers",
    "docker": "/var/lib/docker",
    "containerd": "/var/lib/containerd",
    "crio": "/var/lib/containers",
    "kubelet": "/var/lib/kubelet",
    "apiserver": "/var/lib/kubelet",
}
"""Where each engine writes the images before there is an archive, unless its configuration says otherwise."""


def free_at(path: str) -> int | None:
    """Bytes free for this user at a path that need not be there yet; None if it cannot be told."""
    found = _existing(path)
    try:
        told = os.statvfs(found)
    except OSError:
        return None
    return told.f_bavail * told.f_frsize


def _existing(path: str) -> str:
    path = os.path.abspath(path)
    while not os.path.exists(path) and path != "/":
        path = os.path.dirname(path)
    return path


def disk_concern(needed: int, path: str, *, shown: str | None = None) -> Concern | None:
    """A concern where `needed` bytes do not fit at `path` of this process; a person knows it as `shown`."""
    free = free_at(path)
    if free is None or needed <= free:
        return None
    return Concern(
        code="preflight.disk",
        weight=SOFT,
        what=f"about {amount(needed, up=True)} are needed in {readable(shown or path)}, "
        f"where {amount(free)} are free",
        cure="give -o a place with more room, or make room; --force tries it",
    )


def disk_concerns(host: Host, engine: str, needed: int, where: str) -> list[Concern]:
    """Concerns of both places: the archive's own, and the engine's on its host."""
    inside = FOLDERS.get(engine)
    folder = host.path(inside) if inside is not None and os.path.isdir(host.path(inside)) else None
    if folder is not None and _same(folder, where):
        concerns = [disk_concern(2 * needed, where)]
    else:
        concerns = [disk_concern(needed, where)]
        if folder is not None:
            concerns.append(disk_concern(needed, folder, shown=inside))
    return [concern for concern in concerns if concern is not None]


def _same(one: str, other: str) -> bool:
    """Whether two folders lie in one file system."""
    try:
        return os.stat(_existing(one)).st_dev == os.stat(_existing(other)).st_dev
    except OSError:
        return False


def amount(number: int, *, up: bool = False) -> str:
    """Bytes in KiB, from 10 MiB on in MiB; `up` rounds up, so that what does not fit never looks as if."""
    unit, name = (1 << 20, "MiB") if number >= 10 << 20 else (1 << 10, "KiB")
    return f"{-(-number // unit) if up else number // unit:,} {name}"
