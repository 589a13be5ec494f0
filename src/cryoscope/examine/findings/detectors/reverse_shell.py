"""Shells and interpreters whose standard streams are a network connection.

Three ways lead there: the connection itself is copied onto the standard streams (dup2(2)); a relay such as
netcat holds the connection and is joined to the shell by pipes or a fifo; or a program that has the
connection as its streams gave the shell a terminal (Python's pty), which then is that program's child.
"""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.checkpoint.process import Descriptor, Process
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_descriptor, of_process
from cryoscope.examine.findings.known.folders import base
from cryoscope.examine.findings.known.programs import INTERPRETERS, is_shell
from cryoscope.examine.findings.known.streams import (
    accepted,
    connected,
    in_words,
    is_inet,
    served,
    standard,
)
from cryoscope.examine.findings.records import Evidence
from cryoscope.examine.findings.scene import Scene

RELAYS = frozenset("nc ncat netcat nc.openbsd nc.traditional telnet socat openssl cat".split())  # noqa: SIM905
JOINED = "A shell is joined to a network connection by pipes"
STREAMS = "A program has a network connection as its standard streams"
SERVED = "A server started a program with a connection as its standard streams"


def look(scene: Scene) -> Iterator[Suspicion]:
    """Every process by its standard streams, and every shell by what its pipes lead to."""
    relays = _relays(scene)
    for process in scene.processes:
        streams = standard(scene, process)
        yield from _direct(scene, process, streams)
        if is_shell(process):
            yield from _joined(process, streams, relays)


def _direct(scene: Scene, process: Process, streams: dict[int, Descriptor]) -> Iterator[Suspicion]:
    shell = is_shell(process)
    found = [each for each in streams.values() if (is_inet(each) if shell else connected(each))]
    numbers = {each.fd for each in found}
    if not (0 in numbers or {1, 2} <= numbers) or (not shell and not {0, 1} <= numbers):
        return
    evidence = [_process(process), *(_stream(process, each) for each in found)]
    if served(scene, process):
        yield Suspicion(evidence, "low" if shell else "info", SERVED)
    elif _answers(scene, process, found):
        yield Suspicion(evidence, "medium", SERVED)
    elif shell:
        yield Suspicion(evidence)
    else:
        interpreter = INTERPRETERS.match(base(process.exe or "")) or base(process.exe or "") in RELAYS
        yield Suspicion(evidence, "high" if interpreter else "medium", STREAMS)


def _answers(scene: Scene, process: Process, found: list[Descriptor]) -> bool:
    """Whether it runs a script, for somebody who came to a port of the server that started it.

    socat and a super-server of one's own do that with every connection; who types commands needs a shell
    without a script.
    """
    script = (process.cmdline or [])[1:2]
    return bool(script) and script[0][:1] not in ("-", "") and accepted(scene, process, found[0])


def _process(process: Process) -> Evidence:
    return of_process(process, "has a network connection as its standard streams")


def _stream(process: Process, descriptor: Descriptor) -> Evidence:
    return of_descriptor(process, descriptor, "is a network connection", text=in_words(descriptor))


Relays = dict[str, list[tuple[Process, Descriptor, Descriptor]]]
"""By pipe or fifo: the relay, its descriptor of that, and its connection."""


def _relays(scene: Scene) -> Relays:
    found: Relays = {}
    for process in scene.processes:
        if not _is_relay(process):
            continue
        descriptors = scene.descriptors(process.pid)
        connection = next((each for each in descriptors if connected(each)), None)
        for each in descriptors if connection is not None else ():
            if connection is not None and (key := _joint(each)):
                found.setdefault(key, []).append((process, each, connection))
    return found


def _is_relay(process: Process) -> bool:
    first = base((process.cmdline or [""])[0])
    return base(process.exe or "") in RELAYS or first in RELAYS or process.comm in RELAYS


def _joint(descriptor: Descriptor) -> str | None:
    """What two processes with the ends of one pipe, fifo or pair of sockets have in common."""
    if descriptor.type == "pipe":
        return descriptor.target
    if descriptor.socket is not None and descriptor.socket.family == "unix" and descriptor.socket.peer:
        ends = sorted((descriptor.socket.inode, descriptor.socket.peer))
        return f"unix {ends[0]} {ends[1]}"
    return f"fifo {descriptor.path}" if descriptor.type == "fifo" else None


def _joined(process: Process, streams: dict[int, Descriptor], relays: Relays) -> Iterator[Suspicion]:
    """A shell and a relay with a connection, where one writes what the other reads."""
    for stream in streams.values():
        for relay, end, connection in relays.get(_joint(stream) or "", ()):
            if relay.pid == process.pid or (stream.access == end.access and stream.access != "rw"):
                continue
            evidence = [
                of_process(process, "is joined to a relay with a connection"),
                of_descriptor(process, stream, "is what joins them"),
                of_descriptor(relay, connection, "is the relay's connection", text=in_words(connection)),
            ]
            yield Suspicion(evidence, None, JOINED)
            return


DETECTOR = Detector(
    name="reverse-shell",
    title="A shell has a network connection as its standard streams",
    severity="high",
    why="Somebody on the other end of the connection types commands into this shell. Shells read terminals,"
    " pipes and scripts; only attackers' one-liners, and servers such as inetd, hand them a connection.",
    next=[
        "the connection's other end: search your network's records and other containers for it",
        "cryoscope bash-history ARCHIVE and cryoscope strings -p PID ARCHIVE: what was typed",
        "cryoscope ps -f tree ARCHIVE: what started the shell is what was broken into",
    ],
    techniques=["T1059.004", "T1095"],
    references=["MITRE ATT&CK T1059.004, Unix Shell", "MITRE ATT&CK T1095, Non-Application Layer Protocol"],
    look=look,
)
