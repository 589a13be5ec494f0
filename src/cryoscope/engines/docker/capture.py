"""The archive that the daemon does not make: CRIU's images, what the daemon knows, files, logs, in one tar.

    config.dump           the container in checkpointctl's words (lib/metadata.go, ContainerConfig)
    spec.dump             the runtime's own specification, from its bundle
    docker-inspect.json   GET /containers/ID/json        docker-image.json     GET /images/ID/json
    docker-changes.json   GET /containers/ID/changes      docker-binds.json     what of the host was bound
    checkpoint/           CRIU's images and descriptors.json, the large ones last
    rootfs-diff.tar       changed files                  deleted.files         paths that are gone
    volumes/NAME.tar      what volumes hold              container.log         lines as json-file has them

Files are fetched right after the dump, and before the images are copied: the container goes on
meanwhile.  They lie in a nameless file beside the archive until their size is known, so memory does not grow
with them.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any, BinaryIO, NamedTuple, cast

import msgspec

from cryoscope.checkpoint.archive.writer import TarWriter
from cryoscope.engines.docker import checkpoints
from cryoscope.engines.docker.changes import Fetch, listed_changes, mounted_at
from cryoscope.engines.docker.daemon import Daemon
from cryoscope.engines.docker.logs import log_lines, raw_log
from cryoscope.engines.docker.places import Places
from cryoscope.engines.docker.volumes import binds, fetch_volume, volumes
from cryoscope.engines.port import (
    Captured,
    CaptureOptions,
    Container,
    EngineError,
    EngineHung,
    EngineUnreachable,
    Sink,
)
from cryoscope.errors import Incomplete
from cryoscope.text import escape

CONFIG, SPEC = "config.dump", "spec.dump"
INSPECT, IMAGE, CHANGES = "docker-inspect.json", "docker-image.json", "docker-changes.json"
BINDS = "docker-binds.json"
PRIVATE = 0o600
NOT_KEPT = "CRIU's own log and statistics: docker takes them away with its working folder"


class Member(NamedTuple):
    """A member of the archive that is ready: what opens its contents, and how many bytes of them."""

    name: str
    opened: Callable[[], AbstractContextManager[BinaryIO]]
    size: int
    mtime_ns: int = 0


class Capture:
    """One capture of one container."""

    def __init__(self, daemon: Daemon, places: Places, container: Container, options: CaptureOptions) -> None:
        self._daemon, self._places = daemon, places
        self._container, self._options = container, options
        self._id = container.id
        self._notes: list[str] = []
        self._left_out: list[str] = [NOT_KEPT]
        self._dumped = 0.0

    def run(self, sink: Sink) -> Captured:
        """Checkpoint it and write the archive.

        The daemon's own copy is taken away, whatever happens, unless it is the last of what was stopped.
        """
        inspect = self._daemon.ask("GET", f"/containers/{self._id}/json")
        documents = self._documents(inspect)
        with ExitStack() as stack:
            made = checkpoints.kept(self._daemon, self._places, self._id, last=self._is_last)
            name, folder = stack.enter_context(made)
            seconds = self._dump(name)
            with _room(sink.path):
                members = [*self._files(inspect, stack, os.path.dirname(os.path.abspath(sink.path)))]
            images = [*_images(folder)]
            documents[CONFIG] = _config(inspect, images)
            _write(sink, documents, [*images, *members])
        return Captured(
            container=self._container,
            version=self._version(),
            seconds=seconds,
            left_out=self._left_out,
            notes=self._notes,
        )

    def _version(self) -> str:
        return str((self._daemon.ask("GET", "/version") or {}).get("Version") or "")

    def _is_last(self, error: BaseException) -> bool:
        """Whether the container has ended, or may have, with its checkpoint."""
        return self._options.stop and (self._dumped > 0 or isinstance(error, (EngineHung, EngineUnreachable)))

    def _dump(self, name: str) -> float:
        """Have the daemon make the checkpoint; returns the seconds that took."""
        doing = f"docker cannot capture {escape(self._container.name)}"
        started = time.monotonic()
        lost = checkpoints.create(
            self._daemon,
            self._places,
            self._id,
            name,
            stop=self._options.stop,
            patience=self._options.timeout,
            doing=doing,
        )
        if lost:
            self._notes.append(
                f"docker lost a race against itself (already exists), and was asked {lost + 1} times"
            )
        self._dumped = time.monotonic()
        return round(self._dumped - started, 3)

    # --- what the daemon and the runtime know -------------------------------------------------
    def _documents(self, inspect: Any) -> dict[str, bytes]:
        found = {INSPECT: _json(inspect)}
        try:
            found[IMAGE] = _json(self._daemon.ask("GET", f"/images/{inspect['Image']}/json"))
        except EngineError as error:
            self._left_out.append(f"what docker knows of the image: {error.message}")
        spec = self._places.bundle_file(self._id, "config.json")
        if spec is None:
            self._left_out.append("the runtime's specification: its bundle was not found on the host")
        else:
            found[SPEC] = spec
        return found

    # --- files and the log ----------------------------------------------------------------------
    def _files(self, inspect: Any, stack: ExitStack, folder: str) -> Iterator[Member]:
        """The members that the container's files become, as soon as each is fetched."""
        mounts = mounted_at(inspect)
        if self._options.ignore_rootfs:
            self._left_out.append("changed files of the root file system: as asked")
        else:
            yield from self._changed(mounts, stack, folder)
        yield from self._log(inspect, stack, folder)
        for name, place in volumes(inspect):
            if self._options.ignore_volumes:
                self._left_out.append(f"volume {escape(name)} at {escape(place)}: as asked")
            else:
                spool = _spool(stack, folder)
                self._notes += fetch_volume(self._daemon, self._id, place, mounts, spool)
                yield _member(f"volumes/{name}.tar", spool)
        bound = [*binds(inspect)]
        for source, place in bound:
            self._left_out.append(f"{escape(place)}: bound from the host's {escape(source)}")
        if bound:
            yield _document(BINDS, [self._bound(*each) for each in bound], stack)

    def _bound(self, source: str, place: str) -> dict[str, str]:
        """Whether it is a file or a folder that is bound: one cannot stand in for the other."""
        kind = "file" if os.path.isfile(self._places.host.path(source)) else "directory"
        return {"source": source, "destination": place, "file_type": kind}

    def _changed(self, mounts: list[str], stack: ExitStack, folder: str) -> Iterator[Member]:
        listed = listed_changes(self._daemon, self._id)
        yield _document(CHANGES, listed, stack)
        spool = _spool(stack, folder)
        diff = Fetch(self._daemon, self._id, mounts, spool).fetch(listed)
        self._notes += diff.notes
        if listed and not self._options.stop:
            after = max(0.1, time.monotonic() - self._dumped)
            self._notes.append(f"changed files were read up to {after:.1f} s after the memory: it ran on")
        yield _member("rootfs-diff.tar", spool)
        if diff.deleted:
            yield _document("deleted.files", diff.deleted, stack)

    def _log(self, inspect: Any, stack: ExitStack, folder: str) -> Iterator[Member]:
        """The container's output: the file itself where it is a json-file, else the daemon's answer."""
        try:
            found = raw_log(self._places.host, inspect)
            if found is None:
                spool = _spool(stack, folder)
                for line in log_lines(self._daemon, self._id):
                    spool.write(line)
                yield _member("container.log", spool)
            else:
                file = stack.enter_context(found)
                yield _member("container.log", file)
        except EngineError as error:
            self._left_out.append(f"the container's log: {error.message}")


