"""What a container had mounted, as a pod must declare it for the runtime to restore it.

CRI-O refuses a restore unless every mount of spec.dump is declared, but for those that it makes itself
(cri-o, server/container_restore.go); containerd says in status.dump what the kubelet asked for.  The kubelet
adds /etc/hosts and the file for termination messages to every container, and a token unless told otherwise.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from cryoscope import limits
from cryoscope.errors import UsageError
from cryoscope.text import escape, readable

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint

RUNTIMES_OWN = frozenset(
    (
        *("/proc", "/dev", "/dev/pts", "/dev/mqueue", "/dev/shm", "/sys", "/sys/fs/cgroup"),  # noqa: S108
        *("/etc/resolv.conf", "/etc/hostname", "/etc/passwd", "/etc/group"),
        *("/run/secrets", "/run/.containerenv"),
    )
)
"""Mounts that CRI-O makes for every container without being asked."""
HOSTS, MESSAGES = "/etc/hosts", "/dev/termination-log"
MESSAGE_PATH = "io.kubernetes.container.terminationMessagePath"
"""The annotation in which a kubelet keeps where a container leaves its last words."""
EMPTY, FILE, CLAIM, CONFIG_MAP, SECRET = "empty", "file", "pvc", "configmap", "secret"
GIVEN = {CLAIM: CLAIM, CONFIG_MAP: CONFIG_MAP, SECRET: SECRET, "emptydir": EMPTY}
"""Volumes as a user names them: pvc/NAME, configmap/NAME[/KEY], secret/NAME[/KEY], emptydir."""
SPELLED = re.compile(
    r"(?P<kind>[a-zA-Z]+)(?:/(?P<name>[a-z0-9][a-z0-9.-]{0,252})(?:/(?P<key>[\w.-]{1,253}))?)?"
)
EXAMPLES = "pvc/NAME, configmap/NAME, configmap/NAME/KEY, secret/NAME or emptydir"


class PodMount(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A mount at `path`: `kind` and `name` are of the volume, `key` is the one file of it that is mounted."""

    path: str
    kind: str = EMPTY
    name: str = ""
    key: str = ""
    readonly: bool = False

    @property
    def given(self) -> bool:
        """Whether a user said what is mounted there."""
        return bool(self.name)


def declared(
    checkpoint: Checkpoint, given: Mapping[str, str] | None = None, *, readonly: bool = True
) -> list[PodMount]:
    """The mounts that a pod must have, each once, in the archive's order.

    Nothing of the old pod is mounted: an empty folder or file stands in, or the volume that `given` has for
    its path, read-only unless told otherwise.  Raises `UsageError` for volumes without meaning.
    """
    given = given or {}
    files = _files(checkpoint)
    found: dict[str, PodMount] = {}
    for path, fixed in _listed(checkpoint):
        if len(found) < limits.CRI_MOUNTS:
            stand_in = PodMount(path=path, kind=FILE if path in files else EMPTY, readonly=fixed)
            found.setdefault(
                path, _given(path, given[path], readonly or fixed) if path in given else stand_in
            )
    _known(given, found)
    return [*found.values()]


def message_path(checkpoint: Checkpoint) -> str:
    """Where the container left its last words: the kubelet mounts a file there."""
    container = checkpoint.container
    own = container.facts.get("annotations")
    told = (own if isinstance(own, dict) else {}).get(MESSAGE_PATH) or container.annotations.get(MESSAGE_PATH)
    return told if isinstance(told, str) and mountable(told) else MESSAGES


def open_below(checkpoint: Checkpoint, mounts: Sequence[PodMount]) -> list[str]:
    """Files and folders that processes had open below stand-ins, where there are none."""
    folders = tuple(each.path.rstrip("/") + "/" for each in mounts if each.kind == EMPTY)
    names = (
        (readable(file.name), file.deleted) for file in checkpoint.files if file.type == "REG" and folders
    )
    return [*dict.fromkeys(name for name, deleted in names if not deleted and name.startswith(folders))]


def mountable(path: str) -> bool:
    """Whether Kubernetes takes a path as a place of a mount (core/validation: absolute, no colon)."""
    plain = path.startswith("/") and posixpath.normpath(path) == path and path != "/"
    return plain and ":" not in path and path.isprintable() and len(path) < 4096


def _listed(checkpoint: Checkpoint) -> Iterator[tuple[str, bool]]:
    """Path of each mount that somebody asked for, and whether it was read-only."""
    own = {HOSTS, message_path(checkpoint), *RUNTIMES_OWN}
    for path, fixed in _asked_for(checkpoint):
        if path not in own and mountable(path):
            yield path, fixed


def _asked_for(checkpoint: Checkpoint) -> Iterator[tuple[str, bool]]:
    container = checkpoint.container
    if "mounts" in container.facts:
        for each in container.facts["mounts"]:
            yield each["container_path"], each["mode"] == "ro"
        return
    for mount in container.mounts:
        yield mount.destination, "ro" in mount.options


def _files(checkpoint: Checkpoint) -> set[str]:
    """Mounts that were one file: CRI-O says so, containerd left an empty one in the changed files."""
    told = {each.destination for each in checkpoint.container.bind_mounts if each.file_type == "file"}
    return told | {readable(each.path) for each in checkpoint.changes if each.type == "file"}


def _given(path: str, text: str, readonly: bool) -> PodMount:
    found = SPELLED.fullmatch(text)
    kind = GIVEN.get(found["kind"].lower()) if found else None
    if found is None or kind is None or bool(found["name"]) != (kind != EMPTY):
        raise UsageError(
            f"{escape(readable(text))[:100]} is no volume", hint=f"give {EXAMPLES}", code="k8s.mount"
        )
    if kind == CLAIM and found["key"]:
        raise UsageError("a claim has no keys", hint="pvc/NAME", code="k8s.mount")
    return PodMount(
        path=path,
        kind=kind,
        name=found["name"] or "",
        key=found["key"] or "",
        readonly=readonly and kind != EMPTY,
    )


def _known(given: Mapping[str, str], found: Mapping[str, PodMount]) -> None:
    for path in given:
        if path not in found:
            there = ", ".join(escape(each)[:100] for each in [*found][:10]) or "none"
            raise UsageError(
                f"the container had nothing mounted at {escape(readable(path))[:100]}",
                hint=f"it had: {there}",
                code="k8s.mount-unknown",
            )
