"""From which engine to which, and why not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import Refused
from cryoscope.images.convert import containerd, crio, documents
from cryoscope.images.packed import Changes

ANY = "any"
TARGETS = {"podman": "podman", "crio": "cri-o", "cri-o": "cri-o", "containerd": "containerd"}
"""Runtimes as a user names them, by their engine."""

Way = Callable[[Checkpoint, Changes, str, contextlib.ExitStack], list[str]]
"""Enters what changes, given the image below by digest; what is opened ends with the stack; gives notes."""

WAYS: dict[tuple[str, str], Way] = {
    ("cri-o", "containerd"): containerd.from_crio,
    ("containerd", "containerd"): containerd.again,
    ("containerd", "cri-o"): crio.from_containerd,
}

FACTS = {
    "containerd": {"engine": "containerd", "runtime": documents.CONTAINERD},
    "cri-o": {"engine": "CRI-O", "runtime": "runc"},
}
"""What is said of a converted archive, by the names of `annotations.Names`."""

POD = "its mounts and namespaces are those of a container outside a pod"
LIBPOD = "Podman restores by its own configuration of a container, which no other engine has"
NOTHING = "no runtime restores an image of it: nothing in it says what to run in"
NEVER = {
    ("podman", "cri-o"): POD,
    ("podman", "containerd"): POD,
    ("cri-o", "podman"): LIBPOD,
    ("containerd", "podman"): LIBPOD,
}


class Conversion(msgspec.Struct, kw_only=True):
    """What differs from the archive: its members, what annotations say, and what a person must know."""

    members: Changes
    facts: dict[str, str] = {}
    notes: list[str] = []


@contextlib.contextmanager
def conversion(checkpoint: Checkpoint, runtime: str, *, base: str = "") -> Iterator[Conversion]:
    """What makes an archive one of `runtime`; nothing where it is one, or `runtime` is `any`.

    `base` is the container's own image as NAME@DIGEST, where the archive has no such name.  Raises `Refused`
    `image.convert-engine` where there is no way, and what the way itself finds.
    """
    engine = checkpoint.container.engine
    changes = Changes()
    with contextlib.ExitStack() as stack:
        notes: list[str] = []
        facts: dict[str, str] = {}
        if runtime != ANY or base:
            to = TARGETS.get(runtime, engine)
            if way := WAYS.get((engine, to)):
                notes = way(checkpoint, changes, base, stack)
                facts = FACTS[to]
            elif engine != to or engine not in TARGETS.values():
                raise _refused(engine, to)
        yield Conversion(members=changes, facts=facts, notes=notes)


def _refused(engine: str, to: str) -> Refused:
    return Refused(
        f"a checkpoint by {engine} cannot become one for {to}: {NEVER.get((engine, to), NOTHING)}",
        hint=f"cryoscope restore --to {engine}" if engine not in TARGETS.values() else f"--for {engine}",
        code="image.convert-engine",
    )
