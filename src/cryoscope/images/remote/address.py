"""Addresses: which may be asked, and what of them may be shown."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urljoin, urlsplit

from cryoscope.images.remote.errors import BadAddress, BadAnswer, shown
from cryoscope.kubeapi.http import is_loopback

PORTS = {"https": 443, "http": 80}


def checked(url: str, *, plain_http: bool) -> str:
    """An address that a user gave; raises `BadAddress` (`open.url`, `open.plain-http`)."""
    parts = _split(url)
    if parts is None or parts.scheme not in PORTS or not parts.hostname:
        raise BadAddress(f"{url!r} is no address", hint="give https://HOST/PATH")
    if parts.username is not None or parts.password is not None:
        raise BadAddress(
            "the address has a name or password in it, which would stand in every log",
            hint="leave it out, or download the file with a program that asks for it",
        )
    if not _allowed(parts, plain_http=plain_http):
        raise BadAddress(
            f"{parts.hostname} would be asked without TLS: anybody between could read and change it",
            hint="give https://, or --plain-http where the network is trusted",
            code="open.plain-http",
        )
    return url


def followed(base: str, location: str, *, plain_http: bool) -> str:
    """Where an answer sends one; raises `BadAnswer` where one should not go."""
    before = urlsplit(base)
    try:
        url = urljoin(base, location)
    except ValueError:  # brackets that hold no address
        url = ""
    parts = _split(url)
    if parts is None or parts.scheme not in PORTS or not parts.hostname or parts.username is not None:
        raise BadAnswer(f"{before.hostname} sends to {shown(location)!r}, which is no address")
    downgrade = before.scheme == "https" and parts.scheme == "http"
    if downgrade or not _allowed(parts, plain_http=plain_http):
        raise BadAnswer(
            f"{before.hostname} sends to {shown(parts.hostname)} without TLS",
            hint="whoever answers there is not to be trusted with it",
            code="remote.downgrade",
        )
    if _inward(parts.hostname) and not _inward(before.hostname or ""):
        raise BadAnswer(
            f"{before.hostname} sends to {shown(parts.hostname)}, which only this machine can ask",
            hint="whoever answers there would do so for a stranger; if you want that, give that address",
            code="remote.inward",
        )
    return url


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: credentials of one go to no other."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)


def bare(url: str) -> str:
    """An address without its query, which may sign it."""
    return urlsplit(url)._replace(query="", fragment="").geturl()


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # ValueError where it is none
    except ValueError:
        return None
    return parts


def _inward(host: str) -> bool:
    """Whether a host is this machine, or one beside it that answers to no other (RFC 3927, RFC 4291)."""
    try:
        return is_loopback(host) or ipaddress.ip_address(host).is_link_local
    except ValueError:
        return False


def _allowed(parts: SplitResult, *, plain_http: bool) -> bool:
    return parts.scheme == "https" or plain_http or is_loopback(parts.hostname or "")
