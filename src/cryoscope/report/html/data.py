"""The data of a page: columns of numbers and of strings that each stand once in a pool.

    {"pool": ["bash", "/etc/passwd", …], "files": {"n": 2, "path": {"s": [1, 7]}, "size": [12, null], …}, …}

A column of strings is `{"s": [index, …]}`, -1 for none; a column of lists of them has lists.  That way a path
that a file, an event and a process share is there once, and fifty thousand files are 4 MB.  Sizes are bytes,
`at` is microseconds since 1970 (JavaScript's numbers are exact to 2^53), addresses count pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.report.html.shown import command, owner, text
from cryoscope.report.units import plural
from cryoscope.report.views import endpoints, target

Column = Callable[[Any], Any]

BEGINNINGS, ENDING = ("container created", "container started"), "checkpoint taken"
"""Kinds of moments between which the container ran."""

UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""What could end a script element, begin a comment, or end a line of JavaScript."""


class Pool:
    """Strings, each once."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}
        self._known: dict[str, int] = {}

    def __call__(self, value: str | None) -> int:
        """The number of a string; -1 for None."""
        if value is None:
            return -1
        number = self._known.get(value)
        if number is None:
            number = self._known[value] = self._index.setdefault(text(value), len(self._index))
        return number

    def strings(self) -> list[str]:
        """All of them, in the order of their numbers."""
        return list(self._index)


class Tables:
    """Rows as columns; `left` says what there was no room for."""

    def __init__(self) -> None:
        self.pool = Pool()
        self.left: list[str] = []

    def table(
        self, rows: Sequence[Any], most: int, noun: str, **columns: Column | tuple[Column]
    ) -> dict[str, Any]:
        """The first `most` rows; a column in a tuple is one of strings, or of lists of strings."""
        if len(rows) > most:
            self.left.append(f"{len(rows) - most} of {plural(len(rows), noun)} are not in this page")
            rows = rows[:most]
        found: dict[str, Any] = {"n": len(rows)}
        for name, column in columns.items():
            if isinstance(column, tuple):
                found[name] = {"s": [self._pooled(column[0](row)) for row in rows]}
            else:
                found[name] = [column(row) for row in rows]
        return found

    def _pooled(self, value: Any) -> Any:
        return [self.pool(each) for each in value] if isinstance(value, list) else self.pool(value)


def data_of(part: Any) -> tuple[str, list[str]]:
    """The data block of a report as JSON that may stand in HTML, and what was left out of it."""
    tables = Tables()
    processes = part.processes[: limits.REPORT_PROCESSES]
    found = {
        "pageSize": part.page_size,
        "processes": _processes(tables, part),
        "sockets": _sockets(tables, part.sockets),
        "memory": _memory(
            tables, part.memory.processes, {process.pid for process in processes}, part.page_size
        ),
        "hot": _hot(tables, part),
        "files": _files(tables, part.files),
        "timeline": _timeline(tables, part.timeline),
        "life": _life(part),
    }
    found["pool"] = tables.pool.strings()
    return safe_json(found), tables.left


def safe_json(value: Any) -> str:
    """JSON that ends no script element, whatever is in it."""
    words = msgspec.json.encode(value).decode("utf-8")
    for character, spelled in UNSAFE.items():
        words = words.replace(character, spelled)
    return words


def _processes(tables: Tables, part: Any) -> dict[str, Any]:
    sizes = {one.pid: one.sizes for one in part.memory.processes}
    return tables.table(
        part.processes,
        limits.REPORT_PROCESSES,
        "process",
        pid=lambda p: p.pid,
        ppid=lambda p: p.ppid,
        comm=(lambda p: p.comm,),
        command=(command,),
        exe=(lambda p: p.exe and p.exe + (" (deleted)" if p.exe_deleted else ""),),
        cwd=(lambda p: p.cwd,),
        root=(lambda p: p.root,),
        state=(lambda p: p.state,),
        user=(_user,),
        threads=lambda p: len(p.threads),
        seccomp=(lambda p: p.seccomp,),
        caps=(lambda p: list(p.credentials.cap_effective) if p.credentials else [],),
        lsm=(lambda p: p.credentials.lsm_profile if p.credentials else None,),
        env=(_environment,),
        fds=(_descriptors,),
        mapped=lambda p: sizes[p.pid].mapped if p.pid in sizes else None,
        dumped=lambda p: sizes[p.pid].dumped if p.pid in sizes else None,
    )


def _user(process: Any) -> str | None:
    given = process.credentials
    if given is None:
        return None
    changed = (
        f", effective {given.euid}:{given.egid}" if (given.uid, given.gid) != (given.euid, given.egid) else ""
    )
    return f"{given.uid}:{given.gid}{changed}"


def _environment(process: Any) -> list[str]:
    if not isinstance(process.env, list):
        return []
    found = [one.name if one.value is None else f"{one.name}={one.value}" for one in process.env]
    return _cut(found, limits.REPORT_VARIABLES)


def _descriptors(process: Any) -> list[str]:
    if not isinstance(process.fds, list):
        return []
    found = [
        f"{fd.fd} {fd.access or '-'} {target(fd)}{' (deleted)' if fd.deleted else ''}"
        for fd in process.fds[: limits.REPORT_DESCRIPTORS]
    ]
    more = len(process.fds) - len(found)
    return [*found, f"and {more} more"] if more else found


def _cut(items: list[str], most: int) -> list[str]:
    return items if len(items) <= most else [*items[:most], f"and {len(items) - most} more"]


def _sockets(tables: Tables, sockets: Sequence[Any]) -> dict[str, Any]:
    return tables.table(
        sockets,
        limits.REPORT_SOCKETS,
        "socket",
        what=(lambda held: endpoints(held.socket),),
        queued=lambda held: held.socket.recv_queue + held.socket.send_queue,
        holders=(holders_of,),
        pids=lambda held: sorted({one.pid for one in held.holders})[: limits.REPORT_HOLDERS],
    )


def holders_of(held: Any) -> list[str]:
    """Who holds a socket, as far as a page names them."""
    named = [f"{one.pid}/{one.comm}:{one.fd}" for one in held.holders[: limits.REPORT_HOLDERS]]
    more = len(held.holders) - len(named)
    return [*named, f"and {more} more"] if more else named


def _memory(tables: Tables, processes: Iterable[Any], pids: set[int], page: int) -> dict[str, Any]:
    """For each process its mappings, six numbers each.

    They are: pages from the end of the one before, pages, pages dumped, and the strings perms, kind, path.
    """
    found: dict[str, Any] = {}
    room, left = limits.REPORT_MAPPINGS, 0
    for process in processes:
        most = min(room, limits.REPORT_MAPPINGS_EACH) if process.pid in pids else 0
        vmas = process.vmas[:most]
        left += len(process.vmas) - len(vmas)
        room -= len(vmas)
        if vmas:
            found[str(process.pid)] = _mappings(tables.pool, vmas, page)
    if left:
        tables.left.append(f"{left} mappings are not in the memory map of this page")
    return found


def _mappings(pool: Pool, vmas: Sequence[Any], page: int) -> list[int]:
    flat, end = [], 0
    for vma in vmas:
        start = vma.start // page
        pages = -(-(vma.end - vma.start) // page)
        dumped = (vma.dumped + vma.parent) // page
        flat += [start - end, pages, dumped, pool(vma.perms), pool(vma.kind), pool(vma.path)]
        end = start + pages
    return flat


def _hot(tables: Tables, part: Any) -> dict[str, Any]:
    """Addresses that findings or searched texts point at."""
    rows = [
        (one.pid, one.address, f"{finding.severity}: {finding.title}", finding.severity)
        for finding in part.findings
        for one in finding.evidence
        if one.pid is not None and one.address is not None
    ]
    rows += [(o.pid, o.address, f"hit: {hit.pattern}", "hit") for hit in part.hits for o in hit.processes]
    return tables.table(
        rows,
        limits.REPORT_HITS,
        "place",
        pid=lambda row: row[0],
        page=lambda row: row[1] // part.page_size,
        address=(lambda row: f"{row[1]:x}",),
        what=(lambda row: row[2],),
        severity=(lambda row: row[3],),
    )


def _files(tables: Tables, files: Sequence[Any]) -> dict[str, Any]:
    return tables.table(
        files,
        limits.REPORT_FILES,
        "file",
        path=(lambda f: f.path,),
        change=(lambda f: f.change,),
        origin=(lambda f: f.origin,),
        type=(lambda f: f.type,),
        mode=(lambda f: f.mode,),
        size=lambda f: f.size,
        owner=(owner,),
        at=lambda f: None if f.mtime_ns is None else f.mtime_ns // 1000,
        link=(lambda f: f.link,),
        open=(lambda f: [f"{o.pid}/{o.comm}" for o in f.open_in],),
        member=(lambda f: f.member,),
    )


def _timeline(tables: Tables, events: Sequence[Any]) -> dict[str, Any]:
    return tables.table(
        events,
        limits.REPORT_EVENTS,
        "event",
        at=lambda e: e.time_ns // 1000,
        source=(lambda e: e.source,),
        kind=(lambda e: e.kind,),
        path=(lambda e: e.path if _begins_with_path(e) else None,),
        text=(lambda e: e.text[len(e.path) :] if _begins_with_path(e) else e.text,),
        pid=lambda e: e.pid,
        comm=(lambda e: e.comm,),
    )


def _begins_with_path(event: Any) -> bool:
    return bool(event.path and event.text.startswith(event.path))


def _life(part: Any) -> list[int] | None:
    """From when the container was created to when it was checkpointed, where both are known."""
    begun = [event.time_ns for event in part.timeline if event.kind in BEGINNINGS]
    ended = [event.time_ns for event in part.timeline if event.kind == ENDING]
    if not begun or not ended or min(begun) >= max(ended):
        return None
    return [min(begun) // 1000, max(ended) // 1000]
