"""A server of files and a registry in one, on a loopback port, that can be told to misbehave.

What it does right it does as RFC 9110 and the distribution-spec have it; each `fault` is one thing that it
does wrong.  `requests` are what it was asked, `sent` the bytes of bodies that it gave.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import ssl
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

RANGE = re.compile(r"bytes=(\d+)-(\d*)")
WHO = "Basic " + base64.b64encode(b"ana:secret").decode()
TOKEN = "a-token"


class Far(ThreadingHTTPServer):
    """`files` by path, `blobs` by digest, `manifests` by tag or digest; `faults` are switched on by name."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.uploads: dict[str, bytearray] = {}
        self.faults: set[str] = set()
        self.once: list[str] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.sent = 0
        self.etag: str | None = '"one"'
        self.elsewhere: str | None = None
        self.realm: str | None = None
        self.scheme = "http"

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.place}"

    def fault(self, name: str) -> bool:
        """Whether to do something wrong now: always, or once."""
        if name in self.once:
            self.once.remove(name)
            return True
        return name in self.faults

    def blob(self, data: bytes) -> str:
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return digest

    def image(self, layer: bytes, *, tag: str = "1", kind: str = "tar") -> str:
        """An image with one layer; the digest of its manifest."""
        document = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": described("application/vnd.oci.image.config.v1+json", b"{}", self),
            "layers": [described(f"application/vnd.oci.image.layer.v1.{kind}", layer, self)],
        }
        data = json.dumps(document).encode()
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.manifests[tag] = self.manifests[digest] = (str(document["mediaType"]), data)
        return digest

    def asked(self, method: str) -> list[str]:
        return [path for verb, path, _ in self.requests if verb == method]


