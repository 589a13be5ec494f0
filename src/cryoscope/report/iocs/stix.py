"""Indicators as a bundle of STIX 2.1 (OASIS Standard, 10 June 2021).

Observables (chapter 6) have the deterministic identifiers of section 2.9: UUID version 5 of their
contributing properties as canonical JSON (RFC 8785, which for these plain texts is JSON with sorted keys).
All other objects have one of a name space of our own, so that the same archive gives the same bundle.
"""

from __future__ import annotations

import json
import posixpath
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

OBSERVABLES = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
"""The name space that section 2.9 gives for observables."""

OURS = uuid.UUID("3e2f6f0c-2d0b-5b0e-9a52-6a0d6a8f7c11")

CONTRIBUTING = {
    "file": ("hashes", "name", "parent_directory_ref", "extensions"),
    "directory": ("path",),
    "network-traffic": (
        "start",
        "end",
        "src_ref",
        "dst_ref",
        "src_port",
        "dst_port",
        "protocols",
        "extensions",
    ),
}
"""The properties that an identifier is made of; of the others it is the value."""

CONFIDENCE = {"low": 15, "medium": 50, "high": 85}
"""The scale "None / Low / Med / High" of appendix A."""

MADE = "2026-01-01T00:00:00.000Z"
"""When the identity of this program was made up."""

MOST = 999_999_999
"""What `number_observed` may be."""

Thing = dict[str, Any]


def bundle(parts: Iterable[Any]) -> Thing:
    """The bundle of all parts."""
    identity = _own("identity", "Cryoscope", MADE, name="Cryoscope", identity_class="system")
    objects: dict[str, Thing] = {identity["id"]: identity}
    for part in parts:
        for ioc in part.iocs:
            for thing in _objects(part, ioc, identity["id"]):
                objects.setdefault(thing["id"], thing)
    name = uuid.uuid5(OURS, "bundle" + "".join(sorted(objects)))
    return {"type": "bundle", "id": f"bundle--{name}", "objects": list(objects.values())}


def _objects(part: Any, ioc: Any, creator: str) -> Iterator[Thing]:
    """An indicator, what was observed, and that the one rests on the other."""
    when = timestamp(part.seen)
    observed = list(_observables(ioc))
    seed = f"{ioc.kind}|{ioc.value}|{part.archive}|{when}"
    data = _own(
        "observed-data",
        seed,
        when,
        created_by_ref=creator,
        first_observed=when,
        last_observed=when,
        number_observed=min(max(1, ioc.count), MOST),
        object_refs=[thing["id"] for thing in observed],
    )
    indicator = _own(
        "indicator",
        seed,
        when,
        created_by_ref=creator,
        name=f"{ioc.kind}: {ioc.value}",
        description=f"{ioc.why}; seen in {part.archive}",
        indicator_types=["anomalous-activity" if ioc.confidence == "high" else "unknown"],
        pattern=pattern(ioc),
        pattern_type="stix",
        pattern_version="2.1",
        valid_from=when,
        confidence=CONFIDENCE[ioc.confidence],
    )
    relation = _own(
        "relationship",
        seed,
        when,
        created_by_ref=creator,
        relationship_type="based-on",
        source_ref=indicator["id"],
        target_ref=data["id"],
    )
    yield from (*observed, data, indicator, relation)


def _own(kind: str, seed: str, when: str, **properties: Any) -> Thing:
    name = uuid.uuid5(OURS, f"{kind}|{seed}")
    head = {"type": kind, "spec_version": "2.1", "id": f"{kind}--{name}", "created": when, "modified": when}
    return head | properties


def timestamp(text: str) -> str:
    """A time of RFC 3339 as STIX writes it: UTC, milliseconds; the beginning of time where it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime.fromtimestamp(0, UTC)
    found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    return found.strftime("%Y-%m-%dT%H:%M:%S.") + f"{found.microsecond // 1000:03d}Z"


# --- observables -------------------------------------------------------------------------------
VALUES = {"domain": "domain-name", "url": "url", "email": "email-addr"}


def _observables(ioc: Any) -> Iterator[Thing]:
    """What was observed, and what that refers to."""
    if ioc.kind == "sha256":
        facts = {"hashes": {"SHA-256": ioc.value}, "size": ioc.size, "name": _name(ioc.path or "")}
        yield _observable("file", {key: fact for key, fact in facts.items() if fact})
    elif ioc.kind == "path":
        folder = _observable("directory", {"path": posixpath.dirname(ioc.value) or "/"})
        yield _observable("file", {"name": _name(ioc.value), "parent_directory_ref": folder["id"]})
        yield folder
    elif ioc.kind == "ip":
        address = _observable(_address(ioc.value), {"value": ioc.value})
        yield address
        yield from _traffic(ioc, address)
    else:
        yield _observable(VALUES[ioc.kind], {"value": ioc.value})


def _traffic(ioc: Any, address: Thing) -> Iterator[Thing]:
    version = address["type"].partition("-")[0]
    ends = {(s.protocol, s.port) for s in ioc.sightings if s.protocol and s.port}
    for protocol, port in sorted(ends):
        facts = {"dst_ref": address["id"], "dst_port": port, "protocols": [version, protocol]}
        yield _observable("network-traffic", facts)


def _address(value: str) -> str:
    return "ipv6-addr" if ":" in value else "ipv4-addr"


def _name(path: str) -> str:
    return posixpath.basename(path.rstrip("/")) or path


def _observable(kind: str, facts: Thing) -> Thing:
    told = {key: facts[key] for key in CONTRIBUTING.get(kind, ("value",)) if key in facts}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    name = uuid.uuid5(OBSERVABLES, text.encode("utf-8", "backslashreplace").decode("utf-8"))
    return {"type": kind, "spec_version": "2.1", "id": f"{kind}--{name}"} | facts


# --- patterns ----------------------------------------------------------------------------------
def pattern(ioc: Any) -> str:
    """What to look for, in the language of STIX patterns (chapter 9)."""
    value = _quoted(ioc.value)
    if ioc.kind == "sha256":
        return f"[file:hashes.'SHA-256' = {value}]"
    if ioc.kind == "path":
        folder = _quoted(posixpath.dirname(ioc.value) or "/")
        return f"[file:name = {_quoted(_name(ioc.value))} AND file:parent_directory_ref.path = {folder}]"
    kind = _address(ioc.value) if ioc.kind == "ip" else VALUES[ioc.kind]
    return f"[{kind}:value = {value}]"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
