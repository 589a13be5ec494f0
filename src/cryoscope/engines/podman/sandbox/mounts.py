"""The mounts of a sandbox: what stands in for the host's folders, and copies of the volumes.

Named volumes get new names (`upload`), so that each copy has its own and none of the host's is touched; what
is in them comes from the archive.  Folders and files of the host become folders and empty files of one more
volume: what they held is not in the archive.  All go when the container is removed with its volumes.
"""

from __future__ import annotations

import io
import posixpath
import re
import tarfile
from typing import Any

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.container.dumps import strings, take
from cryoscope.engines.podman.documents import VOLUMES, Documents
from cryoscope.engines.podman.upload import PLACEHOLDER
from cryoscope.engines.port import EngineError, Record, RestoreOptions
from cryoscope.text import escape

KERNEL = ("proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2")
"""Types that show the container's own side of the kernel."""
LIBPOD = (
    "/dev/shm",  # noqa: S108
    "/etc/resolv.conf",
    "/etc/hostname",
    "/etc/hosts",
    "/run/.containerenv",
    "/var/run/.containerenv",
    "/run/secrets",
    "/var/run/secrets",
)
"""Mounts that libpod takes out of an imported spec and makes anew (libpod/runtime_ctr.go)."""
OPTION = re.compile(r"[a-zA-Z0-9_=%.:-]{1,100}\Z")
SHARING = ("shared", "rshared", "slave", "rslave")
STANDS_IN = "/.cryoscope"
"""Where the volume of stand-ins would be mounted; libpod mounts it nowhere, only the spec's mounts count."""


class Plan(Record, frozen=True, kw_only=True):
    """What becomes of mounts and volumes.

    `sources` is the new source by destination, `volumes` libpod's entries of the new volumes; `add` and
    `rename` are members of the archive.
    """

    sources: dict[str, str] = {}
    volumes: list[dict[str, Any]] = []
    add: dict[str, bytes] = {}
    rename: dict[str, str] = {}


def plan(documents: Documents, options: RestoreOptions, volume_path: str) -> Plan:
    """What becomes of the mounts of an archive; raises `EngineError` for one that is nowhere."""
    tag = PLACEHOLDER
    sources: dict[str, str] = {}
    volumes: list[dict[str, Any]] = []
    add: dict[str, bytes] = {}
    rename: dict[str, str] = {}
    for index, volume in enumerate(documents.volumes):
        new, old = f"{tag}-{index}", f"{VOLUMES}/{volume.name}.tar"
        sources[volume.destination] = f"{volume_path}/{new}/_data"
        volumes.append({"volumeName": new, "dest": volume.destination, "setAnonymous": True})
        if old in documents.checkpoint.archive and old not in rename and not options.ignore_volumes:
            rename[old] = f"{VOLUMES}/{new}.tar"
        else:
            add[f"{VOLUMES}/{new}.tar"] = contents({})
    hosts = stand_ins(documents)
    if hosts:
        folders = {str(index): is_folder(documents.checkpoint, place) for index, place in enumerate(hosts)}
        sources |= {place: f"{volume_path}/{tag}/_data/{index}" for index, place in enumerate(hosts)}
        volumes.append({"volumeName": tag, "dest": STANDS_IN, "setAnonymous": True})
        add[f"{VOLUMES}/{tag}.tar"] = contents(folders)
    return Plan(sources=sources, volumes=volumes, add=add, rename=rename)


def stand_ins(documents: Documents) -> list[str]:
    """Where something of the host was mounted that is no volume of Podman's."""
    named = {volume.destination for volume in documents.volumes}
    return [place for place in map(_foreign, documents.mounts) if place and place not in named]


def mounts(spec: dict[str, Any], made: Plan) -> list[dict[str, Any]]:
    """The mounts of a spec with sources of the sandbox's own."""
    found = (mount for mount in spec.get("mounts") or [] if isinstance(mount, dict))
    return [_mount(mount, made) for mount in found if take(mount, "destination", kind=str)]


def contents(entries: dict[str, bool]) -> bytes:
    """The tar of a volume with folders (True) and empty files (False)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, folder in entries.items():
            member = tarfile.TarInfo(name)
            member.type, member.mode = (tarfile.DIRTYPE, 0o755) if folder else (tarfile.REGTYPE, 0o644)
            tar.addfile(member)
    return out.getvalue()


def is_folder(checkpoint: Checkpoint, place: str) -> bool:
    """Whether a folder was mounted at a place: not, where a process has a plain file of that name, or the
    container's own layer does, in which Podman made what to mount upon.
    """
    held = place.encode("utf-8", "surrogateescape")
    if any(file.type == "REG" and file.name == held for file in checkpoint.files):
        return False
    entries = checkpoint.filesystem.entries
    return not any(entry.raw_path == held and entry.type == "file" for entry in entries)


def _foreign(mount: dict[str, Any]) -> str | None:
    """The destination of a mount that is neither the kernel's nor libpod's."""
    destination = take(mount, "destination", kind=str) or ""
    if not destination.startswith("/") or posixpath.normpath(destination) != destination.rstrip("/"):
        raise EngineError(
            f"a mount at {escape(destination)[:200]!r} is nowhere",
            hint="no engine writes such an archive: do not restore it",
            code="podman.mount",
        )
    own = take(mount, "type", kind=str) in KERNEL or destination in LIBPOD
    return None if own else destination


def _mount(mount: dict[str, Any], made: Plan) -> dict[str, Any]:
    destination, kind = mount["destination"], take(mount, "type", kind=str) or "bind"
    options = [each for each in strings(mount.get("options")) if OPTION.match(each) and each not in SHARING]
    if destination in made.sources:
        return _bind(destination, made.sources[destination], options)
    if destination in LIBPOD:
        return _bind(destination, "/dev/null", [])
    options = [each for each in options if each not in ("bind", "rbind")]
    if kind in ("cgroup", "cgroup2", "sysfs") or "ro" in options:
        options = [*(each for each in options if each not in ("ro", "rw")), "ro"]
    return {"destination": destination, "type": kind, "source": kind, "options": options}


def _bind(destination: str, source: str, options: list[str]) -> dict[str, Any]:
    kept = [each for each in options if each in ("ro", "nosuid", "nodev", "noexec")]
    return {
        "destination": destination,
        "type": "bind",
        "source": source,
        "options": ["rbind", "rprivate", *kept],
    }
