"""When CRIU's images and the engine's files beside them were written, and when the node's clock began.

Only the first and the last image are told: a process has ten.  timens-*.img holds what the clocks of the time
namespace showed during the dump (criu/timens.c), the inventory of newer CRIUs microseconds since the boot.
"""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.checkpoint.archive import Member
from cryoscope.examine.timeline.asked import Asked
from cryoscope.examine.timeline.moments import SECOND, written
from cryoscope.examine.timeline.records import Event, Moment

SOURCE = "image"
BESIDE = (
    "config.dump",
    "spec.dump",
    "status.dump",
    "status",
    "network.status",
    "bind.mounts",
    "deleted.files",
    "rootfs-diff.tar",
    "devshm-checkpoint.tar",
    "stats-dump",
    "descriptors.json",
)
"""Files of engines whose times say when the engine was at work."""


def look(asked: Asked) -> Iterator[Event]:
    """When images and files beside them were written, and when the clock began."""
    archive, prefix = asked.checkpoint.archive, asked.checkpoint.prefix
    images = [
        member
        for name, member in archive.members.items()
        if name.startswith(prefix) and name.endswith(".img") and member.mtime_ns > 0
    ]
    if images:
        yield from _written(asked, min(images, key=_when), "first image written")
        yield from _written(asked, max(images, key=_when), "last image written")
    for name in BESIDE:
        member = archive.members.get(name) or archive.members.get(prefix + name)
        if member is not None and member.mtime_ns > 0:
            yield from _written(asked, member, "engine file written")
    yield from _boot(asked)


def _when(member: Member) -> tuple[int, str]:
    return member.mtime_ns, member.name


def _written(asked: Asked, member: Member, kind: str) -> list[Event]:
    return asked.event(written(member.mtime_ns), SOURCE, kind, member.name, member=member.name)


def _boot(asked: Asked) -> Iterator[Event]:
    """The moment that CLOCK_BOOTTIME is counted from, by the first image that says how far it had come."""
    dump = asked.moment
    for ns, name in _uptimes(asked):
        if dump is not None and ns > 0:
            began = Moment(dump.ns - ns, dump.precision, dump.assumed)
            text = f"CLOCK_BOOTTIME showed {ns / SECOND:.3f} s when {name} was written"
            yield from asked.event(began, SOURCE, "boot clock began", text, member=name)
            return


def _uptimes(asked: Asked) -> Iterator[tuple[int, str]]:
    images = asked.checkpoint.images
    for name, _ in images.matching("timens-*"):
        entry = images.first(name)
        if entry is not None:
            clock = entry.boottime
            yield clock.tv_sec * SECOND + clock.tv_nsec, images.member(name) or name
    inventory = images.inventory
    if inventory is not None and inventory.HasField("dump_uptime"):
        yield inventory.dump_uptime * 1000, images.member("inventory.img") or "inventory.img"
