"""An image of a registry as if its parts lay in a layout: what an opener of archives looks into.

Only documents are fetched; blobs are read by range when somebody asks.
"""

from __future__ import annotations

from threading import Lock

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive, ByteSource, Member
from cryoscope.checkpoint.archive.report import Report
from cryoscope.images.ports import Descriptor
from cryoscope.images.registry.registry import DOCUMENTS, Registry

LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


class _Listed(msgspec.Struct, frozen=True, rename="camel"):
    media_type: str = ""
    digest: str = ""
    size: int = 0


class _Document(msgspec.Struct, frozen=True):
    manifests: list[_Listed] | None = None
    layers: list[_Listed] | None = None


def image_archive(registry: Registry) -> Archive:
    """The documents and blobs of the registry's image as members; owns the registry."""
    try:
        target, data = registry.resolve(None)
        contents = _Contents(registry)
        contents.enter("oci-layout", LAYOUT)
        contents.enter("index.json", msgspec.json.encode({"schemaVersion": 2, "manifests": [target]}))
        contents.walk(target, data)
    except BaseException:
        registry.close()
        raise
    name = f"oci://{registry.image}"
    archive = Archive(name, "registry", contents.size, contents, Report(name))
    archive.fingerprint = lambda: f"oci-{registry.base}-{registry.image.repository}@{target.digest}"
    archive.seekable = True
    archive.enter(contents.members.values(), ())
    return archive


class _Contents:
    """Documents in memory, blobs where they are."""

    def __init__(self, registry: Registry) -> None:
        self.members: dict[str, Member] = {}
        self._registry = registry
        self._documents: dict[str, bytes] = {}
        self._blobs: dict[str, Descriptor] = {}
        self._sources: dict[str, ByteSource] = {}
        self._lock = Lock()

    @property
    def size(self) -> int:
        """Bytes of everything."""
        return sum(member.size for member in self.members.values())

    def walk(self, target: Descriptor, data: bytes) -> None:
        """Enter a document and what it leads to; at most `limits.REGISTRY_DOCUMENTS` are fetched."""
        pending, fetched = [(target.digest, data)], {target.digest}
        while pending:
            digest, data = pending.pop(0)
            self.enter(_name(digest), data)
            for one in _listed(data):
                if one.media_type not in DOCUMENTS:
                    self._blob(one)
                elif one.digest not in fetched and len(fetched) <= limits.REGISTRY_DOCUMENTS:
                    fetched.add(one.digest)
                    pending.append((one.digest, self._registry.resolve(one.digest)[1]))

    def enter(self, name: str, data: bytes) -> None:
        """A document."""
        self.members[name] = Member(name, "file", len(data))
        self._documents[name] = data

    def _blob(self, one: _Listed) -> None:
        name = _name(one.digest)
        if name not in self.members and one.size >= 0 and len(self.members) < limits.IMAGE_PARTS:
            self.members[name] = Member(name, "file", one.size)
            self._blobs[name] = Descriptor(media_type=one.media_type, digest=one.digest, size=one.size)

    def read(self, member: Member, offset: int, length: int) -> bytes:
        document = self._documents.get(member.name)
        if document is not None:
            return document[offset : offset + length]
        return self._source(member.name).read_at(offset, length)

    def _source(self, name: str) -> ByteSource:
        with self._lock:
            if name not in self._sources:
                self._sources[name] = self._registry.blob(self._blobs[name], among=len(self._blobs))
            return self._sources[name]

    def close(self) -> None:
        for source in self._sources.values():
            source.close()
        self._registry.close()


def _listed(data: bytes) -> list[_Listed]:
    """What a document leads to; nothing where it is none, which the opener says."""
    try:
        found = msgspec.json.decode(data, type=_Document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []
    return [*(found.manifests or []), *(found.layers or [])][: limits.IMAGE_PARTS]


def _name(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/", 1)
