"""Labels and annotations that make an engine or a runtime act: devices, programs, units of systemd."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cryoscope.checkpoint.container.dumps import embedded, string_map, take
from cryoscope.engines.port import HARD
from cryoscope.engines.vetting.case import CONFIG, SPEC, STATUS, Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.edits import of_json
from cryoscope.engines.vetting.records import Fix, Found

EMBEDDED = ("io.kubernetes.cri-o.Annotations", "io.kubernetes.cri-o.Labels")
"""Annotations of CRI-O that hold others as JSON: those are given to the restored container."""

PLACES = ((SPEC, "annotations"), (STATUS, "annotations"), (STATUS, "labels"), (CONFIG, "labels"))
CLASSES = (
    ("label.cdi", "cdi.k8s.io", "brings devices, mounts and hooks of the host into the container"),
    (
        "label.containerd",
        "containerd.io/",
        "rules containerd: its restart monitor runs a program of the host",
    ),
    (
        "label.criu",
        "org.criu.config",
        "names a file of the host with options for CRIU, such as programs to run",
    ),
    ("label.crun", "run.oci.", "rules how crun makes containers"),
    ("label.runtime", "io.katacontainers.", "rules how a runtime makes containers"),
    ("label.crio", "io.kubernetes.cri-o.Devices", "brings devices of the host into the container"),
    ("label.crio", "io.kubernetes.cri-o.UnifiedCgroup", "rules the container's control group"),
    ("label.crio", "io.kubernetes.cri-o.userns-mode", "rules the container's user namespace"),
    ("label.crio", "io.kubernetes.cri-o.cgroup2-mount-hierarchy-rw", "makes control groups writable"),
    ("label.systemd", "org.systemd.property.", "sets a property of the container's unit"),
)
"""Code, how the name begins, and what it does; crun and runc read theirs from the spec."""

ALLOWED = frozenset(
    f"org.systemd.property.{name}"
    for name in ("KillSignal", "TimeoutStopUSec", "CollectMode", "DefaultDependencies")
)
"""What Podman sets for every container."""


def look(case: Case) -> Iterator[Found]:
    """Every place where labels are, those in CRI-O's annotations too."""
    for document, field in PLACES:
        for name in string_map(case.document(document).get(field)):
            fix = Fix(document, change=_without(field, name))
            yield from _judged(case, name, f"{document} {field}", fix)
    for outer in EMBEDDED:
        for name in string_map(embedded(case.annotations.get(outer))):
            fix = Fix(SPEC, change=_without_embedded(outer, name))
            yield from _judged(case, name, f"{SPEC} annotations {outer}", fix)


def _judged(case: Case, name: str, where: str, fix: Fix) -> Iterator[Found]:
    for code, beginning, what in CLASSES:
        if name.startswith(beginning) and name not in ALLOWED:
            yield case.found(code, f"{shown(name)} {what}", where, fix, weight=HARD)
            return


def _without(field: str, name: str) -> Any:
    return of_json(lambda document: (take(document, field, kind=dict) or {}).pop(name, None))


def _without_embedded(outer: str, name: str) -> Any:
    def change(spec: Any) -> None:
        annotations = take(spec, "annotations", kind=dict) or {}
        inner = embedded(take(annotations, outer, kind=str))
        if isinstance(inner, dict):
            inner.pop(name, None)
            annotations[outer] = msgspec.json.encode(inner).decode()

    return of_json(change)


CHECK = Check("labels and annotations", look)
