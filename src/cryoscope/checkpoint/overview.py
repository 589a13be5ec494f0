"""The one line that says what a checkpoint is: no image is decoded for it where an engine wrote beside.

Nothing in an `Overview` is secret, so it may be kept in a cache.
"""

from __future__ import annotations

import msgspec

from cryoscope.checkpoint.archive import Archive
from cryoscope.checkpoint.container import Container, Dumps, describe
from cryoscope.checkpoint.criu.framing import info
from cryoscope.checkpoint.layout import images_prefix
from cryoscope.errors import CryoscopeError, Damaged


class Overview(msgspec.Struct, frozen=True, omit_defaults=True):
    """What `show` and `list` print; sizes are bytes.

    `archive_size` is that of the file as it lies, `checkpoint_size` of CRIU's images in it,
    `memory_size` of the pages among them, `rootfs_diff_size` of the changed files.
    """

    form: str
    engine: str
    id: str | None = None
    name: str | None = None
    image: str | None = None
    runtime: str | None = None
    created: str | None = None
    checkpointed: str | None = None
    pod: str | None = None
    namespace: str | None = None
    ip: str | None = None
    hostname: str | None = None
    processes: int | None = None
    archive_size: int | None = None
    checkpoint_size: int = 0
    memory_size: int = 0
    rootfs_diff_size: int | None = None


def read_overview(archive: Archive) -> tuple[Overview, list[Damaged]]:
    """The overview of an archive and what of it is damaged, without building a whole `Checkpoint`.

    Raises `NotACheckpoint`.
    """
    damaged: list[Damaged] = []
    prefix = images_prefix(archive)
    container = describe(Dumps(archive, damaged), images_prefix=prefix)
    if container.hostname is None and not container.name:  # only an image knows what to call it
        from cryoscope.checkpoint.checkpoint import Checkpoint

        checkpoint = Checkpoint(archive)
        return checkpoint.overview, checkpoint.damaged
    return overview_of(archive, container, prefix), list(dict.fromkeys([*archive.damaged, *damaged]))


def overview_of(archive: Archive, container: Container, prefix: str) -> Overview:
    """The overview of an archive whose images lie under `prefix`."""
    images = {name.removeprefix(prefix): archive.members[name].size for name in archive.names(prefix)}
    diff = archive.members.get("rootfs-diff.tar")
    return Overview(
        form=archive.form,
        engine=container.engine,
        id=container.id,
        name=container.name,
        image=container.image,
        runtime=container.runtime,
        created=container.created,
        checkpointed=container.checkpointed,
        pod=container.pod.name if container.pod else None,
        namespace=container.pod.namespace if container.pod else None,
        ip=container.ips[0] if container.ips else None,
        hostname=container.hostname,
        processes=_processes(archive, prefix),
        archive_size=archive.size,
        checkpoint_size=sum(images.values()),
        memory_size=sum(
            size for name, size in images.items() if name.startswith(("pages-", "amdgpu-pages-"))
        ),
        rootfs_diff_size=diff.size if diff is not None else None,
    )


def _processes(archive: Archive, prefix: str) -> int | None:
    """Entries of pstree.img, zombies included, counted by their frames."""
    name = prefix + "pstree.img"
    try:
        count: int = info(archive.read(name), name)["count"]
    except CryoscopeError:
        return None
    return count