def described(kind: str, data: bytes, server: Far) -> dict[str, Any]:
    return {"mediaType": kind, "digest": server.blob(data), "size": len(data)}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet: two wait for each other
    server: Far

    def log_message(self, *_: Any) -> None:
        pass

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle()

    # --- ways in --------------------------------------------------------------------------
    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._route
        raise AttributeError(name)

    def _route(self) -> None:
        server, parts = self.server, urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        server.requests.append((self.command, self.path, headers))
        body = self.rfile.read(int(headers.get("content-length", 0)))
        if server.fault("later"):
            return self._answer(503, b"later", {"Retry-After": "0"})
        if server.fault("slam"):
            self.close_connection = True
            return self.connection.close()
        if parts.path == "/token":
            return self._token(headers)
        if parts.path.startswith("/v2/"):
            if server.realm and headers.get("authorization") != f"Bearer {TOKEN}":
                challenge = f'Bearer realm="{server.realm}",service="it",scope="repository:a/b:pull"'
                return self._answer(401, b"{}", {"WWW-Authenticate": challenge})
            if server.fault("basic") and headers.get("authorization") != WHO:
                return self._answer(401, b"{}", {"WWW-Authenticate": 'Basic realm="it"'})
            return self._registry(parts.path, parse_qs(parts.query), body, headers)
        if parts.path in server.files:
            return self._file(server.files[parts.path], headers)
        return self._answer(404, b"")

    def _token(self, headers: dict[str, str]) -> None:
        if headers.get("authorization") not in (None, WHO):
            return self._answer(401, b"no")
        return self._answer(200, json.dumps({"token": TOKEN}).encode())

    # --- files ----------------------------------------------------------------------------
    def _file(self, data: bytes, headers: dict[str, str]) -> None:
        server = self.server
        found = RANGE.fullmatch(headers.get("range", ""))
        tag = {"ETag": server.etag} if server.etag else {}
        if server.fault("changes"):
            tag = {"ETag": '"two"'}
        stale = "if-range" in headers and headers["if-range"] != tag.get("ETag")
        if found is None or stale or server.fault("no-ranges"):
            return self._answer(200, data, tag)
        first = int(found[1])
        last = min(int(found[2] or len(data)), len(data) - 1)
        if first > last:
            return self._answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
        size = len(data) + (1 if server.fault("grows") else 0)
        part = data[first : last + 1]
        if server.fault("other-range"):
            first += 1
        told = tag | {"Content-Range": f"bytes {first}-{last}/{size}"}
        if server.fault("too-much"):
            part += bytes(1000)
        return self._answer(206, part, told)

    # --- registry -------------------------------------------------------------------------
    def _registry(self, path: str, query: dict[str, list[str]], body: bytes, headers: dict[str, str]) -> None:
        _, _, rest = path.partition("/v2/a/b/")
        kind, _, name = rest.partition("/")
        if kind == "manifests":
            return self._manifest(name, body, headers)
        if kind == "tags":
            return self._tags(query)
        if kind == "blobs" and name.startswith("uploads/"):
            return self._upload(name.removeprefix("uploads/"), query, body, headers)
        if kind == "blobs":
            return self._blob(name, headers)
        return self._answer(200, b"{}")

    def _manifest(self, name: str, body: bytes, headers: dict[str, str]) -> None:
        if self.command == "PUT":
            digest = "sha256:" + hashlib.sha256(body).hexdigest()
            self.server.manifests[name] = self.server.manifests[digest] = (headers["content-type"], body)
            return self._answer(201, b"", {"Docker-Content-Digest": digest})
        if name not in self.server.manifests:
            said = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
            return self._answer(404, json.dumps(said).encode())
        kind, data = self.server.manifests[name]
        return self._answer(200, data, {"Content-Type": kind})

    def _tags(self, query: dict[str, list[str]]) -> None:
        tags = sorted(tag for tag in self.server.manifests if not tag.startswith("sha256:"))
        last = query.get("last", [""])[0]
        page = [tag for tag in tags if tag > last][:2]
        more = page and page[-1] != tags[-1]
        link = {"Link": f'</v2/a/b/tags/list?n=2&last={page[-1]}>; rel="next"'} if more else {}
        if self.server.fault("endless-tags"):
            link = {"Link": '</v2/a/b/tags/list?n=2>; rel="next"'}
        self._answer(200, json.dumps({"name": "a/b", "tags": page}).encode(), link)

    def _blob(self, digest: str, headers: dict[str, str]) -> None:
        if self.server.elsewhere:
            return self._answer(307, b"", {"Location": f"{self.server.elsewhere}/{digest}"})
        if digest not in self.server.blobs:
            return self._answer(404, b"")
        return self._file(self.server.blobs[digest], headers)

    def _upload(self, name: str, query: dict[str, list[str]], body: bytes, headers: dict[str, str]) -> None:
        server = self.server
        if self.command == "POST":
            name = uuid.uuid4().hex
            server.uploads[name] = bytearray()
            return self._answer(202, b"", {"Location": f"/v2/a/b/blobs/uploads/{name}?state=1"})
        held = server.uploads[name]
        place = {"Location": f"/v2/a/b/blobs/uploads/{name}?state={len(held)}"}
        if self.command == "GET":
            return self._answer(204, b"", place | {"Range": f"0-{max(0, len(held) - 1)}"})
        if self.command == "PATCH":
            if server.fault("half"):  # takes a half, and hangs up
                held += body[: len(body) // 2]
                self.close_connection = True
                return self.connection.close()
            if int(headers["content-range"].partition("-")[0]) != len(held) or server.fault("416"):
                return self._answer(416, b"", place)
            held += body
            return self._answer(202, b"", place | {"Range": f"0-{len(held) - 1}"})
        held += body
        digest = "sha256:" + hashlib.sha256(held).hexdigest()
        if digest != query["digest"][0]:
            return self._answer(400, b'{"errors": [{"code": "DIGEST_INVALID", "message": "no"}]}')
        server.blobs[digest] = bytes(held)
        return self._answer(201, b"")

    # --- answers --------------------------------------------------------------------------
    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if self.server.fault("packed"):
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD" or status in (204, 304):
            return
        if len(body) > 1000 and self.server.fault("cut"):
            body = body[: len(body) // 2]
            self.close_connection = True
        self.server.sent += len(body)
        self.wfile.write(body)


@contextlib.contextmanager
def serving(*, certificate: tuple[str, str] | None = None) -> Iterator[Far]:
    """A server, until the end; with a certificate (chain and key, files) over TLS."""
    server = Far()
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.scheme = "https"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
