"""A new container that goes on where a checkpoint was taken.

    create from what was inspected -> delete files -> put changed files and volumes -> CRIU's images into the
    daemon's folder -> start?checkpoint= -> is it where it should be?

The sandbox joins the network of an empty container (network.py), has copies of volumes, empty ones in place
of the host's folders, and limits; afterwards the kernel is asked whether each of its processes is in that
network. A clone, and a start from a checkpoint of the daemon's own, are this same way.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

from cryoscope.checkpoint.archive import Archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.engines import escaped
from cryoscope.engines.docker import checkpoints, files
from cryoscope.engines.docker.daemon import Daemon
from cryoscope.engines.docker.network import HOLDER, Network, inode_of, open_network
from cryoscope.engines.docker.original import Original, bound_files
from cryoscope.engines.docker.places import NAME, Places
from cryoscope.engines.docker.settings import Old, lively, places, sandboxed
from cryoscope.engines.host import SCRATCH, Host
from cryoscope.engines.port import EngineError, Restored, RestoreOptions
from cryoscope.errors import CryoscopeError, Refused
from cryoscope.text import escape

ROOTFS, VOLUMES = "rootfs-diff.tar", "volumes/"
STAND_INS = SCRATCH + "/docker"
"""Empty files that stand for bound files of the host."""
LONG = 3600.0
KEPT_FROM = [
    "no network: it joins an empty container that has only a loopback device",
    "volumes are read-only copies, nothing of the host is mounted",
    "no added capabilities, no devices, no restarts",
]


class Restore:
    """One restore."""

    def __init__(
        self, daemon: Daemon, host: Host, where: Places, checkpoint: Checkpoint, options: RestoreOptions
    ) -> None:
        self._daemon, self._host, self._places = daemon, host, where
        self._checkpoint, self._archive = checkpoint, checkpoint.archive
        self._options = options
        self._notes: list[str] = []

    def run(self, original: Original, image: str) -> Restored:
        """Do it; whatever was made is taken away again if it fails."""
        started = time.monotonic()
        name, live = self._options.name, self._options.live
        with ExitStack() as undo:
            network = None if live else self._network(undo)
            id_ = self._create(original.old, image, network, undo)
            self._fill(original, id_)
            self._start(id_, original.old)
            pid = self._pid(id_)
            if network is not None:
                self._check(id_, pid, network)
                escaped.check(self._host, pid, "docker")
            undo.pop_all()
        holder = "" if live else f" {name}{HOLDER}"
        return Restored(
            engine="docker",
            id=id_,
            name=name,
            target=f"docker://{name}",
            pid=pid,
            live=live,
            sandbox=[] if live else self._kept_from(),
            notes=[*self._notes, *self._writable()],
            remove=f"docker rm --force --volumes {name}{holder}",
            seconds=round(time.monotonic() - started, 3),
        )

    def _writable(self) -> list[str]:
        from cryoscope.engines import readonly  # vetting: a capture needs nothing of it

        volumes = readonly.volumes_of(self._checkpoint)
        return readonly.left_writable(self._checkpoint, volumes, self._options)

    def _kept_from(self) -> list[str]:
        mine = self._options
        bounds = f"at most {mine.memory >> 20} MiB, {mine.processes} processes, {mine.cpus:g} processors"
        kept = KEPT_FROM
        if mine.writable_volumes:
            kept = [each.replace("read-only ", "") for each in KEPT_FROM]
        return [*kept, bounds]

    # --- making it ------------------------------------------------------------------------------
    def _network(self, undo: ExitStack) -> Network:
        network = open_network(self._daemon, self._host, self._options.name)
        undo.callback(self._remove, network.id)
        return network

    def _create(self, old: Old, image: str, network: Network | None, undo: ExitStack) -> str:
        if network is None:
            config = lively(old, image, self._options)
        else:
            config = sandboxed(old, image, network.id, self._options, self._stand_ins(old, undo))
        made = self._daemon.ask("POST", "/containers/create", config, name=self._options.name)
        id_ = str(made["Id"])
        undo.callback(self._remove, id_)
        return id_

    def _remove(self, id_: str) -> None:
        with suppress(CryoscopeError):
            self._daemon.ask("DELETE", f"/containers/{id_}", force="1", v="1")

    def _stand_ins(self, old: Old, undo: ExitStack) -> dict[str, str]:
        """Empty files on the host for what was a bound file: a folder cannot be mounted over one."""
        bound = bound_files(self._archive)
        found: dict[str, str] = {}
        folder = f"{STAND_INS}/{self._options.name}"
        for number, place in enumerate(each for each in places(old) if each in bound):
            if not found:
                os.makedirs(self._host.path(folder), mode=0o700, exist_ok=True)
                undo.callback(shutil.rmtree, self._host.path(folder), ignore_errors=True)
            found[place] = f"{folder}/{number}"
            os.close(os.open(self._host.path(found[place]), os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
        return found

    # --- its files ------------------------------------------------------------------------------
    def _fill(self, original: Original, id_: str) -> None:
        inspect = self._daemon.ask("GET", f"/containers/{id_}/json")
        if not self._options.ignore_rootfs:
            self._delete(inspect, original.deleted())
            changed = original.changed()
            if changed is not None:
                self._put(id_, "/", changed)
        if not self._options.ignore_volumes:
            self._volumes(id_, inspect)

    def _delete(self, inspect: Any, paths: list[str]) -> None:
        if not paths:
            return
        driver = inspect.get("GraphDriver") or {}
        upper = str((driver.get("Data") or {}).get("UpperDir") or "")
        known = upper.startswith(self._places.root + "/") and ".." not in upper.split("/")
        if driver.get("Name") == "overlay2" and known:
            files.delete(self._host.path(upper), paths)
        else:
            self._notes.append(
                f"{len(paths)} deleted files of the image are there again: docker's storage is not overlay2"
            )

    def _put(self, id_: str, place: str, data: Iterator[bytes]) -> None:
        self._daemon.put(f"/containers/{id_}/archive", data, path=place, patience=LONG)

    def _volumes(self, id_: str, inspect: Any) -> None:
        """Fill the volumes that are new: live, a volume that has the same name is there already."""
        by_name = {str(each.get("volumeName")): each.get("dest") for each in self._listed_volumes()}
        mine = {each.get("Destination"): each.get("Name") for each in inspect.get("Mounts") or []}
        for name in self._archive.names(VOLUMES):
            volume = name.removeprefix(VOLUMES).removesuffix(".tar")
            place = by_name.get(volume)
            if isinstance(place, str) and place in mine and mine[place] != volume and NAME.match(volume):
                self._put(id_, place, files.pieces(self._archive, name))

    def _listed_volumes(self) -> list[Any]:
        found = self._checkpoint.container.facts.get("namedVolumes")
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []

    # --- going on -------------------------------------------------------------------------------
    def _start(self, id_: str, old: Old) -> None:
        joins = not self._options.live or bool(self._options.pod) or old.network.startswith("container:")
        doing = f"docker cannot restore {escape(self._options.name)}"
        with checkpoints.kept(self._daemon, self._places, id_) as (name, folder):
            marker = files.place_images(self._archive, self._checkpoint.prefix, folder, joins=joins)
            try:
                lost = checkpoints.start(
                    self._daemon, self._places, id_, name, patience=self._options.timeout, doing=doing
                )
            finally:
                for unpacked in self._places.unpacked(marker):
                    shutil.rmtree(unpacked, ignore_errors=True)
        if lost:
            self._notes.append(
                f"docker lost a race against itself (already exists), and was asked {lost + 1} times"
            )

    def _pid(self, id_: str) -> int:
        state: Any = self._daemon.ask("GET", f"/containers/{id_}/json").get("State") or {}
        if not state.get("Running"):
            raise EngineError(
                f"{self._options.name} ended right after it was restored",
                hint="compare the host with the one of the checkpoint: cryoscope doctor",
                code="docker.ended",
            )
        return int(state["Pid"])

    def _check(self, id_: str, first: int, network: Network) -> None:
        """Whether every process is in the sandbox's network; raises `Refused`, and the container is ended."""
        top = self._daemon.ask("GET", f"/containers/{id_}/top", ps_args="-eo pid")
        others = [int(row[0]) for row in top.get("Processes") or []]
        for number in [first, *others]:
            inode = None
            with suppress(FileNotFoundError, ProcessLookupError):
                pid = self._host.pid(number)
                inode = inode_of(pid) if pid is not None else None
            if inode is None and number != first:
                continue  # it has ended meanwhile; the first one must be seen
            if inode != network.inode:
                raise Refused(
                    f"process {number} came back outside the sandbox's network, and was ended",
                    hint="do not restore this archive here: it was made to leave the sandbox",
                    code="docker.sandbox-network",
                )


def opened(path: str) -> Archive:
    """The cleaned copy of an archive."""
    from cryoscope.checkpoint.archive import FileSource, open_archive

    return open_archive(FileSource(path))
