"""A bucket of S3 through obstore: addresses, credentials, and its errors as ours.

Addresses are `s3://BUCKET/PREFIX`.  Credentials are where every client of S3 looks for them: the environment
(`AWS_ACCESS_KEY_ID` …), the roles of the machine, and the files of `credentials`.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import urllib.parse
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryoscope import needs
from cryoscope.errors import UsageError
from cryoscope.evidence.blobs.credentials import credentials
from cryoscope.evidence.ports import BlobMissing, EvidenceError
from cryoscope.limits import BLOB_PART, BLOB_POINTER
from cryoscope.text import readable

if TYPE_CHECKING:
    from obstore.store import S3Store

BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
"""docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""
REASON = 200
"""Letters of a server's reason that are shown."""
RETRIES = 5
"""Times that a request is tried again: throttling and servers that restart."""
RETRY_FOR = timedelta(seconds=60)
REQUEST = timedelta(seconds=120)
"""One request, a part of an upload among them, which at 2 Mbit/s takes 64 seconds."""
PARTS = 3
"""Parts on their way at once: 48 MiB of memory."""
CONNECT = timedelta(seconds=10)
KNOWN = (
    "access_key_id",
    "web_identity_token_file",
    "container_credentials_relative_uri",
    "container_credentials_full_uri",
    "skip_signature",
)
"""Settings of the environment that say who asks."""


def split(url: str) -> tuple[str, str]:
    """Bucket and key or prefix (without slashes at its end); raises `UsageError`."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    key = key.rstrip("/")
    if not BUCKET.fullmatch(bucket) or any(part in ("", ".", "..") for part in key.split("/") if key):
        raise UsageError(
            f"{readable(url)} names no place in S3", hint="s3://BUCKET/PREFIX", code="evidence.blobs-url"
        )
    return bucket, key


class Bucket:
    """Objects under a prefix of a bucket; a path is what follows the prefix."""

    def __init__(self, store: S3Store, address: str) -> None:
        self.store, self.address = store, address
        self.calls = needs.module("obstore")

    def name(self, path: str) -> str:
        """The whole address of an object."""
        return f"{self.address}/{path}"

    def get(self, path: str) -> bytes | None:
        """A small object, cut at `BLOB_POINTER`; None if there is none."""
        with told(self.name(path)):
            try:
                found = self.calls.get(self.store, path)
                size = min(found.meta["size"], BLOB_POINTER)
                return next(iter(found.stream(BLOB_POINTER)), b"")[:size] if size else b""
            except FileNotFoundError:
                return None

    def size(self, path: str) -> int | None:
        """Bytes of an object, None if there is none."""
        with told(self.name(path)):
            try:
                return int(self.calls.head(self.store, path)["size"])
            except FileNotFoundError:
                return None

    def put(self, path: str, data: bytes) -> None:
        """Write a small object."""
        with told(self.name(path)):
            self.calls.put(self.store, path, data, use_multipart=False)

    def create(self, path: str, data: bytes) -> bool:
        """Write a small object unless there is one: whether it was written."""
        with told(self.name(path)):
            try:
                self.calls.put(self.store, path, data, mode="create", use_multipart=False)
            except needs.module("obstore.exceptions").AlreadyExistsError:
                return False
        return True

    def stream(self, path: str, blocks: Iterator[bytes]) -> None:
        """Write an object in parts; an error of `blocks` takes back what was written."""
        with told(self.name(path)):
            self.calls.put(
                self.store, path, blocks, use_multipart=True, chunk_size=BLOB_PART, max_concurrency=PARTS
            )

    def delete(self, path: str) -> None:
        """Remove an object; that there is none is no error."""
        with told(self.name(path)), contextlib.suppress(FileNotFoundError):
            self.calls.delete(self.store, path)

    def list(self, folder: str) -> Iterator[tuple[str, datetime]]:
        """Paths below `folder`, with the server's times."""
        with told(self.name(folder)):
            for page in self.calls.list(self.store, folder):
                yield from ((found["path"], found["last_modified"]) for found in page)

    def now(self, path: str) -> datetime:
        """What time it is for the server: that of an object that is made for it, and taken away."""
        self.put(path, b"")
        with told(self.name(path)):
            found: datetime = self.calls.head(self.store, path)["last_modified"]
        self.delete(path)
        return found


def open_bucket(bucket: str, prefix: str = "", *, endpoint: str = "", region: str = "") -> Bucket:
    """A prefix of a bucket; nothing is asked of the server yet.

    Plain HTTP is for servers on this machine, or where `AWS_ALLOW_HTTP=true` says that it may be.
    """
    make = needs.module("obstore.store").S3Store
    options: dict[str, Any] = {
        "retry_config": {"max_retries": RETRIES, "retry_timeout": RETRY_FOR},
        "client_options": {"timeout": REQUEST, "connect_timeout": CONNECT},
    }
    config: dict[str, Any] = {"endpoint": endpoint, "region": region}
    config = {key: value for key, value in config.items() if value}
    config["disable_bulk_delete"] = True  # one at a time is what every server takes
    address = f"s3://{bucket}/{prefix}".rstrip("/")
    with told(address):
        seen = make(bucket, config=config).config
        if not any(name in seen for name in KNOWN):
            config = credentials() | config
        if _on_this_machine(seen.get("endpoint", "")):
            options["client_options"]["allow_http"] = True
        return Bucket(make(bucket, prefix=prefix or None, config=config, **options), address)


def _on_this_machine(endpoint: str) -> bool:
    host = urllib.parse.urlsplit(endpoint).hostname or ""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Turns obstore's errors into ours; `what` is the address that was asked for."""
    errors = needs.module("obstore.exceptions")
    try:
        yield
    except FileNotFoundError:
        raise BlobMissing(f"{what} is not there", hint="check the address, or verify the case") from None
    except (errors.PermissionDeniedError, errors.UnauthenticatedError) as error:
        raise _denied(what, error) from None
    except errors.BaseError as error:
        raise _failed(what, error) from None


def _denied(what: str, error: Exception) -> EvidenceError:
    return EvidenceError(
        f"{what} may not be used by you: {_reason(error)}",
        hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
        code="evidence.s3-denied",
    )


def _failed(what: str, error: Exception) -> EvidenceError:
    text = str(error)
    if "169.254.169.254" in text:  # no keys anywhere, and no machine of Amazon's that has a role
        return _denied(what, error)
    if "<Code>NoSuchBucket</Code>" in text:
        return EvidenceError(
            f"{what}: there is no such bucket", hint="make it first", code="evidence.s3-bucket"
        )
    if "builder error" in text or "URL scheme is not allowed" in text:
        return EvidenceError(
            f"{what}: plain HTTP to another machine",
            hint="use https:// for the endpoint, or say AWS_ALLOW_HTTP=true",
            code="evidence.s3-plain-http",
        )
    return EvidenceError(
        f"{what}: {_reason(error)}", hint="is the endpoint right, and does it answer?", code="evidence.s3"
    )


def _reason(error: Exception) -> str:
    """One line of an error; a server's own words are in it."""
    text = str(error).partition("\n\n")[0]
    code = re.search("<Code>([A-Za-z]{1,60})</Code>", text)
    return code.group(1) if code else readable(" ".join(text.split()))[:REASON]
