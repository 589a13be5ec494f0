"""Names of images: `registry/repository:tag@digest`, by Docker's rules.

Grammar of distribution/reference (regexp.go) and distribution-spec 1.1 ("Pulling manifests"); what is a
registry and what a part of the repository by its `splitDockerDomain` (normalize.go).
"""

from __future__ import annotations

import ipaddress
import re

import msgspec

from cryoscope.errors import UsageError

SCHEMES = ("oci://", "docker://")
DOCKER, DOCKER_API = "docker.io", "registry-1.docker.io"
"""The registry of names without one, and where it answers."""
OFFICIAL = "library/"
LATEST = "latest"

LONGEST = 255
"""Characters of registry and repository together (distribution/reference, NameTotalLengthMax)."""

_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?")


class BadReference(UsageError):
    default_code = "image.reference"


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """An image of a registry: `registry` is HOST[:PORT], `digest` is `sha256:HEX`; tag or digest or both."""

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @property
    def name(self) -> str:
        """Registry and repository."""
        return f"{self.registry}/{self.repository}"

    @property
    def wanted(self) -> str:
        """What a registry is asked for: the digest, else the tag."""
        return self.digest or self.tag or LATEST

    @property
    def api(self) -> str:
        """HOST[:PORT] that answers for the registry."""
        return DOCKER_API if self.registry == DOCKER else self.registry

    @property
    def host(self) -> str:
        """The name or address in `api`, without port and brackets."""
        return self.api.rpartition("]")[0].lstrip("[") or self.api.partition(":")[0]

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}" + (f"@{self.digest}" if self.digest else "")


def parse(text: str, *, tag: str | None = LATEST) -> Reference:
    """The image that a user names, with or without `oci://`; without tag and digest it has the tag `tag`.

    Raises `BadReference` (`image.reference`).
    """
    rest = text
    for scheme in SCHEMES:
        rest = rest.removeprefix(scheme)
    rest, at, digest = rest.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise _bad(text, "its digest is not sha256: and 64 hexadecimal digits")
    registry, repository = _split(rest)
    repository, colon, named = repository.partition(":")
    if colon and not _TAG.fullmatch(named):
        raise _bad(text, "its tag is none: letters, digits, `_`, `.` and `-`, at most 128 of them")
    if not _HOST.fullmatch(registry) or not _port(registry) or not _address(registry):
        raise _bad(text, "its registry is no name or address with or without a port")
    if not _REPOSITORY.fullmatch(repository) or len(registry) + len(repository) >= LONGEST:
        raise _bad(text, _why(repository))
    return Reference(
        registry=registry,
        repository=repository,
        tag=named or (None if digest else tag),
        digest=digest or None,
    )


def _split(text: str) -> tuple[str, str]:
    """Registry and the rest: a first part is a registry if it looks like a host or is `localhost`."""
    first, slash, rest = text.partition("/")
    if slash and (first == "localhost" or set(first) & set(".:") or first != first.lower()):
        if first in ("index." + DOCKER, DOCKER):
            return DOCKER, rest if "/" in rest else OFFICIAL + rest
        return first, rest
    return DOCKER, text if slash else OFFICIAL + text


def _port(registry: str) -> bool:
    number = registry.rpartition("]")[2].rpartition(":")[2] if ":" in registry.rpartition("]")[2] else "1"
    return 0 < int(number) < 65536


def _address(registry: str) -> bool:
    """Whether what is in brackets is an address."""
    inside, bracket, _ = registry.lstrip("[").partition("]")
    try:
        return not bracket or bool(ipaddress.IPv6Address(inside))
    except ValueError:
        return False


def _why(repository: str) -> str:
    if repository != repository.lower():
        return f"a repository is in small letters: {repository.lower()}"
    return "its repository is none: parts of small letters and digits with `.`, `_`, `-` between, and slashes"


def _bad(text: str, why: str) -> BadReference:
    return BadReference(
        f"{text!r} names no image: {why}",
        hint="name it as REGISTRY/REPOSITORY:TAG or REGISTRY/REPOSITORY@DIGEST",
    )
