"""A pod without a network: the links of its namespace are taken away before anything runs in it.

The CRI knows pods with a network of their own and pods on the host's, and no pod without one.  So a pod gets
its own, and loses it at once; a restore into it is refused if that fails.  Whoever goes on there is looked at
afterwards: CRIU puts a process that was dumped on the host's network there again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cryoscope.engines.cri import nodefiles
from cryoscope.engines.cri.listing import pid_of
from cryoscope.engines.cri.netlink import Links
from cryoscope.engines.host import Host, below
from cryoscope.engines.port import EngineError
from cryoscope.text import escape


class Isolation:
    """The network namespace of one pod, without a way out; `pod` is what the runtime tells of the sandbox."""

    def __init__(self, host: Host, pod: dict[str, Any]) -> None:
        self.host = host
        with _namespace(host, pod) as namespace:
            self.inode = os.fstat(namespace).st_ino
            self._not_the_hosts()
            links = Links(namespace)
        try:
            left = links.take_away()
        finally:
            links.close()
        if left:
            raise _failed(f"{', '.join(left)[:200]} cannot be taken away")

    def _not_the_hosts(self) -> None:
        first = self.host.process or 1
        for process in ("self", str(first)):
            try:
                shared = os.stat(f"/proc/{process}/ns/net").st_ino == self.inode
            except OSError:
                continue
            if shared:
                raise _failed("the runtime put the pod on the host's network")

    def holds(self, pid: int | None) -> bool:
        """Whether a process of the host, and all below it, are in it."""
        first = self.host.pid(pid) if pid is not None else None
        if first is None:
            return False
        inodes = ((each, _inode(each)) for each in below(first))
        # One below it that has no inode has ended meanwhile.
        return all(inode == self.inode for each, inode in inodes if inode is not None or each == first)


def isolate(host: Host, pod: dict[str, Any]) -> Isolation:
    """Take a pod's links away; raises `EngineError` if anything is left that could lead out."""
    try:
        return Isolation(host, pod)
    except OSError as error:
        raise _failed(error.strerror or str(error)) from None


def _failed(why: str) -> EngineError:
    return EngineError(
        f"the pod's network cannot be taken away: {escape(why)}",
        hint="be root on the node itself, or restore with --live if the container may have a network",
        code="cri.network-stays",
    )


@contextmanager
def _namespace(host: Host, pod: dict[str, Any]) -> Iterator[int]:
    """A descriptor of the pod's network namespace: by its process, or by the file that keeps it."""
    pid = pid_of(pod)
    outside = host.pid(pid) if pid is not None else None
    if outside is not None:
        found = os.open(f"/proc/{outside}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    else:
        found = nodefiles.opened(host, _path(pod))
    try:
        yield found
    finally:
        os.close(found)


def _path(pod: dict[str, Any]) -> str:
    try:
        spaces = pod["runtimeSpec"]["linux"]["namespaces"]
        path = next(each["path"] for each in spaces if each["type"] == "network")
    except (KeyError, TypeError, StopIteration):
        raise OSError("the runtime does not tell the pod's network namespace") from None
    return path if isinstance(path, str) else ""


def _inode(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:
        return None
