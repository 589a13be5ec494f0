"""What stands against restoring an archive with this service of Podman."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.engines.podman import listing
from cryoscope.engines.podman.documents import Documents, connected_datagrams, connections
from cryoscope.engines.port import HARD, SOFT, Concern, RestoreOptions
from cryoscope.text import escape

if TYPE_CHECKING:
    from cryoscope.engines.podman.engine import Podman

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,200}\Z")
"""Podman's rule for names (libpod/define/config.go)."""


def all_of(engine: Podman, checkpoint: Checkpoint, options: RestoreOptions) -> Iterator[Concern]:
    """All of them; the rest is not asked where the archive is not Podman's."""
    if checkpoint.container.engine != "podman":
        yield Concern(
            code="podman.foreign-archive",
            weight=HARD,
            what=f"{checkpoint.container.engine} wrote this archive, and Podman restores only its own",
            cure=f"restore it with --to {checkpoint.container.engine}",
        )
        return
    documents = Documents(checkpoint)
    yield from _service(engine, documents)
    yield from _name(engine, documents, options)
    yield from _image(engine, documents, options)
    yield from _root(documents)
    yield from _tcp(engine, documents, options)
    yield from _datagrams(engine, documents, options)
    if options.live:
        yield from _live(engine, documents, options)
    else:
        yield from _sandbox(documents, options)


def keeps_identity(documents: Documents, options: RestoreOptions) -> bool:
    """Whether it comes back as itself: with its id, and with its addresses."""
    return options.live and options.name == documents.text("name")


def _hard(code: str, what: str, cure: str) -> Concern:
    return Concern(code=f"podman.{code}", weight=HARD, what=what, cure=cure)


def _soft(code: str, what: str, cure: str) -> Concern:
    return Concern(code=f"podman.{code}", weight=SOFT, what=what, cure=cure)


def _service(engine: Podman, documents: Documents) -> Iterator[Concern]:
    ability = listing.restoring(engine.info)
    if not ability.can:
        yield _hard("runtime", ability.why, ability.cure)
    made, here = documents.text("runtime"), engine.info.runtime
    if made and made != here:
        yield _hard(
            "runtime",
            f"{escape(made)} made this checkpoint, {escape(here)} would restore it: their mounts differ",
            f"podman --runtime {escape(made)} system service --time=0 unix:///run/other.sock, and name that "
            "socket with --endpoint",
        )


def _name(engine: Podman, documents: Documents, options: RestoreOptions) -> Iterator[Concern]:
    if not NAME.match(options.name):
        yield _hard(
            "name", f"{escape(options.name)[:100]!r} is no name for a container", "give another --name"
        )
        return
    taken = [options.name]
    if keeps_identity(documents, options):
        taken.append(documents.text("id"))
    for name in taken:
        if NAME.match(name) and engine.there(name):
            yield _hard(
                "name-taken",
                f"Podman has a container {escape(name)}",
                "give another --name, or remove that container",
            )
            return


def _image(engine: Podman, documents: Documents, options: RestoreOptions) -> Iterator[Concern]:
    """libpod pulls whatever the archive names where the image is missing: not from a stranger's word."""
    wanted = options.image or documents.text("rootfsImageID")
    name = escape(options.image or documents.text("rootfsImageName"))[:300]
    if not engine.image_id(wanted) and wanted:
        yield _hard(
            "image-missing",
            f"the container's image is not here: {name} ({escape(wanted)[:12]})",
            f"podman pull {name} (it must be the same image), or podman load what was saved with the archive",
        )
    if options.image and engine.image_id(options.image) != documents.text("rootfsImageID"):
        yield _soft(
            "image-differs",
            f"{name} is another image than the container was created from",
            "programs that are running must be the same files: use the original image",
        )


def _root(documents: Documents) -> Iterator[Concern]:
    if documents.text("rootfs") or not documents.text("rootfsImageID"):
        yield _hard(
            "rootfs",
            "its root is a folder of the host it ran on (--rootfs), which is not in the archive",
            "only containers of images can be restored",
        )


