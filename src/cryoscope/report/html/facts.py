"""The facts of a page: names and values of the overview, the container and the evidence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryoscope.report.html.shown import first, size
from cryoscope.report.units import moment, plural

Fact = tuple[str, str]

LABELS = 200
"""Labels and annotations shown; JSON has all."""


def _known(*facts: tuple[str, Any]) -> list[Fact]:
    return [(name, str(value)) for name, value in facts if value not in (None, "", [], ())]


def overview_facts(part: Any) -> list[Fact]:
    """What a checkpoint is, at a glance."""
    overview, memory = part.overview, part.memory
    return _known(
        ("Created", moment(overview.created)),
        ("Started", moment(part.container.started)),
        ("Checkpointed", moment(overview.checkpointed)),
        ("Host name", overview.hostname or part.container.hostname),
        ("IP address", ", ".join(part.container.ips) or overview.ip),
        ("Pod", f"{overview.namespace}/{overview.pod}" if overview.pod else None),
        ("Processes", f"{len(part.processes):,}"),
        ("Listens on", ", ".join(first(_listening(part), 6))),
        ("Memory", f"{size(memory.stored.pages_images)} dumped"),
        ("Changed files", f"{len(part.files):,}"),
        ("Archive", part.archive),
        ("Container ID", overview.id),
    )


def _listening(part: Any) -> list[str]:
    found = (
        f"{h.socket.protocol} {h.socket.local}"
        for h in part.sockets
        if h.socket.listening and h.socket.protocol
    )
    return list(dict.fromkeys(found))


def container_facts(part: Any) -> list[Fact]:
    """What the container was created to be."""
    container = part.container
    process = container.process
    effective = (
        process.capabilities.get("effective") or process.capabilities.get("bounding") if process else None
    )
    return _known(
        ("Engine", f"{container.engine} ({container.engine_evidence})"),
        ("Runtime", container.runtime),
        ("Image", container.image),
        ("Image ID", container.image_id),
        ("Created to run", " ".join(process.args) if process else None),
        ("As user", f"{process.uid}:{process.gid}" if process and process.uid is not None else None),
        ("In folder", process.cwd if process else None),
        ("Capabilities", ", ".join(name.removeprefix("CAP_") for name in effective) if effective else None),
        ("New privileges", ("not allowed" if process.no_new_privileges else "allowed") if process else None),
        ("Namespaces of the host", ", ".join(sorted({n.kind for n in part.namespaces if n.host})) or None),
        ("Security profile", (process.apparmor_profile or process.selinux_label) if process else None),
        ("Networks", ", ".join(network.network for network in container.networks)),
        ("Machine", part.machine),
        ("Page size", size(part.page_size)),
    )


def outside(part: Any) -> list[tuple[str, str, str, str]]:
    """Mounts from outside the container: where, from where, of what type, with which flags."""
    container = part.container
    source = {m.destination: m.host_path or m.source or "" for m in container.mounts}
    source |= {m.destination: m.source for m in container.bind_mounts}
    found = [
        (m.mountpoint, source.get(m.mountpoint) or m.key or m.source, m.fstype, ",".join(m.flags))
        for m in part.mounts
        if m.external
    ]
    if part.mounts:
        return found
    return [
        (m.destination, m.host_path or m.source or "", m.type or "", ",".join(m.options))
        for m in container.mounts
        if m.type == "bind" or m.host_path
    ]


def labels(part: Any) -> list[Fact]:
    """Labels and annotations by name."""
    container = part.container
    found = container.labels | container.annotations | container.image_annotations
    return first(sorted(found.items()), LABELS)


def evidence_facts(part: Any) -> list[Fact]:
    """What was examined and how."""
    digest, made = part.evidence, part.made
    secrets = "shown" if made.revealed else f"masked ({plural(made.masked, 'value')})"
    return _known(
        ("Archive", part.archive),
        ("Form", part.overview.form),
        ("Size", f"{size(digest.size)} ({digest.size:,} bytes)" if digest.size is not None else None),
        ("SHA-256", digest.sha256 or digest.problem or _of_files(digest)),
        ("Made by", f"cryoscope {made.version}"),
        ("Made at", moment(made.at)),
        ("Case", part.case),
        ("Detectors", str(made.detectors)),
        ("Options", ", ".join(made.options)),
        ("Secrets", secrets),
        ("Contents", "left out (redacted)" if made.redacted else None),
    )


def _of_files(digest: Any) -> str:
    more = f", {digest.more} could not be read" if digest.more else ""
    return f"of each of {plural(len(digest.files), 'file')} below{more}"


def sources(finding: Any) -> list[str]:
    """What a finding refers to, each technique with the address that tells of it, as text."""
    named = [f"attack.mitre.org/techniques/{each.replace('.', '/')}" for each in finding.techniques]
    found = []
    for reference in finding.references:
        about = [n for n, each in enumerate(finding.techniques) if f"{each}," in reference]
        address = named[about[0]] if about else ""
        found.append(f"{reference} ({address})" if address else reference)
    told = " ".join(found)
    return [*found, *(address for address in named if address not in told)]


def where(one: Any) -> str:
    """Where a fact or a hit is: address and mapping, or file, or place in the archive."""
    return " · ".join(_places(one))


def _places(one: Any) -> Iterator[str]:
    if one.address is not None:
        yield f"{one.address:x}"
    if one.vma is not None:
        yield f"{one.vma.perms} {one.vma.path or f'[{one.vma.kind}]'}"
    elif one.path is not None:
        yield one.path
    if one.address is None and one.member is not None:
        yield one.member if one.offset is None else f"{one.member} at {one.offset}"
    if one.size is not None and getattr(one, "sha256", None) is None and one.address is None:
        yield size(one.size)
    if getattr(one, "sha256", None):
        yield f"sha256 {one.sha256}"
