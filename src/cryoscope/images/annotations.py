"""What an image says of the checkpoint in it: three families of annotations, and our own beside them.

`org.criu.checkpoint.` (checkpointctl, lib/annotations.go), `io.kubernetes.cri-o.annotations.checkpoint.`
(CRI-O, internal/annotations/checkpoint.go), `io.podman.annotations.checkpoint.` (Podman,
pkg/annotations/annotations.go).  CRI-O looks for its `name`, containerd for `container.name`, Podman for its
`runtime.name`: an image that has all of them is told for a checkpoint by each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import CryoscopeError
from cryoscope.text import escape, readable

CRIU = "org.criu.checkpoint."
CRIO = "io.kubernetes.cri-o.annotations.checkpoint."
PODMAN = "io.podman.annotations.checkpoint."
OWN = "io.cryoscope.checkpoint."
CREATED = "org.opencontainers.image.created"

ENGINES = {
    "podman": "Podman",
    "cri-o": "CRI-O",
    "containerd": "containerd",
    "docker": "Docker",
    "criu": "CRIU",
}
"""Engines as checkpointctl calls them."""
VERSIONS = {"podman": "podman_version", "cri-o": "crio_version"}
"""Engines whose own family has a name for their version."""
RESTORABLE = ("podman", "cri-o", "containerd")
"""Engines that restore an image of theirs; of the others an image is only carried and read."""

ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "arm": "arm",
    "ppc64": "ppc64le",
    "s390": "s390x",
    "mips": "mips64le",
    "loongarch64": "loong64",
    "riscv64": "riscv64",
}
"""CRIU's machines as Go, and so every image, calls them."""


class Names(msgspec.Struct, frozen=True):
    """One fact under its name in each family; None where a family has none for it."""

    fact: str
    criu: str | None = None
    crio: str | None = None
    podman: str | None = None


FAMILIES = (
    Names("name", "container.name", "name", "name"),
    Names("engine", "engine.name"),
    Names("engine_version", "engine.version"),
    Names("crio_version", None, "cri-o.version"),
    Names("podman_version", None, None, "podman.version"),
    Names("pod", "pod.name"),
    Names("sandbox", "pod.id"),
    Names("namespace", "pod.namespace"),
    Names("uid", "pod.uid"),
    Names("image", "rootfsImageName", "rootfsImageName", "rootfsImageName"),
    Names("image_asked", "rootfsImageUserRequested"),
    Names("image_id", "rootfsImageID", "rootfsImageID", "rootfsImageID"),
    Names("image_sha", "rootfsImageSha"),
    Names("image_raw", "rawImageName", "rawImageName", "rawImageName"),
    Names("runtime", "runtime.name", None, "runtime.name"),
    Names("runtime_version", "runtime.version", None, "runtime.version"),
    Names("criu_version", "criu.version", "criu.version", "criu.version"),
    Names("conmon_version", "conmon.version", None, "conmon.version"),
    Names("arch", "host.arch", None, "host.arch"),
    Names("kernel", "host.kernel", None, "host.kernel"),
    Names("cgroup", "cgroup.version", None, "cgroups.version"),
    Names("distribution", "distribution.name", None, "distribution.name"),
    Names("distribution_version", "distribution.version", None, "distribution.version"),
)
"""Every annotation there is, in the order of checkpointctl's list."""