# --- members ----------------------------------------------------------------------------------------
def _json(document: Any) -> bytes:
    return msgspec.json.encode(document)


def _document(name: str, document: Any, stack: ExitStack) -> Member:
    content = stack.enter_context(tempfile.SpooledTemporaryFile(max_size=1 << 20))  # noqa: SIM115
    content.write(_json(document))
    return _member(name, cast(BinaryIO, content))


def _spool(stack: ExitStack, folder: str) -> BinaryIO:
    """A file without a name, where the archive lies and has room: nothing is left of it after a crash."""
    return cast(BinaryIO, stack.enter_context(tempfile.TemporaryFile(dir=folder)))


def _member(name: str, content: BinaryIO) -> Member:
    size = content.seek(0, os.SEEK_END)
    content.seek(0)
    return Member(name, lambda: nullcontext(content), size)


def _images(folder: str) -> Iterator[Member]:
    """The daemon's checkpoint: regular files alone, pages last, so that a stream can be read as it comes."""
    try:
        found = {entry.name: entry.stat() for entry in os.scandir(folder) if _is_file(entry)}
    except OSError as error:
        raise EngineError(
            f"docker's checkpoint cannot be read: {error.strerror} ({escape(folder)})",
            hint="be root on the daemon's own machine",
            code="docker.folder",
        ) from None
    for name in sorted(found, key=lambda name: (name.startswith("pages-"), name)):
        opened = partial(_open, f"{folder}/{name}")
        yield Member("checkpoint/" + name, opened, found[name].st_size, found[name].st_mtime_ns)


def _is_file(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False)


def _open(path: str) -> BinaryIO:
    at = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    return cast(BinaryIO, open(at, "rb", buffering=0))


def _config(inspect: Any, images: list[Member]) -> bytes:
    """The container in the words that CRI-O's and containerd's archives share."""
    written = next((each.mtime_ns for each in images if each.name == "checkpoint/inventory.img"), 0)
    config, host = inspect.get("Config") or {}, inspect.get("HostConfig") or {}
    return _json(
        {
            "id": inspect.get("Id"),
            "name": str(inspect.get("Name") or "").lstrip("/"),
            "rootfsImage": config.get("Image"),
            "rootfsImageRef": inspect.get("Image"),
            "rootfsImageName": config.get("Image"),
            "runtime": host.get("Runtime"),
            "createdTime": inspect.get("Created"),
            "checkpointedTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(written // 10**9)),
        }
    )


class _Out:
    """A sink as a file to write to."""

    def __init__(self, sink: Sink) -> None:
        self.write = sink.write


def _write(sink: Sink, documents: dict[str, bytes], members: list[Member]) -> None:
    """Write the archive: what says whose it is first."""
    now = time.time_ns()
    with TarWriter(cast(BinaryIO, _Out(sink))) as tar:
        if SPEC not in documents:
            documents.pop(CONFIG, None)
        for name in sorted(documents):
            tar.add(name, documents[name], mode=PRIVATE, mtime_ns=now)
        tar.add_directory("checkpoint", mode=0o700, mtime_ns=now)
        for each in members:
            with each.opened() as content:
                tar.add(each.name, content, size=each.size, mode=PRIVATE, mtime_ns=each.mtime_ns or now)


@contextmanager
def _room(path: str) -> Iterator[None]:
    """Turns a full disk under the files that are being fetched into an error with a cure."""
    try:
        yield
    except OSError as error:
        raise Incomplete(
            f"{error.strerror}: beside {path}",
            hint="name a place with more room with -o",
            code="capture.disk-full",
        ) from None
