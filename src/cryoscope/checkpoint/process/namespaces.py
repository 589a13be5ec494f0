"""Namespaces of the tasks, and what the images of each kind hold.

Ids: images/core.proto (task_kobj_ids_entry).  Contents: utsns, userns, timens, pidns, netns and
ipcns images.  A namespace that the container shares with the host has the id that inventory.img
gives as CRIU's own (`root_ids`) when the tree root did not unshare it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cryoscope.checkpoint.criu.imageset import ImageSet
from cryoscope.text import readable

KINDS = ("pid", "net", "ipc", "uts", "mnt", "user", "cgroup", "time")


class IdMap(msgspec.Struct, frozen=True):
    """Ids `inside` to `inside + count` of a user namespace are `outside` and up on the host."""

    inside: int
    outside: int
    count: int


class Namespace(msgspec.Struct, frozen=True, omit_defaults=True):
    """One namespace: its kind, CRIU's number for it, and the pids in it.

    `host` says that the container shares it with whoever took the checkpoint; None if that
    cannot be told.
    """

    kind: str
    id: int
    pids: list[int]
    host: bool | None = None
    hostname: str | None = None
    domainname: str | None = None
    uid_map: list[IdMap] = []
    gid_map: list[IdMap] = []
    monotonic_ns: int | None = None
    boottime_ns: int | None = None


def ids_of(entry: Any) -> dict[str, int]:
    """Namespace ids of a `task_kobj_ids_entry` by kind; kinds that it does not carry are absent."""
    return {kind: getattr(entry, f"{kind}_ns_id") for kind in KINDS if entry.HasField(f"{kind}_ns_id")}


def namespaces_of(images: ImageSet, ids: dict[int, dict[str, int]]) -> list[Namespace]:
    """The namespaces of the tasks, whose ids are given by pid."""
    members: dict[tuple[str, int], list[int]] = {}
    for pid, kinds in ids.items():
        for kind, number in kinds.items():
            members.setdefault((kind, number), []).append(pid)
    inventory = images.inventory
    root = ids_of(inventory.root_ids) if inventory is not None and inventory.HasField("root_ids") else {}
    return [
        Namespace(kind, number, sorted(pids), _shared(root, kind, number), **_contents(images, kind, number))
        for (kind, number), pids in sorted(
            members.items(), key=lambda item: (KINDS.index(item[0][0]), item[0][1])
        )
    ]


def _shared(root: dict[str, int], kind: str, number: int) -> bool | None:
    return root[kind] == number if kind in root else None


def _contents(images: ImageSet, kind: str, number: int) -> dict[str, Any]:
    read = CONTENTS.get(kind)
    return read(images, number) if read else {}


def _uts(images: ImageSet, number: int) -> dict[str, Any]:
    entry = images.first(f"utsns-{number}.img")
    if entry is None:
        return {}
    return {"hostname": readable(entry.nodename), "domainname": readable(entry.domainname)}


def _user(images: ImageSet, number: int) -> dict[str, Any]:
    entry = images.first(f"userns-{number}.img")
    if entry is None:
        return {}
    return {"uid_map": _map(entry.uid_map), "gid_map": _map(entry.gid_map)}


def _map(extents: Any) -> list[IdMap]:
    return [IdMap(extent.first, extent.lower_first, extent.count) for extent in extents]


def _time(images: ImageSet, number: int) -> dict[str, Any]:
    entry = images.first(f"timens-{number}.img") or images.first("timens-0.img")
    if entry is None:
        return {}
    return {"monotonic_ns": _ns(entry.monotonic), "boottime_ns": _ns(entry.boottime)}


def _ns(moment: Any) -> int:
    return int(moment.tv_sec * 1_000_000_000 + moment.tv_nsec)


CONTENTS = {"uts": _uts, "user": _user, "time": _time}
"""One function a kind of namespace whose image says more than its id."""
