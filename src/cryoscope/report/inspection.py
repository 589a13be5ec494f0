"""The tree that `inspect` draws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import UNSET

from cryoscope.report.tree import Outline
from cryoscope.report.units import duration, moment, plural, short_id, size
from cryoscope.report.views import command, endpoints, target


def inspection(part: Any, width: int | None) -> Iterator[str]:
    """The lines of one archive's part of an inspection."""
    root = Outline(part.archive)
    _overview(root, part.overview)
    for name, draw in SECTIONS:
        value = getattr(part, name)
        if value not in (None, [], {}):
            draw(root, value)
    return root.lines(width)


def _overview(root: Outline, o: Any) -> None:
    root.fact("Container", o.name or o.hostname)
    if o.pod or o.namespace:
        root.add(f"Pod: {o.namespace or '?'}/{o.pod or '?'}")
    root.fact("Image", o.image)
    root.fact("ID", o.id)
    root.fact("Runtime", o.runtime)
    root.fact("Engine", o.engine)
    root.fact("IP address", o.ip)
    root.fact("Created", moment(o.created))
    root.fact("Checkpointed", moment(o.checkpointed))
    sizes = root.add(f"Checkpoint: {size(o.checkpoint_size)} ({o.form})")
    sizes.fact("Memory pages", size(o.memory_size))
    sizes.fact("Root filesystem changes", size(o.rootfs_diff_size))


def _container(root: Outline, c: Any) -> None:
    section = root.add("Metadata")
    section.fact("Told by", c.engine_evidence)
    section.fact("Host name", c.hostname)
    section.fact("Image ID", c.image_id)
    section.fact("Started", moment(c.started))
    section.fact("Log on the node", c.log_path)
    if c.pod is not None:
        section.fact("Pod UID", c.pod.uid)
        section.fact("Sandbox", short_id(c.pod.sandbox_id))
    if c.process is not None:
        _spec_process(section, c.process)
    for name, values in (
        ("Labels", c.labels),
        ("Annotations", c.annotations),
        ("Image annotations", c.image_annotations),
        (f"Only {c.engine} says", c.facts),
    ):
        _mapping(section, name, values)


def _spec_process(section: Outline, process: Any) -> None:
    created = section.add(f"Created to run: {' '.join(process.args)}")
    created.fact("User", None if process.uid is None else f"{process.uid}:{process.gid}")
    created.fact("Directory", process.cwd)
    created.fact("Capabilities", " ".join(process.capabilities.get("bounding", [])))
    created.fact("Environment", plural(len(process.env), "variable") if process.env else None)


def _mapping(section: Outline, name: str, values: dict[str, Any]) -> None:
    if values:
        below = section.add(name)
        for key, value in sorted(values.items()):
            below.add(f"{key}: {value}")


def _dump(root: Outline, dump: Any) -> None:
    section = root.add(f"Dump by CRIU {dump.version or '?'} on {dump.node or '?'} ({dump.kernel or '?'})")
    for problem in dump.problems[:20]:
        section.add(f"{problem.level} at {problem.at:.3f} s ({problem.where}): {problem.text}")


def _statistics(root: Outline, s: Any) -> None:
    section = root.add("Statistics")
    for name in ("freezing_time", "frozen_time", "memdump_time", "memwrite_time"):
        section.add(f"{name.replace('_', ' ').capitalize()}: {duration(getattr(s, name))}")
    section.add(f"Pages scanned: {s.pages_scanned}")
    section.add(f"Pages written: {s.pages_written}")
    section.fact("Pages in the parent", s.pages_skipped_parent or None)


def _processes(root: Outline, processes: Any) -> None:
    section = root.add(f"Process tree: {plural(len(processes), 'process')}")
    drawn: dict[int, Outline] = {}
    for process in processes:
        above = drawn.get(process.ppid, section)
        drawn[process.pid] = _process(above, process)


