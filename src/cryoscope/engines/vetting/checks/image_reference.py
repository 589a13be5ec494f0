"""Image references: names that would fetch another image than they say, or give a local name a new meaning.

containerd pulls rootfsImageRef and, before its releases of June 2026, tagged it as rootfsImageName; Podman
pulls rootfsImageName if it has none of that name (pkg/checkpoint/checkpoint_restore.go).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cryoscope.checkpoint.container.dumps import take
from cryoscope.engines.port import HARD, SOFT
from cryoscope.engines.vetting.case import CONFIG, STATUS, Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.edits import of_json
from cryoscope.engines.vetting.records import Fix, Found

FIELDS = ("rootfsImageName", "rootfsImage", "rootfsImageRef", "RawImageName")
REFERENCE = re.compile(
    r"(?:sha256:)?[0-9a-f]{64}|"
    r"(?P<name>(?:[A-Za-z0-9](?:[\w-]|\.(?!\.))*(?::\d+)?/)?[a-z0-9]+(?:(?:[./]|_{1,2}|-+)[a-z0-9]+)*)"
    r"(?P<tag>:[\w][\w.-]{0,127})?"
    r"(?P<digest>@sha256:[0-9a-f]{64})?"
)
"""A reference as containers' registries have it (github.com/distribution/reference), or a bare digest."""


def look(case: Case) -> Iterator[Found]:
    """Each field of config.dump, and the name against the reference."""
    for field in FIELDS:
        value = case.config.get(field)
        if value in (None, ""):
            continue
        if not isinstance(value, str) or not REFERENCE.fullmatch(value):
            what = f"{shown(value)} is no name of an image in a registry"
            yield case.found("image.reference", what, f"{CONFIG} {field}", weight=HARD)
    yield from _against(case)


def _against(case: Case) -> Iterator[Found]:
    reference = REFERENCE.fullmatch(take(case.config, "rootfsImageRef", kind=str) or "")
    if reference is None or reference["name"] is None:
        return
    if reference["digest"] is None:
        what = f"{shown(reference[0])} has no digest: another image may have that name by now"
        yield case.found("image.mutable", what, f"{CONFIG} rootfsImageRef", weight=SOFT)
    named = (
        (CONFIG, ("rootfsImageName",)),
        (CONFIG, ("rootfsImage",)),
        (STATUS, ("image", "image")),
        (STATUS, ("image_ref",)),
    )
    for document, path in named:
        name = take(case.document(document), *path, kind=str) or ""
        found = REFERENCE.fullmatch(name)
        if found is not None and found["name"] is not None and _repository(found) != _repository(reference):
            what = f"gives the name {shown(name)} to an image of {shown(_repository(reference))}"
            fix = Fix(document, change=_renamed(path, reference[0]))
            yield case.found("image.retag", what, f"{document} {'.'.join(path)}", fix, weight=HARD)


def _repository(reference: re.Match[str]) -> str:
    """The repository, with what Docker's short names leave out."""
    name = reference["name"]
    head, slash, rest = name.partition("/")
    if not slash or not ("." in head or ":" in head or head == "localhost"):
        head, rest = "docker.io", name
    if head in ("index.docker.io", "registry-1.docker.io"):
        head = "docker.io"
    return f"{head}/library/{rest}" if head == "docker.io" and "/" not in rest else f"{head}/{rest}"


def _renamed(path: tuple[str, ...], name: str) -> Any:
    def change(document: Any) -> None:
        inner = take(document, *path[:-1], kind=dict)
        if inner is not None:
            inner[path[-1]] = name

    return of_json(change)


CHECK = Check("the image that the container is made from", look)
