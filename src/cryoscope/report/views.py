"""The tables of `show`, `ps`, `files`, `sockets`, `maps`, `env`, `mounts`, `ls` and `info`.

Each function turns one archive's part of a document into lines; `width` is that of the terminal, or
None in a pipe.  With several archives a column or heading names the archive.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cryoscope.report.table import Table, fit
from cryoscope.report.tree import Outline
from cryoscope.report.units import moment, short_id, size
from cryoscope.text import escape

if TYPE_CHECKING:
    from cryoscope.checkpoint.process import Descriptor


def overviews(parts: Sequence[Any], width: int | None) -> list[str]:
    """One row an archive."""
    table = Table(
        "CONTAINER",
        "POD",
        "NAMESPACE",
        "IMAGE",
        "ID",
        "RUNTIME",
        "ENGINE",
        "CREATED",
        "CHECKPOINTED",
        "PROCS",
        "MEMORY",
        "CHECKPOINT",
        "ROOTFS DIFF",
        "ARCHIVE",
        right=("PROCS", "MEMORY", "CHECKPOINT", "ROOTFS DIFF"),
        spare=("CHECKPOINT", "CREATED", "RUNTIME", "ROOTFS DIFF", "ID", "CHECKPOINTED", "NAMESPACE", "IMAGE"),
    )
    for part in parts:
        o = part.overview
        table.add(
            o.name or o.hostname,
            o.pod,
            o.namespace,
            o.image,
            short_id(o.id),
            o.runtime,
            o.engine,
            moment(o.created),
            moment(o.checkpointed),
            o.processes,
            size(o.memory_size),
            size(o.checkpoint_size),
            size(o.rootfs_diff_size),
            part.archive,
        )
    return table.lines(width)


def processes(part: Any, width: int | None) -> list[str]:
    """`ps`: the tree in the last column."""
    found = {process.pid: process for process in part.processes}
    table = Table(
        "PID",
        "PPID",
        "PGID",
        "SID",
        "UID",
        "THREADS",
        "STATE",
        "COMM",
        "COMMAND",
        right=("PID", "PPID", "PGID", "SID", "UID", "THREADS"),
        spare=("PGID", "SID", "THREADS", "COMM", "UID", "STATE", "PPID"),
    )
    for process in part.processes:
        depth = _depth(process, found)
        uid = process.credentials.uid if process.credentials else None
        table.add(
            process.pid,
            process.ppid,
            process.pgid,
            process.sid,
            uid,
            len(process.threads) or None,
            process.state,
            process.comm,
            "  " * depth + command(process),
        )
    return table.lines(width)


def process_tree(part: Any, width: int | None) -> Iterator[str]:
    """`ps --format tree`: as pstree, with pids."""
    drawn: dict[int, Outline] = {}
    roots = []
    for process in part.processes:
        text = f"{process.pid} {command(process)}" + (
            "" if process.state == "alive" else f" ({process.state})"
        )
        if process.ppid in drawn:
            drawn[process.pid] = drawn[process.ppid].add(text)
        else:
            drawn[process.pid] = Outline(text)
            roots.append(drawn[process.pid])
    return (line for root in roots for line in root.lines(width))


def _depth(process: Any, found: dict[int, Any]) -> int:
    depth, pid, seen = 0, process.ppid, {process.pid}
    while pid in found and pid not in seen and depth < 40:
        seen.add(pid)
        depth += 1
        pid = found[pid].ppid
    return depth


def command(process: Any) -> str:
    """The command line on one line, or the name in brackets where there is none."""
    return str(process.command).replace("\n", " ↵ ")


def files(part: Any, width: int | None) -> list[str]:
    """`files`: one row a descriptor, the directories of each process first."""
    table = Table(
        "PID",
        "COMM",
        "FD",
        "TYPE",
        "ACCESS",
        "OFFSET",
        "SIZE",
        "TARGET",
        right=("PID", "FD", "OFFSET", "SIZE"),
        spare=("OFFSET", "SIZE", "COMM", "ACCESS"),
    )
    for process in part.processes:
        for what in ("exe", "cwd", "root"):
            if getattr(process, what) is not None:
                table.add(process.pid, process.comm, what, "", "", None, None, getattr(process, what))
        for fd in process.fds:
            table.add(process.pid, process.comm, fd.fd, fd.type, fd.access, fd.offset, fd.size, target(fd))
    ghosts = (f"deleted but open: {g.path}, {size(g.size)}, contents in {g.member}" for g in part.deleted)
    return table.lines(width) + fit(ghosts, width)


def target(fd: Descriptor) -> str:
    """What a descriptor leads to, with what is particular to its kind."""
    details = [fd.target]
    if fd.socket is not None:
        details.append(endpoints(fd.socket))
    if fd.counter is not None:
        details.append(f"counter {fd.counter}")
    if fd.signals:
        details.append(",".join(fd.signals))
    details += [f"watches {w.path or f'fd {w.fd}'}" for w in fd.watches]
    if fd.queued:
        details.append(f"{fd.queued} bytes unread")
    details += [f"{lock.kind} {lock.mode} lock" for lock in fd.locks]
    return " ".join(details)


def endpoints(socket: Any) -> str:
    """A socket in one phrase: `tcp LISTEN 127.0.0.1:7777`."""
    arrow = f" -> {socket.remote}" if socket.remote else ""
    kind = socket.protocol or f"{socket.family} {socket.type}"
    return f"{kind} {socket.state or ''} {socket.local or '-'}{arrow}".replace("  ", " ")


def sockets(part: Any, width: int | None) -> list[str]:
    """`sockets`: one row a socket, with all who hold it."""
    table = Table(
        "FAMILY",
        "TYPE",
        "PROTO",
        "STATE",
        "RECV-Q",
        "SEND-Q",
        "LOCAL",
        "REMOTE",
        "INODE",
        "PROCESSES",
        right=("RECV-Q", "SEND-Q", "INODE"),
        spare=("INODE", "TYPE", "SEND-Q", "RECV-Q"),
    )
    for held in part.sockets:
        s = held.socket
        who = " ".join(f"{h.pid}/{h.comm}:{h.fd}" for h in held.holders)
        table.add(
            s.family, s.type, s.protocol, s.state, s.recv_queue, s.send_queue, s.local, s.remote, s.inode, who
        )
    queued = (f"{q.kind} {q.inode}: {q.size} bytes {q.direction}: {q.text}" for q in part.queued)
    return table.lines(width) + fit(queued, width)


def maps(part: Any, width: int | None) -> list[str]:
    """`maps`: as /proc/PID/maps, with the pages of each mapping by state."""
    table = Table(
        "PID",
        "COMM",
        "START",
        "END",
        "PERMS",
        "KIND",
        "PAGES",
        "DUMPED",
        "PARENT",
        "ZERO",
        "FILE",
        "MISSING",
        "PATH",
        right=("PID", "PAGES", "DUMPED", "PARENT", "ZERO", "FILE", "MISSING"),
        spare=("COMM", "FILE", "ZERO", "KIND", "PARENT", "MISSING"),
    )
    for process in part.processes:
        for v in process.vmas:
            missing = v.lazy + v.unknown or None
            table.add(
                process.pid,
                process.comm,
                f"{v.start:012x}",
                f"{v.end:012x}",
                v.perms,
                v.kind,
                v.pages,
                v.dumped or None,
                v.parent or None,
                v.zero or None,
                v.file or None,
                missing,
                (v.path or _unnamed(v)) + (" (deleted)" if v.deleted and v.kind != "memfd" else ""),
            )
    return table.lines(width)


UNKNOWN = "\t(the environment is not in the checkpoint)"


def _unnamed(vma: Any) -> str:
    """What stands for a path, as in /proc/PID/maps: `[heap]`, nothing for memory that is just memory."""
    return "" if vma.kind.startswith("anon") else f"[{vma.kind}]"


def environment(part: Any, width: int | None) -> list[str]:
    """`env`: one variable a line, as `NAME=value`."""
    several = len(part.processes) > 1
    lines = []
    for process in part.processes:
        before = f"{process.pid}\t{process.comm}\t" if several else ""
        if process.env is None:
            lines.append(escape(f"{process.pid}\t{process.comm}").replace("\\t", "\t", 1) + UNKNOWN)
        for variable in process.env or []:
            value = "" if variable.value is None else f"={variable.value}"
            lines.append(escape(before).replace("\\t", "\t") + escape(f"{variable.name}{value}"))
    return lines


def mounts(part: Any, width: int | None) -> list[str]:
    """`mounts`: what CRIU saw; what the container was created with where there is nothing else."""
    if not part.mounts:
        table = Table("DESTINATION", "TYPE", "SOURCE", "OPTIONS")
        for mount in part.spec:
            table.add(mount.destination, mount.type, mount.host_path or mount.source, ",".join(mount.options))
        return table.lines(width)
    host = {m.destination: m.source for m in (*part.spec, *part.bind_mounts)}
    table = Table(
        "ID",
        "MOUNTPOINT",
        "TYPE",
        "ROOT",
        "SOURCE",
        "FLAGS",
        "FROM OUTSIDE",
        right=("ID",),
        spare=("ID", "FLAGS", "ROOT", "SOURCE"),
    )
    for m in part.mounts:
        outside = (host.get(m.mountpoint) or m.key or "yes") if m.external else None
        table.add(m.id, m.mountpoint, m.fstype, m.root, m.source, ",".join(m.flags), outside)
    return table.lines(width)


def members(part: Any, width: int | None) -> list[str]:
    """`ls`: as `ls -l`, with what the member is."""
    table = Table(
        "MODE",
        "OWNER",
        "SIZE",
        "TIME",
        "NAME",
        "CONTENT",
        right=("SIZE",),
        spare=("OWNER", "TIME", "MODE", "CONTENT"),
    )
    for m in part.members:
        name = m.name + (f" -> {m.link}" if m.link else "")
        table.add(m.mode, f"{m.uid}:{m.gid}", m.size, moment(m.mtime), name, m.content)
    return table.lines(width)


def images(part: Any, width: int | None) -> list[str]:
    """`info`: one row an image."""
    table = Table("IMAGE", "MAGIC", "ENTRIES", "SIZE", "CONTENT", right=("ENTRIES", "SIZE"))
    for image in part.images:
        table.add(image.image, image.magic or "(raw)", image.entries, image.size, image.description)
    return table.lines(width)


def log(part: Any, width: int | None) -> list[str]:
    """`log`: the lines as they are."""
    if part.member is None:
        return ["(no log in this archive)"]
    before = [f"(the first {size(part.skipped)} of {part.member} are left out)"] if part.skipped else []
    return before + [escape(line) for line in part.lines]
