"""A case as JSON-LD of CASE/UCO 1.4 (caseontology.org, unifiedcyberontology.org), for other tools.

Each piece is an observable file with its digests and a provenance record, each entry of the custody log an
investigative action with its performer, instrument, host, object and time.  Ids are made from what they
name: the same case gives the same document.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from cryoscope.evidence.records import Case, Entry, Piece

Node = dict[str, Any]

CONTEXT = {
    "case-investigation": "https://ontology.caseontology.org/case/investigation/",
    "kb": "urn:cryoscope:kb:",
    "uco-action": "https://ontology.unifiedcyberontology.org/uco/action/",
    "uco-core": "https://ontology.unifiedcyberontology.org/uco/core/",
    "uco-identity": "https://ontology.unifiedcyberontology.org/uco/identity/",
    "uco-observable": "https://ontology.unifiedcyberontology.org/uco/observable/",
    "uco-tool": "https://ontology.unifiedcyberontology.org/uco/tool/",
    "uco-types": "https://ontology.unifiedcyberontology.org/uco/types/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
SPACE = uuid.uuid5(uuid.NAMESPACE_URL, CONTEXT["kb"])
ARRIVALS = ("capture", "add")


def document(case: Case, pieces: Sequence[Piece], entries: Iterable[Entry], version: str) -> bytes:
    """The JSON-LD of a case, its pieces and its log; `version` is of Cryoscope."""
    tool = _tool(version)
    graph = [tool]
    for piece in pieces:
        graph += [_file(piece), _provenance(piece)]
    known = {piece.sha256: piece for piece in pieces}
    people: dict[str, Node] = {}
    for entry in entries:
        for node in (_named("identity", entry.operator), _named("host", entry.host)):
            people.setdefault(node["@id"], node)
        graph.append(_action(entry, known, tool))
    graph += people.values()
    graph.insert(0, _investigation(case, graph))
    text = msgspec.json.encode({"@context": CONTEXT, "@graph": graph})
    return msgspec.json.format(text, indent=1) + b"\n"


def _id(kind: str, *of: str) -> str:
    """An id that ends in a UUID, as CASE wants it."""
    return f"kb:{kind}-{uuid.uuid5(SPACE, chr(0).join([kind, *of]))}"


def _to(*nodes: str) -> list[Node]:
    return [{"@id": node} for node in nodes]


def _time(text: str) -> Node:
    return {"@type": "xsd:dateTime", "@value": text}


def _investigation(case: Case, graph: Sequence[Node]) -> Node:
    node = {
        "@id": _id("investigation", case.name),
        "@type": "case-investigation:Investigation",
        "uco-core:name": case.name,
        "uco-core:objectCreatedTime": _time(case.created),
        "uco-core:object": _to(*(node["@id"] for node in graph)),
    }
    return node | ({"uco-core:description": case.description} if case.description else {})


def _tool(version: str) -> Node:
    return {
        "@id": _id("tool", version),
        "@type": "uco-tool:Tool",
        "uco-core:name": "Cryoscope",
        "uco-tool:version": version,
    }


def _named(kind: str, name: str) -> Node:
    """A person or a machine, of which only the name is known."""
    types = {"identity": "uco-identity:Identity", "host": "uco-observable:Computer"}
    return {"@id": _id(kind, name), "@type": types[kind], "uco-core:name": name}


def _file(piece: Piece) -> Node:
    digest = {
        "@id": _id("hash", piece.case, piece.sha256),
        "@type": "uco-types:Hash",
        "uco-types:hashMethod": "SHA256",
        "uco-types:hashValue": {"@type": "xsd:hexBinary", "@value": piece.sha256},
    }
    facts = {
        "@id": _id("file-facet", piece.case, piece.sha256),
        "@type": "uco-observable:FileFacet",
        "uco-observable:fileName": piece.name,
        "uco-observable:sizeInBytes": piece.size,
    }
    contents = {
        "@id": _id("content-data-facet", piece.case, piece.sha256),
        "@type": "uco-observable:ContentDataFacet",
        "uco-observable:hash": [digest],
        "uco-observable:sizeInBytes": piece.size,
    }
    return {
        "@id": _id("file", piece.case, piece.sha256),
        "@type": "uco-observable:File",
        "uco-core:description": _said(piece),
        "uco-core:hasFacet": [facts, contents],
    }


def _said(piece: Piece) -> str:
    """What is known of a container, as one text: CASE has no word for a pod."""
    names = ("engine", "container", "container_id", "pod", "namespace", "node", "image", "captured")
    found = [f"{name}: {value}" for name in names if (value := getattr(piece, name))]
    return "; ".join(["container checkpoint", f"format: {piece.format}", *found])


def _provenance(piece: Piece) -> Node:
    return {
        "@id": _id("provenance-record", piece.case, piece.sha256),
        "@type": "case-investigation:ProvenanceRecord",
        "case-investigation:exhibitNumber": piece.sha256,
        "uco-core:description": f"sealed by the manifest with SHA-256 {piece.manifest}; {piece.state}",
        "uco-core:object": _to(_id("file", piece.case, piece.sha256)),
    }


def _action(entry: Entry, known: dict[str, Piece], tool: Node) -> Node:
    node: Node = {
        "@id": _id("investigative-action", entry.case, str(entry.number)),
        "@type": "case-investigation:InvestigativeAction",
        "uco-core:name": entry.action,
        "uco-core:description": entry.reason or f"entry {entry.number} of the custody log",
        "uco-action:startTime": _time(entry.time),
        "uco-action:endTime": _time(entry.time),
        "uco-action:performer": _to(_id("identity", entry.operator))[0],
        "uco-action:instrument": _to(tool["@id"]),
        "uco-action:environment": _to(_id("host", entry.host))[0],
    }
    if entry.piece in known:
        piece = known[entry.piece]
        node["uco-action:object"] = _to(_id("file", piece.case, piece.sha256))
        if entry.action in ARRIVALS:
            node["uco-action:result"] = _to(_id("provenance-record", piece.case, piece.sha256))
    return node
