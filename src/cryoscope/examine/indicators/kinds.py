"""What a URL, an IP address, an e-mail address and a domain name look like, and what only looks like one.

The expressions are for the search engine: what follows the part that it needs is an optional group.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from cryoscope.examine.indicators.domains import HOSTED, PLAIN, bare, domain

SCHEMES = (
    rb"(?:https?|ftps?|sftp|wss?|ssh|git|ldaps?|smb|rtsp|mqtts?|amqps?|rediss?|postgres(?:ql)?|mysql|mongodb(?:\+srv)?"
    rb"|tcp|udp|grpc|socks[45]h?|stratum\+(?:tcp|ssl)|nats|kafka|docker|oci|s3|gs)"
)
URL = rb"(?i)(?<![a-z0-9+.])" + SCHEMES + rb"://[a-z0-9\[_%$~-](?:[!#-;=?-Z\[\]_a-z~]{0,2000})?"
IPV4 = rb"(?<![0-9A-Za-z._-])(?:\d{1,3}\.){3}\d(?:\d{0,2})?(?![0-9A-Za-z_]|\.\d|-\d)"
X = rb"[0-9A-Fa-f]{0,4}"
IPV6 = rb"(?<![0-9A-Za-z:.])" + X + b":" + X + rb":[0-9A-Fa-f:](?:[0-9A-Fa-f:.]{0,38})?(?![0-9A-Za-z:])"
EMAIL = rb"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{1,253})?"
TOPS = b"|".join(sorted(PLAIN | HOSTED, reverse=True))
DOMAIN = rb"(?<![a-z0-9_.@/\\%=-])[a-z0-9.-]{1,250}\.(?:" + TOPS + rb")(?![a-z0-9_(=-]|\.[a-z0-9])"
RESOLVERS = frozenset(b"1.1.1.1 1.0.0.1 8.8.8.8 8.8.4.4 9.9.9.9 4.2.2.2 4.2.2.1 1.2.4.8".split())
APART = (b"", b"\0", b" ", b"\t", b"\n", b'"', b"'", b"[", b"]", b",", b"=", b"/", b"@")
"""What an address as short as `::1` stands between; chance has other neighbours."""
TRAILING = b".,;:!?'\")]}>*"
USERINFO = re.compile(rb"^[^/?#]*@")
HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)")
INSIDE = re.compile(rb"(?:[a-z0-9][a-z0-9_-]{0,62}\.)*(?!\d+$)[a-z0-9][a-z0-9_-]{1,62}")
"""Hosts that only a network of its own knows: `http://cache:80`, `http://db.corp.test`."""
LATER = re.compile(rb"[:/]\d")
IN_URL = re.compile(rb"//[^/?#\s\0<>\"]{0,78}$")
NEAR = 12
"""Bytes before an address that tell whether it is one."""


class Found(NamedTuple):
    """A value of a kind, and what is to be noted of it."""

    kind: str
    value: bytes
    note: str | None = None


Check = Callable[[bytes, bytes, bytes], Iterator[Found]]
"""What a match is, with a few bytes that stand before and behind it."""


def url(match: bytes, _before: bytes, _behind: bytes) -> Iterator[Found]:
    """A URL whose host can be one, and that host."""
    value = match.rstrip(TRAILING)
    scheme, _, rest = value.partition(b"://")
    found = HOST.match(USERINFO.sub(b"", rest))
    host = found[0] if found else b""
    name, address = domain(host), ip(host.strip(b"[]"))
    if name or address or (INSIDE.fullmatch(host) and host not in (b"host", b"hostname", b"server")):
        yield Found("url", scheme.lower() + b"://" + rest)
        if name:
            yield Found("domain", name)


def ipv4(match: bytes, before: bytes, behind: bytes) -> Iterator[Found]:
    """Four numbers that are an address rather than a version or an object identifier."""
    found, before = ip(match), before[-NEAR:]
    if found is None or (match.startswith(b"0.") and found.note != "unspecified"):
        return
    numbers = [int(number) for number in match.split(b".")]
    identifier = numbers[0] < 3 and numbers[1] < 40  # arcs of object identifiers: 1.3.101.110
    small = (identifier or (numbers[0] < 10 and max(numbers) < 100)) and match not in RESOLVERS
    told = LATER.match(behind) or before.endswith((b"//", b"@")) or b"host" in before.lower()
    version = re.search(rb"(?i)ver(?:sion)?[ =:.]*$|release[ =:]*$|[a-z]/$", before)
    if not version and (told or not small):
        yield found


def ipv6(match: bytes, before: bytes, behind: bytes) -> Iterator[Found]:
    """An address of version 6, neither a time nor a row of bytes in hex nor a name of C++."""
    groups = [group for group in match.split(b":") if group]
    full = match.count(b":") == 7 and any(len(group) > 2 for group in groups)
    alone = match == b"::1" and before[-1:] in APART and behind[:1] in APART
    short = alone or (b"::" in match and len(groups) >= 2 and len(groups[0]) >= 3)
    digits = any(48 <= byte <= 57 for byte in match)
    found = ip(match) if (full or short) and digits else None
    if found is not None and found.note != "reserved":
        yield found


def email(match: bytes, before: bytes, _behind: bytes) -> Iterator[Found]:
    """A mailbox, and the domain it is in; neither a password in a URL nor the user's name there."""
    if IN_URL.search(before):
        return
    local, _, host = match.rstrip(b".-").partition(b"@")
    name = domain(host)
    if name and not local.startswith((b".", b"-", b"%")) and not local.endswith(b".") and b".." not in local:
        yield Found("email", local + b"@" + name)
        yield Found("domain", name)


def name(match: bytes, _before: bytes, _behind: bytes) -> Iterator[Found]:
    """A domain name that stands alone."""
    found = bare(match.strip(b".-"))
    if found is not None:
        yield Found("domain", found)


def ip(text: bytes) -> Found | None:
    """An address in its usual spelling, and which special network it is of."""
    try:
        address = ipaddress.ip_address(text.decode("ascii"))
    except (ValueError, UnicodeDecodeError):
        return None
    return Found("ip", str(address).encode("ascii"), _note(address))


def _note(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str | None:
    if address.is_unspecified:
        return "unspecified"
    if isinstance(address, ipaddress.IPv4Address) and int(address) >> 24 == 255:
        return "netmask"
    tests = ("loopback", "link_local", "multicast", "reserved", "private")
    return next((test.replace("_", "-") for test in tests if getattr(address, f"is_{test}")), None)


EXPRESSIONS: tuple[tuple[str, bytes, Check], ...] = (
    ("url", URL, url),
    ("ip", IPV4, ipv4),
    ("ip", IPV6, ipv6),
    ("email", EMAIL, email),
    ("domain", DOMAIN, name),
)
"""Kind, expression, check.  URLs and mailboxes tell of domains, too."""

ALSO_DOMAINS = ("url", "email")

__all__ = ["ALSO_DOMAINS", "EXPRESSIONS", "Check", "Found"]
