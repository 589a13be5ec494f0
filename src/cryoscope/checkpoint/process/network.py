"""Network devices and packet filter rules of the container's network namespaces.

Devices: images/netdev.proto.  iptables-*, ip6tables-* and nftables-* are the text of
iptables-save and `nft list ruleset`; ifaddr-*, route-* and rule-* are what `ip … save` wrote: the
netlink messages of rtnetlink(7) behind a magic number.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import msgspec

from cryoscope.checkpoint.criu.imageset import ImageSet
from cryoscope.text import readable

KINDS = {1: "loopback", 2: "veth", 3: "tun", 4: "external", 5: "venet", 6: "bridge", 7: "macvlan", 8: "sit"}
NLMSG = struct.Struct("<IHHII")
IFADDRMSG = struct.Struct("<4BI")
RTATTR = struct.Struct("<HH")
RTM_NEWADDR, IFA_ADDRESS, IFA_LOCAL = 20, 1, 2
IFADDR_MAGIC = 0x47361222
IFF_UP = 1


class NetworkDevice(msgspec.Struct, frozen=True, omit_defaults=True):
    """One network device; `addresses` are `address/prefix length`."""

    name: str
    kind: str
    index: int
    mtu: int
    up: bool
    mac: str | None = None
    addresses: list[str] = []
    netns: int = 0


class FilterRules(msgspec.Struct, frozen=True):
    """Packet filter rules of a network namespace, as their own tool printed them."""

    tool: str
    netns: int
    text: str


def devices_of(images: ImageSet) -> list[NetworkDevice]:
    """The devices of every network namespace, by index."""
    found = []
    for image, netns in images.matching("netdev-*"):
        addresses = _addresses(images.read(f"ifaddr-{netns}.img") or b"")
        found += [_device(entry, int(netns), addresses) for entry in images.messages(image)]
    return sorted(found, key=lambda device: (device.netns, device.index))


def _device(entry: Any, netns: int, addresses: dict[int, list[str]]) -> NetworkDevice:
    mac = bytes(entry.address)
    return NetworkDevice(
        name=readable(entry.name),
        kind=KINDS.get(entry.type, str(entry.type)),
        index=entry.ifindex,
        mtu=entry.mtu,
        up=bool(entry.flags & IFF_UP),
        mac=mac.hex(":") if any(mac) else None,
        addresses=addresses.get(entry.ifindex, []),
        netns=netns,
    )


def rules_of(images: ImageSet) -> list[FilterRules]:
    """Packet filter rules that were in force, empty rule sets left out."""
    found = []
    for tool in ("iptables", "ip6tables", "nftables"):
        for image, netns in images.matching(f"{tool}-*"):
            text = readable(images.read(image) or b"").strip("\0\n ")
            if text:
                found.append(FilterRules(tool, int(netns), text))
    return found


def _addresses(dump: bytes) -> dict[int, list[str]]:
    """Addresses by interface index from the netlink dump of `ip addr save`."""
    found: dict[int, list[str]] = {}
    for kind, body in _messages(dump):
        if kind != RTM_NEWADDR or len(body) < IFADDRMSG.size:
            continue
        _, prefix, _, _, index = IFADDRMSG.unpack_from(body)
        attributes = dict(_attributes(body[IFADDRMSG.size :]))
        packed = attributes.get(IFA_LOCAL, attributes.get(IFA_ADDRESS, b""))
        if len(packed) in (4, 16):
            found.setdefault(index, []).append(f"{ip_address(packed)}/{prefix}")
    return found


def _messages(dump: bytes) -> Iterator[tuple[int, bytes]]:
    position = 4 if dump[:4] == struct.pack("<I", IFADDR_MAGIC) else len(dump)
    while position + NLMSG.size <= len(dump):
        length, kind, _, _, _ = NLMSG.unpack_from(dump, position)
        if length < NLMSG.size:
            return
        yield kind, dump[position + NLMSG.size : position + length]
        position += (length + 3) & ~3


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + RTATTR.size <= len(data):
        length, kind = RTATTR.unpack_from(data, position)
        if length < RTATTR.size:
            return
        yield kind, data[position + RTATTR.size : position + length]
        position += (length + 3) & ~3