def _tcp(engine: Podman, documents: Documents, options: RestoreOptions) -> Iterator[Concern]:
    open_ones = connections(documents.checkpoint)
    if not open_ones:
        return
    if options.tcp == "refuse":
        yield _hard(
            "tcp-open", f"{open_ones} TCP connections are open in it", "--tcp close, or --tcp established"
        )
    elif options.tcp == "established" and not options.live and documents.has_network:
        yield _hard(
            "tcp-sandbox",
            f"{open_ones} TCP connections cannot be kept in a sandbox, which has no network",
            "--tcp close, or --live",
        )
    elif options.tcp == "established" and not documents.has_network and engine.info.runtime == "runc":
        yield _hard(
            "tcp-loopback",
            f"{open_ones} TCP connections are open over the loopback, which runc switches on too late",
            "--tcp close; or capture and restore with crun",
        )
    elif (
        options.tcp == "established"
        and options.live
        and documents.has_network
        and not keeps_identity(documents, options)
    ):
        yield _hard(
            "tcp-name",
            "open connections need the addresses of the original, which Podman gives only under its name",
            f"--name {escape(documents.text('name'))}, when the original is gone; or --tcp close",
        )


def _datagrams(engine: Podman, documents: Documents, options: RestoreOptions) -> Iterator[Concern]:
    """CRIU connects UDP sockets again, before anybody could switch on the loopback (`loopback`)."""
    connected = connected_datagrams(documents.checkpoint)
    if not connected or "network" in documents.shared_with_host:
        return
    if documents.has_network and not options.live:
        yield _hard(
            "udp-sandbox",
            f"{connected} UDP sockets have a peer, to which there is no way in a sandbox without a network",
            "--live, on a spare machine",
        )
    elif not documents.has_network and engine.info.runtime == "runc":
        yield _hard(
            "udp-loopback",
            f"{connected} UDP sockets have peers over the loopback, which runc switches on too late",
            "capture and restore with crun",
        )


def _live(engine: Podman, documents: Documents, options: RestoreOptions) -> Iterator[Concern]:
    if documents.text("pod") and not options.pod:
        yield _hard(
            "pod", "it was a container of a pod", "--pod NAME of a pod that shares the same namespaces"
        )
    if options.pod and not documents.text("pod"):
        yield _hard("pod", "it was in no pod, and Podman puts it into none", "leave --pod away")
    if not options.ignore_volumes:
        names = [volume.name for volume in documents.volumes if engine.has_volume(volume.name)]
        if names:
            yield _hard(
                "volume-exists",
                f"volumes that Podman would fill are there: {escape(', '.join(names[:3]))}",
                "--ignore-volumes uses them as they are; or remove them",
            )


def _sandbox(documents: Documents, options: RestoreOptions) -> Iterator[Concern]:
    if documents.text("pod"):
        yield _hard(
            "pod",
            "it shared namespaces with a pod, which a sandbox has not",
            "--live --pod NAME, on a spare machine",
        )
    shared = documents.shared_with_host
    if shared and not documents.text("pod"):
        yield _hard(
            "host-namespace",
            f"it ran in the host's own namespaces ({', '.join(shared)}), and CRIU restores it there",
            "--live, on a spare machine",
        )
    if documents.config.get("secrets"):
        yield _hard("secrets", "it had secrets of Podman mounted, which are not in the archive", "--live")
    if options.publish or options.pod:
        yield _hard("sandbox-network", "a sandbox has no network: no ports and no pod", "--live")
    yield from _limits(documents.checkpoint, options)


def _limits(checkpoint: Checkpoint, options: RestoreOptions) -> Iterator[Concern]:
    members = checkpoint.archive.members
    pages = sum(members[name].size for name in members if name.startswith("checkpoint/pages-"))
    if pages > options.memory:
        need = -(-pages // (1 << 20))
        yield _hard(
            "memory-limit", f"it has {need} MiB of memory, more than the sandbox", f"--memory {need + 64}M"
        )
    tasks = sum(len(process.threads) for process in checkpoint.processes)
    if tasks > options.processes:
        yield _hard(
            "process-limit", f"it has {tasks} threads, more than the sandbox", f"--processes {tasks + 64}"
        )
