"""One repository of a registry: images out of it and into it.

distribution-spec 1.1: "Pulling", "Pushing", "Content Discovery"; error codes in "Error Codes".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive import ByteSource, BytesSource
from cryoscope.checkpoint.archive.readahead import ReadAhead
from cryoscope.images import ports
from cryoscope.images.auth import Credentials
from cryoscope.images.ports import Descriptor
from cryoscope.images.reference import Reference
from cryoscope.images.registry import refusal
from cryoscope.images.registry.tokens import Access
from cryoscope.images.registry.upload import BlobUpload
from cryoscope.images.remote import address
from cryoscope.images.remote.errors import BadAnswer, RemoteError, TlsFailed, Unreachable
from cryoscope.images.remote.source import HttpSource
from cryoscope.images.remote.web import Answer, Web
from cryoscope.kubeapi.http import is_loopback

DOCUMENTS = (ports.INDEX, ports.MANIFEST, ports.DOCKER_LIST, ports.DOCKER_MANIFEST)
"""Types of documents that a registry keeps as manifests; everything else is a blob."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NEXT = re.compile(r'<([^<>]*)>[ \t]{0,8};[^,<]*rel="?next"?')


class _Tags(msgspec.Struct, frozen=True):
    tags: list[str] | None = None


class _Typed(msgspec.Struct, frozen=True, rename="camel"):
    media_type: str = ""


