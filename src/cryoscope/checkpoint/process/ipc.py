"""System V IPC: shared memory segments, message queues, semaphores.

Defined in CRIU's images/ipc-{shm,msg,sem}.proto and criu/ipc_ns.c.  The bytes of a segment are in
pagemap-shmem-<id>.img.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cryoscope.checkpoint.criu.imageset import ImageSet


class IpcObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """A segment (`size` in bytes), a queue (`messages` waiting) or a set of semaphores (`values`)."""

    kind: str
    key: str
    id: int
    uid: int
    gid: int
    mode: str
    namespace: int
    size: int | None = None
    messages: int | None = None
    values: list[int] | None = None


def ipc_objects(images: ImageSet) -> list[IpcObject]:
    """The System V objects of every IPC namespace."""
    return [
        IpcObject(
            kind,
            hex(entry.message.desc.key),
            entry.message.desc.id,
            entry.message.desc.uid,
            entry.message.desc.gid,
            f"{entry.message.desc.mode & 0o777:04o}",
            int(namespace),
            **fields(entry),
        )
        for pattern, kind, fields in KINDS
        for image, namespace in images.matching(pattern)
        for entry in images.entries(image)
    ]


def waiting_messages(images: ImageSet) -> list[tuple[int, bytes]]:
    """Messages that wait in System V queues, each with the id of its queue, oldest first."""
    return [
        (entry.message.desc.id, message.data)
        for image, _ in images.matching("ipcns-msg-*")
        for entry in images.entries(image)
        for message in entry.extra or ()
    ]


def _segment(entry: Any) -> dict[str, Any]:
    return {"size": entry.message.size}


def _queue(entry: Any) -> dict[str, Any]:
    return {"messages": entry.message.qnum}


def _semaphores(entry: Any) -> dict[str, Any]:
    return {"values": list(entry.extra) if isinstance(entry.extra, list | tuple) else []}


KINDS = (
    ("ipcns-shm-*", "shm", _segment),
    ("ipcns-msg-*", "msg", _queue),
    ("ipcns-sem-*", "sem", _semaphores),
)
