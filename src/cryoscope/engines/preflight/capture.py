"""What stands against capturing a container, whichever engine does it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sized

from cryoscope.engines.host import Host
from cryoscope.engines.live import LiveProcess, link
from cryoscope.engines.port import HARD, NOTE, SOFT, CaptureOptions, Concern, Container, NoSuchContainer
from cryoscope.engines.preflight.checks import CAPABILITIES, bounding
from cryoscope.engines.preflight.criu import configuration
from cryoscope.engines.preflight.descriptors import Opened, locks_of, overlay_watches_of
from cryoscope.engines.preflight.disk import disk_concerns
from cryoscope.engines.preflight.memory import memory_of_processes

NAMED = 3
"""Connections, locks and processes that a concern names."""
LOOKS_ITSELF = ("criu",)
"""Engines that have concerns of their own about connections, locks and users."""
TCP_WORDS = ("tcp-established", "tcp-close", "skip-in-flight")


def capture_concerns(host: Host, container: Container, options: CaptureOptions, where: str) -> list[Concern]:
    """Concerns of any container with a process: connections, locks, watches, users, room at `where`.

    `where` is the folder of the archive as this process sees it.  One that does not run has none.
    """
    if container.pid is None:
        return []
    try:
        opened = Opened(host, container.pid)
    except NoSuchContainer:
        return []
    concerns = [*_watches(opened)]
    if container.engine not in LOOKS_ITSELF:
        given = configuration(host)
        concerns += [*_tcp(opened, options, given), *_locks(opened, options, given)]
        concerns += _users(host, opened.processes)
    needed = memory_of_processes(opened.processes).archive
    if options.fetch == "none":
        return concerns
    return concerns + disk_concerns(host, container.engine, needed, where)


def _tcp(opened: Opened, options: CaptureOptions, given: dict[str, str]) -> Iterator[Concern]:
    connections = [socket for socket in opened.sockets if socket.open_tcp]
    if not connections or options.tcp != "refuse":
        return
    some = _some(f"{each.local} to {each.remote}" for each in connections)
    what = f"{len(connections)} open TCP {_plural('connection', connections)} ({some})"
    if given.keys() & set(TCP_WORDS):
        yield Concern(
            code="preflight.tcp-established",
            weight=NOTE,
            what=what + ": kept or closed as the host's criu configuration says",
        )
        return
    yield Concern(
        code="preflight.tcp-established",
        weight=HARD,
        what=what + ": CRIU refuses them unless it is told what becomes of them",
        cure="--tcp established keeps them, --tcp close ends them in the restored copy",
    )


def _locks(opened: Opened, options: CaptureOptions, given: dict[str, str]) -> Iterator[Concern]:
    locks = locks_of(opened)
    if not locks or options.file_locks or "file-locks" in given:
        return
    some = _some(f"{each.kind} on {each.path} by process {each.pid}" for each in locks)
    yield Concern(
        code="preflight.file-locks",
        weight=HARD,
        what=f"{len(locks)} file {_plural('lock', locks)} ({some}): CRIU refuses them unless told to",
        cure="--file-locks takes them along",
    )


def _watches(opened: Opened) -> Iterator[Concern]:
    watches = overlay_watches_of(opened)
    if watches:
        some = _some(f"descriptor {each.fd} of process {each.pid}" for each in watches)
        yield Concern(
            code="preflight.watch-overlay",
            weight=SOFT,
            what=f"{watches[0].kind} watches files of the container's own root ({some}): "
            "CRIU finds no handles of files on overlay",
            cure="end what watches, or have it watch a volume; --force tries it",
        )


def _users(host: Host, processes: list[LiveProcess]) -> Iterator[Concern]:
    """CRIU cannot read the limits of others' processes without CAP_SYS_RESOURCE, but in a user namespace
    below its own it may."""
    number = host.process or os.getpid()
    capabilities = bounding(number)
    if capabilities is None or capabilities >> CAPABILITIES["CAP_SYS_RESOURCE"] & 1:
        return
    own = link(number, "ns/user")
    others = [each for each in processes if each.uid and own and link(each.number, "ns/user") == own]
    if others:
        some = _some(f"{each.comm} {each.pid} of user {each.uid}" for each in others)
        yield Concern(
            code="preflight.other-user",
            weight=SOFT,
            what=f"processes of other users ({some}), and the host has no CAP_SYS_RESOURCE",
            cure="give the engine that capability, or the container a user namespace; --force tries it",
        )


def _some(texts: Iterator[str]) -> str:
    every = [*texts]
    more = f" and {len(every) - NAMED} more" if len(every) > NAMED else ""
    return ", ".join(every[:NAMED]) + more


def _plural(word: str, many: Sized) -> str:
    return word if len(many) == 1 else word + "s"
