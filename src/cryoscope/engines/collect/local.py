"""`--fetch local`: this machine is the node.

The kubelet's folder belongs to root alone, but evidence is not copied on trust: a link, another owner's file,
a second name of one, or a file that changes while it is read is refused.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterator

from cryoscope.engines.collect import names
from cryoscope.engines.collect.errors import CollectError
from cryoscope.engines.collect.records import Collected
from cryoscope.engines.host import Host
from cryoscope.engines.port import Sink

BLOCK = 1 << 20
OTHERS_WRITE = 0o022
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def collect(host: Host, path: str, sink: Sink, *, remove: bool = False) -> Collected:
    """Copy the archive that the host names `path` into `sink`; `remove` takes the host's away afterwards.

    Raises `CollectError`: collect.name, .not-this-node, .missing, .unsafe, .unreadable, .changed, .digest.
    """
    start = time.monotonic()
    folder, name = names.split(path)
    with _opened(host, folder, name) as (at, source):
        before = _safe(at, source, path)
        size, digest = _copied(source, sink, before.st_size)
        _still(before, size, at, source, name)
        if remove:
            _removed(at, source, name, before, digest)
    seconds = time.monotonic() - start
    return Collected(by="local", size=size, sha256=digest, seconds=seconds, removed=remove)


@contextlib.contextmanager
def _opened(host: Host, folder: str, name: str) -> Iterator[tuple[int, int]]:
    """The folder and the file, as descriptors."""
    with contextlib.ExitStack() as stack:
        try:
            at = _folder(host, folder)
        except FileNotFoundError:
            raise _elsewhere(folder) from None
        except OSError as error:
            raise _unreadable(folder, error) from None
        stack.callback(os.close, at)
        try:
            source = os.open(name, _FILE, dir_fd=at)
        except FileNotFoundError:
            raise _missing(f"{folder}/{name}") from None
        except OSError as error:
            raise _unreadable(f"{folder}/{name}", error) from None
        stack.callback(os.close, source)
        yield at, source


def _folder(host: Host, folder: str) -> int:
    """The folder; another machine's is walked without following links, which would lead into this one."""
    if host.here:
        return os.open(folder, _DIRECTORY)
    at = os.open(host.root, _DIRECTORY)
    for part in folder.split("/")[1:]:
        try:
            below = os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
        finally:
            os.close(at)
        at = below
    return at


def _safe(at: int, source: int, path: str) -> os.stat_result:
    folder, file = os.fstat(at), os.fstat(source)
    if not stat.S_ISREG(file.st_mode):
        raise _unsafe(path, "is no plain file")
    if file.st_nlink != 1:
        raise _unsafe(path, "has a second name")
    if file.st_uid != folder.st_uid:
        raise _unsafe(path, f"belongs to user {file.st_uid}, its folder to {folder.st_uid}")
    if (file.st_mode | folder.st_mode) & OTHERS_WRITE:
        raise _unsafe(path, "can be written by others")
    return file


def _copied(source: int, sink: Sink, size: int) -> tuple[int, str]:
    """How many bytes went into the sink, and their digest; not more than one past `size`."""
    digest, done = hashlib.sha256(), 0
    while done <= size and (block := os.read(source, min(BLOCK, size + 1 - done))):
        digest.update(block)
        sink.write(block)
        done += len(block)
    return done, digest.hexdigest()


def _state(file: os.stat_result) -> tuple[int, ...]:
    return file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns, file.st_ctime_ns


def _still(before: os.stat_result, done: int, at: int, source: int, name: str) -> None:
    """Raise unless the file is what it was, under its name, and was read to its end."""
    try:
        named = _state(os.stat(name, dir_fd=at, follow_symlinks=False))
    except OSError:
        named = ()
    if not done == before.st_size or not _state(before) == _state(os.fstat(source)) == named:
        raise CollectError(
            f"{name} changed while it was read",
            hint="another capture writes to the same name (names have whole seconds): capture once more",
            code="collect.changed",
        )


def _removed(at: int, source: int, name: str, before: os.stat_result, digest: str) -> None:
    """Unlink the file if a second reading gives the same digest."""
    os.lseek(source, 0, os.SEEK_SET)
    again = hashlib.sha256()
    while block := os.read(source, BLOCK):
        again.update(block)
    if again.hexdigest() != digest:
        raise CollectError(
            f"{name} reads differently a second time; it was not removed",
            hint="look at the node's disk; what came here may be wrong",
            code="collect.digest",
        )
    _still(before, before.st_size, at, source, name)
    os.unlink(name, dir_fd=at)


def _elsewhere(folder: str) -> CollectError:
    return CollectError(
        f"there is no {folder} on this machine: it is not the pod's node",
        hint="run this on the node, or give --fetch reader-pod",
        code="collect.not-this-node",
    )


def _missing(path: str) -> CollectError:
    return CollectError(
        f"there is no {path} on this machine",
        hint="is this the pod's node? else give --fetch reader-pod",
        code="collect.missing",
    )


def _unsafe(path: str, why: str) -> CollectError:
    return CollectError(
        f"{path} {why}: it was not copied",
        hint="somebody put it there: look at it on the node",
        code="collect.unsafe",
    )


def _unreadable(path: str, error: OSError) -> CollectError:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):  # O_NOFOLLOW met one
        return _unsafe(path, "is a link")
    return CollectError(
        f"{path}: {error.strerror}", hint="only root reads archives", code="collect.unreadable"
    )
