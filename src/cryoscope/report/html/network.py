"""Sockets as a small graph: who listens where, who talks to whom.

Three columns: where something listens, the processes, and the other ends of connections.  Connections
between two processes of the container are arcs beside the middle column.  Sockets of the kernel (netlink)
and those that lead nowhere are in the table only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from cryoscope import limits
from cryoscope.report.html.shown import short, text

MOST = 36
"""Boxes in one column; the table below the graph has everything."""

WIDTH, BOX, HEIGHT, STEP, TOP = 960, 250, 26, 36, 34
COLUMNS = (4, (WIDTH - BOX) // 2, WIDTH - BOX - 4)
LETTERS = 32
"""Characters of 12 pixels that a box has room for."""


class Node(NamedTuple):
    """A box; `side` is 0 for what listens, 1 for processes, 2 for other ends."""

    key: str
    label: str
    title: str
    kind: str
    side: int
    x: int
    y: int


class Edge(NamedTuple):
    """A line between two boxes, as SVG's path data."""

    path: str
    title: str
    kind: str


class Graph(NamedTuple):
    """Everything drawn; `left` boxes were left out."""

    nodes: list[Node]
    edges: list[Edge]
    width: int
    height: int
    left: int


class Link(NamedTuple):
    """What one socket says: a process (`pid comm`), what is at its other end, and on which side that is."""

    process: str
    other: str
    side: int
    kind: str
    title: str


def graph(sockets: Iterable[Any]) -> Graph:
    """The graph of all sockets; without boxes if there is nothing to draw."""
    sockets = list(sockets)
    links = list(dict.fromkeys(islice(_links(sockets), limits.REPORT_LINKS)))
    order: list[list[str]] = [[], [], []]
    order[1] = sorted({link.process for link in links} | {k.other for k in links if k.side == 1}, key=_by_pid)
    rank = {name: number for number, name in enumerate(order[1])}
    for side in (0, 2):
        order[side] = _near(links, side, rank)
    left = sum(max(0, len(column) - MOST) for column in order)
    tallest = min(MOST, max(map(len, order)))
    nodes = [node for side in range(3) for node in _column(order[side][:MOST], side, tallest, links)]
    places = {(node.side, node.key): node for node in nodes}
    return Graph(nodes, [*_edges(links, places)], WIDTH, TOP + tallest * STEP + 6, left)


def _by_pid(name: str) -> tuple[int, str]:
    return int(name.partition(" ")[0]), name


def _near(links: list[Link], side: int, rank: dict[str, int]) -> list[str]:
    """The boxes of an outer column, each about where its processes are, so that few lines cross."""
    near: dict[str, list[int]] = {}
    for link in links:
        if link.side == side:
            near.setdefault(link.other, []).append(rank[link.process])
    return sorted(near, key=lambda name: (sum(near[name]) / len(near[name]), name))


def _column(names: list[str], side: int, tallest: int, links: list[Link]) -> Iterator[Node]:
    kinds = {link.other: link.kind for link in links if link.side == side != 1}
    top = TOP + (tallest - len(names)) * STEP // 2
    for number, name in enumerate(names):
        kind = kinds.get(name, "process")
        yield Node(name, short(name, LETTERS), text(name), kind, side, COLUMNS[side], top + number * STEP)


def _edges(links: list[Link], places: dict[tuple[int, str], Node]) -> Iterator[Edge]:
    for link in links:
        process, other = places.get((1, link.process)), places.get((link.side, link.other))
        if process is not None and other is not None:
            yield Edge(_path(process, other), text(link.title), link.kind)


def _path(process: Node, other: Node) -> str:
    y1, y2 = process.y + HEIGHT // 2, other.y + HEIGHT // 2
    if other.side == 1:
        x = process.x + BOX
        bend = x + min(70, 18 + abs(y2 - y1) // 4)
        return f"M{x} {y1}C{bend} {y1} {bend} {y2} {x} {y2}"
    x1 = process.x + (BOX if other.side == 2 else 0)
    x2 = other.x + (0 if other.side == 2 else BOX)
    middle = (x1 + x2) // 2
    return f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"


def _links(sockets: list[Any]) -> Iterator[Link]:
    by_inode = {held.socket.inode: _names(held) for held in sockets if held.socket.family == "unix"}
    for held in sockets:
        for who in _names(held):
            yield from _link(who, held.socket, by_inode)


def _names(held: Any) -> list[str]:
    """The processes that hold a socket."""
    return list(dict.fromkeys(f"{one.pid} {text(one.comm)}" for one in held.holders))


def _link(who: str, socket: Any, by_inode: dict[int, list[str]]) -> Iterator[Link]:
    protocol = socket.protocol or socket.family
    if socket.listening and socket.local:
        yield Link(who, f"{protocol} {text(socket.local)}", 0, "listens", f"{who} listens on {socket.local}")
    elif socket.family == "packet":
        where = f"all packets, {text(socket.local or 'every interface')}"
        yield Link(who, where, 0, "listens", f"{who} receives packets")
    elif socket.family == "unix":
        yield from _unix(who, socket, by_inode)
    elif socket.remote and socket.family != "netlink":
        title = f"{who} {socket.local} to {socket.remote} {socket.state or ''}"
        yield Link(who, f"{protocol} {text(socket.remote)}", 2, "remote", title)


def _unix(who: str, socket: Any, by_inode: dict[int, list[str]]) -> Iterator[Link]:
    """Links to all who hold the other end, the same from both ends: each pair is drawn once."""
    peers = by_inode.get(socket.peer or 0)
    if peers:
        for other in peers:
            if other != who:
                one, two = sorted((who, other), key=_by_pid)
                yield Link(one, two, 1, "unix", f"{one} and {two}: unix socket")
    elif socket.remote:
        yield Link(who, f"unix {text(socket.remote)}", 2, "unix", f"{who} to {socket.remote}")