def annotations_of(
    checkpoint: Checkpoint, extra: Mapping[str, str] | None = None, facts: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Every annotation that can be known of a checkpoint, with its values safe to print.

    What the archive does not say but an image that it came in did (versions of conmon, the distribution) is
    taken from there.  `facts` count over what is known, `extra` annotations over all.  Only what is known is
    set.
    """
    facts = known(checkpoint) | dict(facts or {})
    restorable = checkpoint.container.engine in RESTORABLE
    found: dict[str, str] = {}
    for names in FAMILIES:
        if value := facts.get(names.fact):
            found |= dict.fromkeys(_keys(names, restorable), value)
    found |= _own(checkpoint)
    return {key: _bounded(value) for key, value in (found | dict(extra or {})).items()}


def _keys(names: Names, restorable: bool) -> Iterator[str]:
    """The keys of a fact: those that make an engine try a restore only where one can."""
    for prefix, name in ((CRIU, names.criu), (CRIO, names.crio), (PODMAN, names.podman)):
        if name and (restorable or prefix == CRIU):
            yield prefix + name


def known(checkpoint: Checkpoint) -> dict[str, str]:
    """What is known, by the names of `Names.fact`: from the archive, else from the image it came in."""
    container = checkpoint.container
    found = {key: str(value) for key, value in _facts(checkpoint).items() if value}
    before = _from_image(container.image_annotations)
    if version := before.get(VERSIONS.get(container.engine, "")):
        before.setdefault("engine_version", version)
    return before | found


def architecture(checkpoint: Checkpoint) -> str:
    """The processor that it runs on, as Go calls it; amd64 where no core says."""
    return ARCHITECTURES.get(_machine(checkpoint), "amd64")


def _facts(checkpoint: Checkpoint) -> dict[str, Any]:
    container = checkpoint.container
    pod, log, dumped = container.pod, checkpoint.dump_log, container.facts
    machine = _machine(checkpoint)
    return {
        "name": container.name or container.id,
        "engine": ENGINES.get(container.engine),
        "pod": pod and pod.name,
        "sandbox": pod and pod.sandbox_id,
        "namespace": pod and pod.namespace,
        "uid": pod and pod.uid,
        "image": container.image,
        "image_asked": dumped.get("Image") or container.image,
        "image_id": (container.image_id or "").rpartition("@")[2].removeprefix("sha256:"),
        "image_sha": _digest(container.image_id),
        "image_raw": _raw(checkpoint),
        "runtime": container.runtime,
        "criu_version": log and log.version,
        "kernel": log and _release(log.kernel),
        "arch": ARCHITECTURES.get(machine),
        "cgroup": _cgroup(checkpoint),
    }


def _digest(reference: str | None) -> str | None:
    """The digest of an image that is named by one."""
    name, at, digest = (reference or "").rpartition("@")
    return digest if at and name else None


def _raw(checkpoint: Checkpoint) -> str | None:
    """The image as the user of Podman named it, else as the engine did."""
    try:
        config = msgspec.json.decode(checkpoint.archive.read("config.dump", limit=limits.JSON_DOCUMENT))
    except (CryoscopeError, ValueError, RecursionError):
        return checkpoint.container.image
    raw = config.get("RawImageName") if isinstance(config, dict) else None
    return raw if isinstance(raw, str) and raw else checkpoint.container.image


def _release(kernel: str | None) -> str | None:
    """`Linux 6.18.4 #1 SMP ...` of CRIU's log: the release alone."""
    words = (kernel or "").split()
    return next((word for word in words if word[:1].isdigit()), None)


def _machine(checkpoint: Checkpoint) -> str:
    try:
        return checkpoint.machine
    except CryoscopeError:
        return "unknown"


def _cgroup(checkpoint: Checkpoint) -> str | None:
    """v1 where a controller has a hierarchy of its own, v2 where the one hierarchy has no name.

    images/cgroup.proto: `cg_controller_entry.cnames` of a unified hierarchy is the empty name.
    """
    try:
        entry = checkpoint.images.first("cgroup")
    except CryoscopeError:
        return None
    names = [name for each in entry.controllers for name in each.cnames] if entry is not None else []
    if not names:
        return None
    return "v1" if any(name and b"=" not in name for name in names) else "v2"


def _from_image(annotations: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for names in FAMILIES:
        values = (annotations.get(key) for key in _keys(names, True))
        if value := next((value for value in values if value), None):
            found[names.fact] = value
    return found


def _own(checkpoint: Checkpoint) -> dict[str, str]:
    """When and where it was taken, and what OCI calls the time of an image: never that of the build."""
    taken, log = checkpoint.container.checkpointed, checkpoint.dump_log
    found = {OWN + "time": taken, CREATED: taken, OWN + "node": log.node if log else None}
    return {key: value for key, value in found.items() if value}


def _bounded(value: str) -> str:
    """Whoever lists annotations prints them: lines stay (crun's version has six), all else is spelled out."""
    lines = readable(value)[: limits.ANNOTATION].split("\n")
    return "\n".join(map(escape, lines))