class Registry:
    """The repository of `image`: an `ImageSource` and an `ImageTarget`; a context manager.

    `plain_http` speaks without TLS; a registry on this machine's loopback is asked with TLS first and
    without it then.
    """

    def __init__(
        self,
        image: Reference,
        *,
        credentials: Credentials | None = None,
        plain_http: bool = False,
    ) -> None:
        self.image = image
        self._web = Web(plain_http=plain_http)
        try:
            self.base = _base(self._web, image, plain_http=plain_http)
        except BaseException:
            self._web.close()
            raise
        self._access = Access(self._web, self.base, image.repository, credentials)

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._web.close()

    @property
    def received(self) -> int:
        """Bytes of bodies that came so far."""
        return self._web.received

    # --- an image source ------------------------------------------------------------------
    def resolve(self, reference: str | None) -> tuple[Descriptor, bytes]:
        """The index or manifest of a tag or digest (None: what the image's name says).

        Raises `Missing` (`registry.missing`), `Denied`, `BadAnswer` (`registry.digest`) where the bytes
        are not what a digest promises.
        """
        wanted = reference or self.image.wanted
        headers = {"Accept": ", ".join(DOCUMENTS)}
        answer = self.ask("GET", self._manifest(wanted), headers=headers, most=limits.REGISTRY_DOCUMENT)
        refusal.demand(answer, (200,), f"{self.image.name} has no {wanted}")
        digest = "sha256:" + hashlib.sha256(answer.body).hexdigest()
        promised = (
            wanted if wanted.startswith("sha256:") else answer.headers.get("docker-content-digest", digest)
        )
        if promised.startswith("sha256:") and promised != digest:
            raise _other_bytes(wanted)
        return Descriptor(media_type=_type(answer), digest=digest, size=len(answer.body)), answer.body

    def blob(self, descriptor: Descriptor, *, own: bool = False, among: int = 1) -> ByteSource:
        """A blob to be read by range; parts cannot be held against its digest, as `stream`'s whole can.

        With `own`, to close it hangs up.  A document is fetched, whole.  One `among` many that are open has
        its share of memory and of requests at once.
        """
        if descriptor.media_type in DOCUMENTS:
            return BytesSource(self.resolve(descriptor.digest)[1], descriptor.digest)
        source = HttpSource(
            self._web,
            self._blob(descriptor.digest),
            f"{self.image.name}@{descriptor.digest}",
            size=descriptor.size,
            who=self._access,
            own=own,
        )
        workers = max(1, min(limits.REMOTE_REQUESTS, 2 * limits.REMOTE_REQUESTS // among))
        return ReadAhead(source, memory=limits.REMOTE_CACHE // among, workers=workers)

    def stream(self, descriptor: Descriptor, start: int = 0) -> Iterator[bytes]:
        """The bytes of a blob from `start` to its end; taken up again where the connection broke."""
        failures = 0
        while start < descriptor.size:
            try:
                for block in self._rest(descriptor, start):
                    start, failures = start + len(block), 0
                    if start > descriptor.size:
                        raise _other_bytes(descriptor.digest)
                    yield block
                if start < descriptor.size:
                    raise Unreachable(f"{descriptor.digest} broke off", hint="try again")
            except Unreachable:
                failures += 1
                if failures >= limits.REMOTE_TRIES:
                    raise

    def _rest(self, descriptor: Descriptor, start: int) -> Iterator[bytes]:
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self.open("GET", self._blob(descriptor.digest), headers=headers) as response:
            if response.status_code == 416:  # it ends before the size that its image says
                raise _other_bytes(descriptor.digest)
            if response.status_code not in (200, 206):
                raise refusal.error(
                    response.status_code, b"", f"{self.image.name} has no {descriptor.digest}"
                )
            skip = start if response.status_code == 200 else 0
            for block in self._web.blocks(response):
                if skip >= len(block):
                    skip -= len(block)
                    continue
                yield block[skip:]
                skip = 0

    def tags(self) -> list[str]:
        """The tags of the repository, at most `limits.REGISTRY_TAGS`."""
        found: list[str] = []
        url: str | None = self._url(f"tags/list?n={limits.REGISTRY_PAGES}")
        for _ in range(limits.REGISTRY_PAGES):
            if url is None or len(found) >= limits.REGISTRY_TAGS:
                break
            answer = self.ask("GET", url, most=limits.REGISTRY_DOCUMENT)
            refusal.demand(answer, (200,), f"there is no {self.image.name}")
            found += _decoded(answer, _Tags).tags or []
            url = self._next(answer)
        return found[: limits.REGISTRY_TAGS]

    def _next(self, answer: Answer) -> str | None:
        link = _NEXT.search(answer.headers.get("link", ""))
        if link is None:
            return None
        url = address.followed(answer.url, link[1], plain_http=self._web.plain_http)
        return url if address.origin(url) == address.origin(self.base) else None

    # --- an image target ------------------------------------------------------------------
    def has(self, descriptor: Descriptor) -> bool:
        """Whether the repository has a blob or manifest already."""
        document = descriptor.media_type in DOCUMENTS
        url = self._manifest(descriptor.digest) if document else self._blob(descriptor.digest)
        headers = {"Accept": ", ".join(DOCUMENTS)} if document else {}
        return self.ask("HEAD", url, headers=headers).status == 200

    def upload(self) -> AbstractContextManager[BlobUpload]:
        """A new blob."""
        return BlobUpload(self, self._url("blobs/uploads/"))

    def mount(self, descriptor: Descriptor, repository: str) -> bool:
        """Take a blob over from another repository of the registry; False where it does not do that."""
        self._access.scopes = [f"repository:{repository}:pull"]
        query = urlencode({"mount": descriptor.digest, "from": repository})
        answer = self.ask("POST", self._url(f"blobs/uploads/?{query}"), content=b"")
        return answer.status == 201

    def put(self, descriptor: Descriptor, document: bytes) -> None:
        """A config, manifest or index, whole."""
        if descriptor.media_type in DOCUMENTS:
            self._put(descriptor.digest, descriptor, document)
        elif not self.has(descriptor):
            with self.upload() as upload:
                upload.write(document)
                upload.commit(descriptor.digest)

    def name(self, reference: str | None, descriptor: Descriptor, document: bytes) -> None:
        """Make an index or manifest what a tag means (None: what the image's name says)."""
        self._put(reference or self.image.tag or descriptor.digest, descriptor, document)

    def _put(self, reference: str, descriptor: Descriptor, document: bytes) -> None:
        headers = {"Content-Type": descriptor.media_type}
        answer = self.ask("PUT", self._manifest(reference), headers=headers, content=document)
        refusal.demand(answer, (201, 202), f"{self.image.name} takes no {reference}")

    # --- asking ---------------------------------------------------------------------------
    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
        most: int = limits.REGISTRY_ERROR,
        again: bool = True,
    ) -> Answer:
        """An answer, whatever its status, after one has said who one is."""
        options: Any = {"content": content, "most": most, "again": again}
        answer = self._web.request(method, url, headers=self._mine(url, headers), **options)
        if answer.status == 401 and self._access.renew(answer.headers):
            answer = self._web.request(method, url, headers=self._mine(url, headers), **options)
        return answer

    @contextmanager
    def open(self, method: str, url: str, *, headers: dict[str, str]) -> Iterator[Any]:
        """The same with the body unread."""
        for renewed in (False, True):
            with self._web.open(method, url, headers=self._mine(url, headers)) as response:
                if response.status_code == 401 and not renewed and self._access.renew(response.headers):
                    continue
                yield response
                return

    def followed(self, location: str) -> str:
        """An address that the registry gave for an upload."""
        return address.followed(self.base, location, plain_http=self._web.plain_http)

    def _mine(self, url: str, headers: dict[str, str] | None) -> dict[str, str]:
        """The headers, with who one is where the registry itself is asked."""
        own = address.origin(url) == address.origin(self.base)
        return (headers or {}) | (self._access.headers() if own else {})

    def _url(self, path: str) -> str:
        return f"{self.base}/v2/{self.image.repository}/{path}"

    def _manifest(self, reference: str) -> str:
        return self._url("manifests/" + quote(reference, safe=":"))

    def _blob(self, digest: str) -> str:
        if not _DIGEST.fullmatch(digest):
            raise BadAnswer(f"{self.image.name} names a blob by what is no digest", code="registry.digest")
        return self._url("blobs/" + digest)


def _base(web: Web, image: Reference, *, plain_http: bool) -> str:
    """Where the registry answers."""
    if plain_http:
        return f"http://{image.api}"
    if is_loopback(image.host):
        try:
            web.request("GET", f"https://{image.api}/v2/", again=False)
        except (Unreachable, TlsFailed) as error:
            if "CERTIFICATE" not in error.message:
                return f"http://{image.api}"
            raise
    return f"https://{image.api}"


def _type(answer: Answer) -> str:
    """The type of a document: its own word, else that of the answer."""
    found = _decoded(answer, _Typed).media_type or answer.headers.get("content-type", "").partition(";")[0]
    if found not in DOCUMENTS:
        raise BadAnswer(f"the registry answers with {found[:100]!r}, which is no image", code="registry.type")
    return found


def _decoded(answer: Answer, kind: Any) -> Any:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadAnswer(
            "the registry answers with what is no JSON of its kind", code="registry.answer"
        ) from None


def _other_bytes(what: str) -> RemoteError:
    return BadAnswer(
        f"the registry gives other bytes than {what} promises",
        hint="the registry, or somebody on the way to it, changed them",
        code="registry.digest",
    )