def _process(above: Outline, p: Any) -> Outline:
    line = above.add(f"[{p.pid}] {p.comm}: {command(p)}")
    line.fact("State", f"{p.state}, exit code {p.exit_code}" if p.state == "zombie" else None)
    line.fact("State", p.state if p.state not in ("alive", "zombie") else None)
    if p.exe is not None:
        line.add(f"Executable: {p.exe}{' (deleted)' if p.exe_deleted else ''}")
    line.fact("Directory", p.cwd if p.cwd != "/" else None)
    if p.credentials is not None:
        line.add(f"User: {p.credentials.uid}:{p.credentials.gid}")
        line.fact("Capabilities", " ".join(p.credentials.cap_effective) or "none")
    line.fact("Seccomp", p.seccomp if p.seccomp != "disabled" else None)
    if len(p.threads) > 1:
        line.add(f"Threads: {' '.join(f'{t.tid}/{t.comm}' for t in p.threads)}")
    line.fact("Pending signals", " ".join(s.signal for s in p.pending))
    _details(line, p)
    return line


def _details(line: Outline, p: Any) -> None:
    if p.env is not UNSET and p.env:
        below = line.add("Environment")
        for variable in p.env:
            below.add(f"{variable.name}={variable.value or ''}")
    if p.fds is not UNSET and p.fds:
        below = line.add("Open files")
        for fd in p.fds:
            below.add(f"{fd.fd} {fd.type} {fd.access} {target(fd)}".replace("  ", " "))
    if p.vmas is not UNSET and p.vmas:
        below = line.add("Mappings")
        for v in p.vmas:
            below.add(
                f"{v.start:x}-{v.end:x} {v.perms} {v.kind} {v.path or ''} {v.dumped}/{v.pages} pages dumped"
            )


def _sockets(root: Outline, sockets: Any) -> None:
    section = root.add(f"Sockets: {len(sockets)}")
    for held in sockets:
        who = ", ".join(f"{h.pid}/{h.comm} fd {h.fd}" for h in held.holders)
        section.add(f"{endpoints(held.socket)} ({who or 'held by nobody'})")


def _mounts(root: Outline, mounts: Any) -> None:
    section = root.add(f"Mounts: {len(mounts)}")
    for m in mounts:
        outside = f" from outside: {m.key or m.source}" if m.external else ""
        section.add(f"{m.mountpoint} {m.fstype} {','.join(m.flags)}{outside}")


def _namespaces(root: Outline, namespaces: Any) -> None:
    section = root.add("Namespaces")
    for n in namespaces:
        shared = " shared with the host" if n.host else ""
        section.add(f"{n.kind} {n.id}{shared}{f' ({n.hostname})' if n.hostname else ''}")


def _devices(root: Outline, devices: Any) -> None:
    section = root.add("Network devices")
    for d in devices:
        section.add(f"{d.name} {d.kind} {'up' if d.up else 'down'} {' '.join(d.addresses)}".rstrip())


def _rules(root: Outline, rules: Any) -> None:
    section = root.add("Packet filter rules")
    for r in rules:
        below = section.add(r.tool)
        for line in r.text.splitlines()[:200]:
            below.add(line)


def _ipc(root: Outline, objects: Any) -> None:
    section = root.add("System V IPC")
    for o in objects:
        what = size(o.size) if o.size is not None else plural(o.messages or 0, "message")
        section.add(f"{o.kind} {o.key} id {o.id} {o.mode} {o.values if o.values is not None else what}")


def _changes(root: Outline, changes: Any) -> None:
    section = root.add(f"Root filesystem changes: {len(changes)}")
    for c in changes:
        section.add(f"{c.change} {c.path}{f' {size(c.size)}' if c.size else ''}")


def _ghosts(root: Outline, ghosts: Any) -> None:
    section = root.add("Deleted but open")
    for g in ghosts:
        section.add(f"{g.path} {size(g.size)} in {g.member}")


SECTIONS = (
    ("container", _container),
    ("dump", _dump),
    ("statistics", _statistics),
    ("processes", _processes),
    ("sockets", _sockets),
    ("mounts", _mounts),
    ("namespaces", _namespaces),
    ("devices", _devices),
    ("filter_rules", _rules),
    ("ipc", _ipc),
    ("changes", _changes),
    ("ghosts", _ghosts),
)
"""What is drawn of an inspection, in this order; a part that was not asked for is absent."""
