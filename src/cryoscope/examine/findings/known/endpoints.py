"""Addresses and ports of sockets, and ports that are known for one thing."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

Address = IPv4Address | IPv6Address

BACKDOORS = {
    1337: "customary for back doors",
    4444: "Metasploit's",
    4445: "customary for back doors",
    31337: "customary for back doors",
    50050: "Cobalt Strike's team server",
}
"""Ports that tools of attackers listen on and call unless told otherwise."""

POOLS = {
    3333: "usual for mining pools",
    5555: "usual for mining pools",
    7777: "usual for mining pools",
    14433: "usual for mining pools",
    14444: "usual for mining pools",
    20535: "usual for mining pools",
    45560: "usual for mining pools",
    45700: "usual for mining pools",
}
OTHER = {
    9001: "usual for Tor relays",
    9030: "usual for Tor directories",
    9050: "Tor's proxy",
    9150: "Tor Browser's proxy",
    6667: "IRC",
    6697: "IRC",
}
REMOTE = BACKDOORS | POOLS | OTHER
"""What a connection to such a port of another machine makes one think of."""

METADATA = {
    "169.254.169.254": "the cloud's instance metadata",
    "169.254.170.2": "the credentials of the cloud's container service",
    "169.254.170.23": "the cloud's pod identities",
    "fd00:ec2::254": "the cloud's instance metadata",
    "100.100.100.200": "the cloud's instance metadata",
}


def endpoint(text: str | None) -> tuple[Address, int] | None:
    """Address and port of `address:port` as sockets have it; None for what is neither."""
    host, _, port = (text or "").rpartition(":")
    address = address_of(host)
    try:
        return None if address is None else (address, int(port))
    except ValueError:
        return None


def address_of(host: str) -> Address | None:
    """The address that a text is, in brackets or not, without its zone; of version 4 where it means one."""
    try:
        found = ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped if isinstance(found, IPv6Address) else None) or found


def public(address: Address) -> bool:
    """Whether an address is one of the internet's."""
    return address.is_global and not address.is_multicast
