"""Sockets that see or make packets past the kernel's protocols, and tunnel devices."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.checkpoint.process.holders import Holder
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_descriptor
from cryoscope.examine.findings.records import Evidence
from cryoscope.examine.findings.scene import Scene


def look(scene: Scene) -> Iterator[Suspicion]:
    """Packet sockets, raw sockets of the internet protocols, and open tunnels."""
    for held in scene.sockets:
        socket = held.socket
        if socket.family == "packet" or (socket.family.startswith("inet") and socket.type == "raw"):
            what = f"a {'packet' if socket.family == 'packet' else 'raw'} socket"
            holders: list[Holder | None] = [*held.holders[:8]] or [None]
            yield Suspicion([_evidence(what, socket.protocol, holder) for holder in holders])
    for process in scene.processes:
        for descriptor in scene.descriptors(process.pid):
            if descriptor.type == "tun":
                evidence = of_descriptor(process, descriptor, "an open tunnel device")
                yield Suspicion([evidence], "low", "A process has a tunnel device open")


def _evidence(what: str, protocol: str | None, holder: Holder | None) -> Evidence:
    if holder is None:
        return Evidence(what=what, text=protocol)
    return Evidence(what=what, pid=holder.pid, comm=holder.comm, fd=holder.fd, text=protocol)


DETECTOR = Detector(
    name="raw-socket",
    title="A process sees or makes raw packets",
    severity="medium",
    why="A packet socket reads what passes on the network, passwords of others included; raw sockets "
    "forge senders, scan, and carry remote control in ICMP. ping, DHCP clients and network plugins "
    "have them too.",
    next=[
        ("cryoscope sockets ARCHIVE and cryoscope ps --pid: which program, with which rights (CAP_NET_RAW)"),
        "cryoscope inspect ARCHIVE shows the namespaces: in the host's network it sees the whole node",
    ],
    techniques=["T1040", "T1095", "T1572"],
    references=[
        "MITRE ATT&CK T1040, Network Sniffing",
        "packet(7), raw(7)",
    ],
    look=look,
)
